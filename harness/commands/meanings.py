"""What flags, and the list of public benchmarks, state of the metrics of a user's table.

Their direction, kind and pair, the noise of their values, and what a guesser scores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from harness import benchmarks
from harness.commands.tables import split_names
from harness.errors import DataError, UserError, nearest
from harness.metric_names import meaning
from harness.records.columns import ITEMS, NOT_NEGATIVE, column, number_column, truth_column
from harness.wording import listed

#: Flag -> column and what it states of the metrics it names.
STATED_BY = {
    "lower_is_better": ("higher_is_better", False),
    "higher_is_better": ("higher_is_better", True),
    "discontinuous": ("discontinuous", True),
    "continuous": ("discontinuous", False),
}
#: How a line begins that says what was taken from the list.
_SOURCE = "taken from harness/benchmarks.toml"


def state_meanings(frame: pd.DataFrame, arguments: argparse.Namespace, pairs: Sequence[str]) -> None:
    """Write what --lower-is-better and its like, and pairs of metrics, state into the columns that the analysis reads.

    Args:
        frame: rows with a column metric; changed.
        pairs: METRIC=CONTINUOUS each, names of metrics.

    Raises:
        UserError: a pair of another form, or a metric that two flags contradict each other about.
        DataError: no such metric.
    """
    metrics = frame["metric"].astype(str)
    for text in pairs:
        metric, _, continuous = (part.strip() for part in text.partition("="))
        if not (metric and continuous):
            raise UserError(f"--pair {text}: allowed is METRIC=CONTINUOUS, e.g. exact_match=token_accuracy")
        _check_metrics(metrics, [metric, continuous], f"--pair {text}")
        _write(frame, "paired_metric", metrics == metric, continuous)
        _write(frame, "discontinuous", metrics == metric, True)
        _write(frame, "discontinuous", metrics == continuous, False)
    stated: dict[tuple[str, str], str] = {}
    for name, (target, truth) in STATED_BY.items():
        if (text := getattr(arguments, name)) is None:
            continue
        flag = f"--{name.replace('_', '-')}"
        names = split_names(text, flag, "names of metrics")
        _check_metrics(metrics, names, f"{flag} {text}")
        for metric in names:
            if other := stated.get((target, metric)):
                raise UserError(f"{flag} {text}: {metric} is named by {other} too")
            stated[target, metric] = flag
        _write(frame, target, metrics.isin(names), truth)


def add_noise(frame: pd.DataFrame, table: pd.DataFrame, arguments: argparse.Namespace) -> None:
    """Items and standard errors of the values, from the columns that --n-eval and --stderr name.

    Raises:
        DataError: no such column, or a cell that is not allowed.
    """
    for name, limits in (("n_eval", ITEMS), ("stderr", NOT_NEGATIVE)):
        given = getattr(arguments, name)
        if given is not None and given in table:
            frame[name] = number_column(table, given, limits)
        elif given is not None and name not in frame:  # else columns of tasks have been read
            column(table, given)
        elif name in frame:
            frame[name] = number_column(frame, name, limits)


def add_chance(frame: pd.DataFrame, table: pd.DataFrame, chance: str | None) -> None:
    """The value of a guesser, from --chance: a column or a number.

    Raises:
        UserError: it is neither.
        DataError: a cell that is not a number.
    """
    if chance is None:
        return
    if chance in table:
        frame["chance"] = number_column(table, chance)
        return
    try:
        level = float(chance)
    except ValueError:
        level = np.nan
    if not np.isfinite(level):
        near = nearest(chance, map(str, table.columns))
        raise UserError(f"--chance {chance}: allowed is a column, and there is none of this name, or a number{near}")
    # A guesser's loss is another number than its share of right answers.
    frame["chance"] = np.where(higher_is_better(frame), level, np.nan)


def add_known(frame: pd.DataFrame) -> tuple[str, ...]:
    """Chance levels and directions of public benchmarks where nothing states them; what was taken, in words."""
    told = []
    directions = _looked_up(frame, "higher_is_better", benchmarks.known_direction)
    for truth, names in _by_value(directions):
        better = "higher" if truth else "smaller"
        told.append(f"{_SOURCE}: {better} is better: {listed(names)}")
    levels = _looked_up(frame, "chance", benchmarks.known_chance)
    for level, names in _by_value(levels):
        told.append(f"{_SOURCE}: chance {level:.3g} of {listed(names)} (--chance states another)")
    return tuple(told)


def higher_is_better(frame: pd.DataFrame) -> pd.Series:
    """(n,) direction of each row's metric, as stated or by its name."""
    by_name = frame["metric"].map(lambda name: meaning(str(name)).higher_is_better)
    if "higher_is_better" not in frame:
        return by_name
    return truth_column(frame, "higher_is_better").fillna(by_name).astype(bool)


def _looked_up(
    frame: pd.DataFrame, target: str, known: Callable[[str, str], float | bool | None]
) -> dict[tuple[str, str], float | bool]:
    """Fill the open cells of a column with what is known of each task and metric; what was filled, by these."""
    open_rows = frame[target].isna() if target in frame else pd.Series(True, frame.index)
    names = [name for name in ("task", "subtask", "study") if name in frame]
    found: dict[tuple[str, str], float | bool] = {}
    for cells in frame.loc[open_rows.to_numpy(), [*names, "metric"]].drop_duplicates().astype(str).values.tolist():
        *tasks, metric = cells
        facts = ((task, known(task, metric)) for task in tasks)
        if (fact := next(((task, value) for task, value in facts if value is not None), None)) is None:
            continue
        same = frame[[*names, "metric"]].astype(str).eq(cells).all(axis=1) & open_rows
        _write(frame, target, same, fact[1])
        found[fact[0], metric] = fact[1]
    if target == "chance" and found:
        frame[target] = frame[target].astype(float)
    return found


def _by_value(found: dict[tuple[str, str], float | bool]) -> Iterator[tuple[float | bool, list[str]]]:
    """The tasks and metrics of each value."""
    for value in dict.fromkeys(found.values()):
        yield value, [f"{task} {metric}" for (task, metric), each in found.items() if each == value]


def _write(frame: pd.DataFrame, name: str, rows: pd.Series, value: object) -> None:
    """Write into some rows (n,) of a column that the table may not have."""
    cells = frame[name].to_numpy(dtype=object, copy=True) if name in frame else np.full(len(frame), None, dtype=object)
    cells[rows.to_numpy()] = value
    frame[name] = cells


def _check_metrics(metrics: pd.Series, wanted: Sequence[str], flag: str) -> None:
    known = list(dict.fromkeys(metrics))
    for metric in wanted:
        if metric not in known:
            raise DataError(
                f"{flag}: no metric '{metric}'{nearest(metric, known) or '; there are ' + ', '.join(known)}"
            )
