"""The runs and metrics that `forecast --metric` reads: a metric, or those of several tasks, each with its loss."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from rich.console import Console

from harness import benchmarks
from harness.commands.column_patterns import Columns, Layout, read_layout
from harness.commands.metrics_as_columns import refuse_several_studies, with_metrics
from harness.commands.tables import Rows, choose_rows, numbers, split_names, warn_of_mixed
from harness.errors import DataError, UserError, nearest
from harness.metric_names import meaning
from harness.records.columns import ITEMS, NOT_NEGATIVE, POSITIVE, Limits, label_column, number_column
from harness.records.expressions import select
from harness.records.table import read_rows
from harness.wording import counted, listed


@dataclass(frozen=True)
class MetricTable:
    """What a `Chain` is fitted to.

    Attributes:
        rows: of the table, with what was left out.
        x: (n, d) the columns of --x.
        loss: (n,) of all tasks, or (n, T) a column a task; metric: (n, T). NaN where there is none.
        of_loss: (n,) whether a row informs the law of the loss; the others inform the links only.
        noise: n_eval or stderr -> (n, T).
        loss_names: task -> its column of --y.
        chance, higher_is_better: of the tasks of which they are known.
        told: what was read and assumed, in words.
    """

    rows: Rows
    x: pd.DataFrame
    loss: pd.DataFrame | np.ndarray
    metric: pd.DataFrame
    of_loss: np.ndarray
    noise: Mapping[str, pd.DataFrame]
    loss_names: Mapping[str, str]
    chance: Mapping[str, float]
    higher_is_better: Mapping[str, bool]
    told: tuple[str, ...]

    def labels(self, column: str | None) -> np.ndarray | None:
        """(n,) a column as labels, None for none."""
        return None if column is None else label_column(self.rows.frame, column)

    def report(self, console: Console) -> None:
        """Say what was used and assumed."""
        for line in self.told:
            console.print(line, markup=False, soft_wrap=True)
        n_link = int((~self.of_loss).sum())
        more = f" and {counted(n_link, 'row')} for the link alone" if n_link else ""
        self.rows.report(f"{counted(int(self.of_loss.sum()), 'run')}{more}", console)


def choose_metrics(arguments: argparse.Namespace) -> MetricTable:
    """Read the table, choose its rows, and find the columns of --y and --metric.

    A row without a finite size or loss is left out and listed; one without a metric informs the loss only.

    Raises:
        UserError: columns of losses that do not fit those of the metrics.
        DataError: as `choose_rows` and `read_layout`, or a value that is not allowed.
    """
    rows, of_loss = _rows(arguments)
    warn_of_mixed(arguments.table, rows.frame[of_loss])
    names = split_names(arguments.x)
    layout = _layout(rows.frame, arguments)
    (losses,) = layout.judges or (Columns(arguments.y, arguments.y, {"": arguments.y}),)
    values = {name: task for each in layout.measured for task, name in each.by_task.items()}
    of_task = {name: losses.by_task.get(task) or losses.by_task.get("") for name, task in values.items()}
    if without := [name for name, loss in of_task.items() if loss is None]:
        raise UserError(f"--y {arguments.y}: no column of losses for {listed(without)}")
    distinct = dict.fromkeys(map(str, of_task.values()))
    rows, of_loss = _with_sizes(rows, of_loss, names)
    if len(distinct) == 1:
        kept = rows.with_numbers_in(list(distinct))
        of_loss, rows = of_loss[rows.frame.index.isin(kept.frame.index)], kept
    frame = rows.require_some().frame
    low, high = arguments.range
    limits = Limits(low, high, f"numbers from {low:g} to {high:g}")
    metric = pd.DataFrame({name: _metric(frame, name, limits) for name in values})
    loss = {name: number_column(frame, name, POSITIVE) for name in distinct}
    told = [line for line in layout.told if line.startswith("read")]
    told += [
        f"{name}: no number in {counted(missing, 'row')}, which {'informs' if missing == 1 else 'inform'} the loss only"
        for name in values
        if (missing := int(metric[name].isna().sum()))
    ]
    told += _unlike_its_range(metric, low, high)
    chance, assumed = _chance(list(values), arguments)
    return MetricTable(
        rows=rows,
        x=pd.DataFrame({name: number_column(frame, name) for name in names}),
        loss=pd.DataFrame({name: loss[str(of_task[name])] for name in values})
        if len(distinct) > 1
        else next(iter(loss.values())),
        metric=metric,
        of_loss=of_loss,
        noise=_noise(frame, values, metric, layout, arguments),
        loss_names={name: str(loss) for name, loss in of_task.items()},
        chance=chance,
        higher_is_better={
            name: meant.higher_is_better
            for each in layout.measured
            for name in each.by_task.values()
            if (meant := meaning(each.metric)).known
        },
        told=(*told, *assumed),
    )


def _rows(arguments: argparse.Namespace) -> tuple[Rows, np.ndarray]:
    """Rows of the loss (--where) and of the link alone (--link-rows), and which are of the loss (n,)."""
    named = [name.strip() for text in (arguments.y, arguments.metric) for name in text.split(",")]
    frame = with_metrics(read_rows(arguments.table, split=arguments.split), arguments.table, named, arguments.derive)
    if arguments.link_rows is None:
        rows = choose_rows(frame, arguments.table, arguments).without_repeats().require_some()
        refuse_several_studies(rows.frame, arguments.table, None)
        return rows, np.ones(len(rows.frame), dtype=bool)
    if arguments.cluster is None:
        raise UserError("--link-rows: rows of one run err together; name the column that tells runs apart by --cluster")
    everything = argparse.Namespace(**vars(arguments) | {"where": None})
    rows = choose_rows(frame, arguments.table, everything).without_repeats().require_some()
    index = rows.frame.index
    about = index.isin(select(rows.frame, arguments.where).kept.index)
    linked = index.isin(select(rows.frame, arguments.link_rows).kept.index)
    # Without --where the rows of the loss are all others.
    of_loss = about & ~linked if arguments.where is None else about
    for flag, found in (("--where", of_loss), ("--link-rows", linked)):
        if not found.any():
            raise DataError(f"{flag} {getattr(arguments, flag[2:].replace('-', '_'))}: holds for no row")
    used = of_loss | linked
    rows = replace(rows, frame=rows.frame[used], n_outside=rows.n_outside + int((~used).sum()))
    return rows, of_loss[used]


def _with_sizes(rows: Rows, of_loss: np.ndarray, names: list[str]) -> tuple[Rows, np.ndarray]:
    """The same without rows of the loss that have no finite size."""
    lacking = np.zeros(len(rows.frame), dtype=bool)
    for name in names:
        lacking |= of_loss & ~np.isfinite(number_column(rows.frame, name))
    kept = rows.leave_out(lacking, f"{listed(names)}: not a finite number")
    for name in names:
        numbers(kept.frame[of_loss[~lacking]], name, POSITIVE)
    return kept, of_loss[~lacking]


def _layout(frame: pd.DataFrame, arguments: argparse.Namespace) -> Layout:
    """The columns of --metric, and of --y where it names one for each task: patterns, or lists of equal length."""
    if "*" in arguments.metric:
        pairs = [f"{arguments.metric}={arguments.y}"] if "*" in arguments.y else []
        # A column of errors that nobody named is of no use beside several metrics.
        known = frame if arguments.stderr else frame.drop(columns="stderr", errors="ignore")
        try:
            return read_layout(known, arguments.metric, pairs, arguments.stderr, arguments.n_eval)
        except UserError as error:
            raise UserError(
                str(error).replace(f"--pair {pairs[0]}", f"--y {arguments.y}") if pairs else str(error)
            ) from error
    if "*" in arguments.y:
        raise UserError(f"--y {arguments.y}: a pattern of losses goes with one of metrics, such as --metric 'acc_*'")
    names = split_names(arguments.metric, "--metric")
    measured = tuple(Columns(name, name, {name: name}) for name in names)
    losses = [arguments.y] if arguments.y in frame else split_names(arguments.y, "--y")
    if len(losses) == 1:
        return Layout(measured, {}, {}, ())
    if len(losses) != len(names):
        wanted = f"one, or one for each of the {counted(len(names), 'metric')} of --metric"
        raise UserError(f"--y {arguments.y}: {counted(len(losses), 'column')}; wanted is {wanted}")
    for loss in losses:
        number_column(frame, loss)
    return Layout(measured, {"": Columns(arguments.y, arguments.y, dict(zip(names, losses, strict=True)))}, {}, ())


def _unlike_its_range(metric: pd.DataFrame, low: float, high: float) -> list[str]:
    """Shares to which --range gives another range, in words."""
    shares = [str(name) for name in metric if high > 1 and 0 < metric[name].max() <= 1]
    if not shares:
        return []
    return [f"note: no value of {listed(shares)} is above 1, though --range has {low:g} to {high:g}: are these shares?"]


def _metric(frame: pd.DataFrame, name: str, limits: Limits) -> np.ndarray:
    try:
        return number_column(frame, name, limits)
    except DataError as error:
        if limits.allowed not in error.problem:  # no such column, or text
            raise
        error.problem += (
            f"; a metric of another range is stated by --range LOW,HIGH, or --derive makes a share of {name}"
        )
        raise


def _chance(names: Sequence[str], arguments: argparse.Namespace) -> tuple[dict[str, float], list[str]]:
    """What a guesser scores in each metric, by --chance or as known of the benchmark; and what was taken, in words.

    Raises:
        UserError: --chance names a metric that there is none of.
    """
    stated = arguments.chance
    if isinstance(stated, float):
        return dict.fromkeys(names, stated), []
    stated = stated or {}
    if strange := [name for name in stated if name not in names]:
        raise UserError(f"--chance {strange[0]}: is none of the metrics {', '.join(names)}{nearest(strange[0], names)}")
    low, high = arguments.range
    shares = {name: benchmarks.chance_of_column(name) for name in names if name not in stated}
    known = {name: low + (high - low) * share for name, share in shares.items() if share is not None}
    levels: dict[float, list[str]] = {}
    for name, level in known.items():
        levels.setdefault(level, []).append(name)
    told = [
        f"taken from harness/benchmarks.toml: chance {level:.3g} of {listed(each)} (--chance states another)"
        for level, each in levels.items()
    ]
    if unknown := [name for name, share in shares.items() if share is None]:
        told.append(f"not known: chance of {listed(unknown)} (--chance)")
    return {**stated, **known}, told


def _known_noise(frame: pd.DataFrame, column: str, metric: pd.Series, limits: Limits) -> np.ndarray:
    """(n,) a column, complete wherever the metric was measured."""
    measured = metric.notna().to_numpy()
    found = np.full(len(frame), np.nan)
    found[measured] = numbers(frame[measured], column, limits)
    return found


def _noise(
    frame: pd.DataFrame,
    values: Mapping[str, str],
    metric: pd.DataFrame,
    layout: Layout,
    arguments: argparse.Namespace,
) -> dict[str, pd.DataFrame]:
    """Items or standard errors of each task's values, from the columns that --n-eval and --stderr name."""
    found = {}
    for target, limits in (("n_eval", ITEMS), ("stderr", NOT_NEGATIVE)):
        named = getattr(arguments, target)
        if named is None:
            continue
        columns = layout.beside[target].by_task if target in layout.beside else {"": named}
        found[target] = pd.DataFrame(
            {
                name: _known_noise(frame, columns.get(task, columns.get("", "")), metric[name], limits)
                for name, task in values.items()
                if task in columns or "" in columns
            }
        )
    return found
