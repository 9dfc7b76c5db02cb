"""The values of a user's table, one a row: as they stand, or from a table with a column a task or a column a metric."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from harness.commands.arguments import LABELS
from harness.commands.column_patterns import Columns, Layout, likely_pairs, read_layout
from harness.commands.metrics_as_columns import metric_rows
from harness.commands.tables import Rows
from harness.errors import UserError
from harness.records.columns import number_column
from harness.wording import listed


@dataclass(frozen=True)
class Values:
    """One value a row.

    Attributes:
        rows: the rows, with columns metric and value, and task or subtask where the table has a column a task.
        table: the same rows under the table's own columns only.
        pairs: METRIC=CONTINUOUS of --pair that are about metrics of a column.
        told: how columns were read, in words; () where a row of the table has one value.
        likely_pairs: both sides of each --pair that the names of columns suggest.
    """

    rows: Rows
    table: pd.DataFrame
    pairs: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    likely_pairs: tuple[tuple[str, str], ...] = ()


def read_values(rows: Rows, x: Sequence[str], value: str, arguments: argparse.Namespace) -> Values:
    """The values that --value and --pair name, a row each; those that are no finite numbers are left out and listed.

    Args:
        rows: the table's.
        x: columns of sizes.
        value: the column or columns of --value.
        arguments: with metric, task, subtask, pair, stderr and n_eval.

    Raises:
        UserError: as `read_layout`.
        DataError: no such column, or a cell that is not a number.
    """
    has_metrics = bool(arguments.metric) or "metric" in rows.frame
    pairs = tuple(arguments.pair) if has_metrics else ()
    told: tuple[str, ...] = ()
    if value not in rows.frame and "metric" in rows.frame and (chosen := metric_rows(rows.frame, value)) is not None:
        rows, value, told = replace(rows, frame=chosen[0]), "value", (chosen[1],)
    if has_metrics and value in rows.frame:
        rows = rows.with_numbers_in([value])
        return Values(rows.with_columns(value=number_column(rows.frame, value)), rows.frame, pairs, told)
    layout = read_layout(rows.frame, value, () if has_metrics else arguments.pair, arguments.stderr, arguments.n_eval)
    _refuse_roles(layout, rows.frame, x, value, arguments)
    label = _task_label(rows.frame, arguments) if any(each.of_tasks for each in layout.measured) else ""
    melted, table = _melt(rows, layout, label, has_metrics)
    return Values(melted, table, pairs, layout.told, () if has_metrics else tuple(likely_pairs(table, layout, x)))


def _refuse_roles(
    layout: Layout, frame: pd.DataFrame, x: Sequence[str], value: str, arguments: argparse.Namespace
) -> None:
    """Raise UserError for a column of values that is that of sizes, seeds or the like too."""
    roles = {getattr(arguments, name, None) or name: name for name in (*LABELS, "n_eval", "stderr")}
    roles |= dict.fromkeys(x, "x") | ({arguments.by: "by"} if getattr(arguments, "by", None) else {})
    for each in layout.measured:
        for name in each.by_task.values():
            if name in roles:
                flag = "--" + roles[name].replace("_", "-")
                raise UserError(f"--value {value}: column {name} is that of {flag}, and holds no metric's values")


def _task_label(frame: pd.DataFrame, arguments: argparse.Namespace) -> str:
    """The column that is to name the tasks: task, or subtask within the tasks that the table names."""
    for name in ("task", "subtask"):
        if not getattr(arguments, name) and name not in frame:
            return name
    raise UserError("--value: columns of tasks beside columns that name both task and subtask; name one column")


def _melt(rows: Rows, layout: Layout, label: str, has_metrics: bool) -> tuple[Rows, pd.DataFrame]:
    """A row each finite value, and the same rows under the columns of the table that hold no values.

    Args:
        rows: the table's.
        layout: of its columns.
        label: the column that is to hold the tasks, '' for none.
        has_metrics: whether a column of the table names the metrics.
    """
    frame, read = rows.frame, [*layout.measured, *layout.judges]
    spent = {name for each in (*read, *layout.beside.values()) for name in each.by_task.values()}
    own = frame[[name for name in frame.columns if name not in spent and name != "stderr"]]
    values = {name: number_column(frame, name) for each in read for name in each.by_task.values()}
    empty = ~np.isfinite(np.column_stack(list(values.values()))).any(axis=1)
    why = f"no finite number in {listed([each.text for each in read])}"
    melted = rows.leave_out(empty, why if len(values) > 1 else f"{read[0].text} is not a finite number")
    parts, tables = [], []
    for each, task, name in _each_column(read):
        usable = np.isfinite(values[name])
        part = own[usable].assign(value=values[name][usable])
        part = part if has_metrics else part.assign(metric=each.metric)
        part = part.assign(**{label: task}) if label else part
        if layout.paired:
            pair = layout.paired.get(each.metric)
            part["paired_metric"] = pair.metric if pair is not None and task in pair.by_task else ""
        for target, columns in layout.beside.items():
            known = each in layout.measured and task in columns.by_task
            part[target] = number_column(frame, columns.by_task[task])[usable] if known else np.nan
        parts.append(part)
        tables.append(own[usable])
        lost = pd.DataFrame({"row": frame.index[~usable & ~empty], "why": f"{name} is not a finite number"})
        melted = melted.with_excluded(lost)
    return replace(melted, frame=pd.concat(parts)), pd.concat(tables)


def _each_column(read: list[Columns]) -> Iterator[tuple[Columns, str, str]]:
    for columns in read:
        for task, name in columns.by_task.items():
            yield columns, task, name
