"""Values of a user's table as rows of one each, where the table has a column a task or a column a metric.

A pattern such as ``acc_*`` names columns of one metric: the fixed part is the metric's name, what the star stands for
the task's. A list of columns is the pattern of what their names share.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from harness.commands.tables import Rows, split_names
from harness.errors import DataError, UserError, nearest
from harness.metric_names import meaning, words
from harness.records.columns import column, number_column
from harness.wording import counted, listed

#: Signs between the words of a column's name.
_BETWEEN = "_-./:, "
#: The metric of columns whose names share no word.
_UNNAMED = "value"


@dataclass(frozen=True)
class Columns:
    """Columns that hold one metric.

    Attributes:
        text: as the user named them.
        metric: its name.
        by_task: task -> column; the task of a single column is ''.
    """

    text: str
    metric: str
    by_task: Mapping[str, str]

    @property
    def of_tasks(self) -> bool:
        """Whether they are a task each."""
        return list(self.by_task) != [""]

    def __str__(self) -> str:
        return f"{counted(len(self.by_task), 'task')} in columns {self.text}: {listed(list(self.by_task))}"


@dataclass(frozen=True)
class Values:
    """One value a row.

    Attributes:
        rows: the rows, with columns metric and value, and task or subtask where the table has a column a task.
        table: the same rows under the table's own columns only.
        pairs: METRIC=CONTINUOUS of --pair that are about metrics of a column.
        told: how columns were read, in words; () where a row of the table has one value.
    """

    rows: Rows
    table: pd.DataFrame
    pairs: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def read_values(rows: Rows, value: str, arguments: argparse.Namespace) -> Values:
    """The values that --value and --pair name, a row each; those that are no finite numbers are left out and listed.

    Args:
        rows: the table's.
        value: the column or columns of --value.
        arguments: with metric, task, subtask, pair, stderr and n_eval.

    Raises:
        UserError: patterns that cannot be.
        DataError: no such column, or a cell that is not a number.
    """
    frame = rows.frame
    has_metrics = bool(arguments.metric) or "metric" in frame
    if value in frame and (has_metrics or not arguments.pair):
        rows = rows.with_numbers_in([value])
        named = {} if has_metrics else {"metric": value}
        return Values(rows.with_columns(value=number_column(rows.frame, value), **named), rows.frame, arguments.pair)
    pairs = {} if has_metrics else dict(_sides(text) for text in arguments.pair)
    beside = {name: text for name in ("stderr", "n_eval") if (text := getattr(arguments, name)) and "*" in text}
    plain, stars = _names(value, frame)
    fits = _fits(frame, [*stars, *pairs.values(), *beside.values()], plain)
    measured = [*([_listed(frame, plain)] if plain else []), *(_columns(frame, text, fits) for text in stars)]
    judges = {metric: _columns(frame, text, fits) for metric, text in pairs.items()}
    errors = {name: _columns(frame, text, fits) for name, text in beside.items()}
    paired = _paired(measured, judges)
    told = [f"read: {each}" for each in (*measured, *judges.values(), *errors.values()) if each.of_tasks]
    told += [line for each in measured for line in _unequal(each, paired.get(each.metric))]
    told += [line for each in measured for line in _errors_among(each)]
    return _melt(rows, measured, paired, errors, arguments, has_metrics, tuple(told))


def _sides(text: str) -> tuple[str, str]:
    """'acc_*=bpb_*' as its two sides."""
    metric, _, continuous = (part.strip() for part in text.partition("="))
    if not (metric and continuous):
        raise UserError(f"--pair {text}: allowed is METRIC=CONTINUOUS, e.g. exact_match=token_accuracy or acc_*=bpb_*")
    return metric, continuous


# -------------------------------------------------------------------------------------------------- patterns and names


def _names(value: str, frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Columns and patterns of --value."""
    names = [value] if value in frame else split_names(value, "--value", "columns, or patterns such as acc_*")
    stars = [name for name in names if "*" in name and name not in frame]
    return [name for name in names if name not in stars], stars


def _fits(frame: pd.DataFrame, texts: Sequence[str], taken: Sequence[str]) -> dict[str, dict[str, str]]:
    """Pattern -> task -> column; a column goes to the longest of the patterns that it fits."""
    stars = list(dict.fromkeys(text for text in texts if "*" in text and text not in frame))
    for text in stars:
        if text.count("*") > 1 or not text.strip("*" + _BETWEEN):
            raise UserError(f"{text}: allowed is a pattern with one star and a part that stands still, such as acc_*")
    found: dict[str, dict[str, str]] = {text: {} for text in stars}
    for name in map(str, frame.columns):
        close = sorted((text for text in stars if _star(text, name)), key=len)
        if not close or name in (*taken, *texts):
            continue
        if len(close) > 1 and len(close[-1]) == len(close[-2]):
            raise UserError(f"column {name}: fits {close[-2]} and {close[-1]} alike; name columns in a list")
        found[close[-1]][_star(close[-1], name)] = name
    return found


def _columns(frame: pd.DataFrame, text: str, fits: Mapping[str, Mapping[str, str]]) -> Columns:
    """The columns of a pattern, or one column."""
    if text not in fits:
        column(frame, text)
        return Columns(text, text, {"": text})
    if not fits[text]:
        known = list(map(str, frame.columns))
        near = nearest(text.replace("*", ""), known) or f"; there are {listed(known)}"
        raise DataError(f"{text}: no column is named so{near}")
    return Columns(text, _metric_of(text), fits[text])


def _star(text: str, name: str) -> str:
    """What the star of a pattern stands for in a name, '' where the name does not fit."""
    before, _, after = text.partition("*")
    fits = name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
    return name[len(before) : len(name) - len(after)].strip(_BETWEEN) if fits else ""


def _metric_of(text: str) -> str:
    """The part of a pattern that stands still, as the name of its metric."""
    return "_".join(part for each in text.split("*") if (part := each.strip(_BETWEEN)))


def _listed(frame: pd.DataFrame, names: Sequence[str]) -> Columns:
    """Columns named one by one."""
    for name in names:
        column(frame, name)
    if len(names) == 1:
        return Columns(names[0], names[0], {"": names[0]})
    before = _shared(names)
    after = _shared([name[len(before) :][::-1] for name in names])[::-1]
    tasks = [name[len(before) : len(name) - len(after)] for name in names]
    listed = Columns(",".join(names), _metric_of(f"{before}*{after}") or _UNNAMED, dict(zip(tasks, names, strict=True)))
    for name in names:
        known, taken = meaning(name), meaning(listed.metric)
        if known.known and replace(known, known=taken.known) != taken:
            raise UserError(
                f"--value {listed.text}: a list is of tasks of one metric, and {name} is named like another; name one "
                "metric's columns by --value and those of its continuous metric by --pair"
            )
    return listed


def _shared(names: Sequence[str]) -> str:
    """The whole words, with the sign after them, that all names begin with."""
    common = os.path.commonprefix(list(names))
    return common[: max(common.rfind(sign) for sign in _BETWEEN) + 1]


# ------------------------------------------------------------------------------------------------- pairs, and the rows


def _paired(measured: Sequence[Columns], judges: Mapping[str, Columns]) -> dict[str, Columns]:
    """Metric -> the columns of its continuous metric."""
    paired = {}
    for side, judge in judges.items():
        metric = next((each.metric for each in measured if side in (each.text, each.metric)), None)
        metric = metric or next((each.metric for each in measured if _metric_of(side) == each.metric), None)
        if metric is None:
            known = ", ".join(each.text for each in measured)
            raise UserError(f"--pair {side}={judge.text}: {side} is none of --value {known}")
        paired[metric] = judge
    names = [each.metric for each in {each.text: each for each in (*measured, *paired.values())}.values()]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise UserError(f"--value, --pair: columns of two kinds would be one metric, {repeated[0]}")
    return paired


def _unequal(measured: Columns, judge: Columns | None) -> Iterable[str]:
    """Tasks of which one of a pair's columns is missing, in words."""
    if judge is None:
        return
    for some, others, then in (
        (measured, judge, "no jump of it can be called emergent or an artefact"),
        (judge, measured, "its columns are not read"),
    ):
        if lone := [task for task in some.by_task if task not in others.by_task]:
            yield f"not known: {others.text} of {listed(lone)}, beside {some.text} ({then})"


def _errors_among(measured: Columns) -> Iterable[str]:
    """Columns that are named like standard errors of a metric's, and are not."""
    if named := [name for task, name in measured.by_task.items() if {"stderr", "sem"} & set(words(task))]:
        yield f"columns {listed(named)} are read as tasks; --stderr names standard errors, as in acc_stderr_*"


def _melt(
    rows: Rows,
    measured: Sequence[Columns],
    paired: Mapping[str, Columns],
    errors: Mapping[str, Columns],
    arguments: argparse.Namespace,
    has_metrics: bool,
    told: tuple[str, ...],
) -> Values:
    frame = rows.frame
    judges = list({each.text: each for each in paired.values()}.values())
    spent = {name for each in (*measured, *judges, *errors.values()) for name in each.by_task.values()}
    own = frame[[name for name in frame.columns if name not in spent]]
    label = _task_label(own, arguments, [*measured, *judges])
    parts, tables, excluded = [], [], [rows.excluded] if len(rows.excluded) else []
    for each in (*measured, *judges):
        of_pair = paired.get(each.metric)
        for task, name in each.by_task.items():
            if each in judges and not any(task in other.by_task for other in measured):
                continue
            values = number_column(frame, name)
            usable = np.isfinite(values)
            if not usable.all():
                excluded.append(pd.DataFrame({"row": frame.index[~usable], "why": f"{name} is not a finite number"}))
            part = own[usable].assign(value=values[usable])
            if not has_metrics:
                part["metric"] = each.metric
            if label:
                part[label] = task
            if paired:
                part["paired_metric"] = of_pair.metric if of_pair is not None and task in of_pair.by_task else ""
            for target, columns in errors.items():
                known = each in measured and task in columns.by_task
                part[target] = number_column(frame, columns.by_task[task])[usable] if known else np.nan
            parts.append(part)
            tables.append(own[usable])
    listed = pd.concat(excluded, ignore_index=True).sort_values("row", kind="stable") if excluded else rows.excluded
    melted = replace(rows, frame=pd.concat(parts), excluded=listed)
    return Values(melted, pd.concat(tables), tuple(arguments.pair) if has_metrics else (), told)


def _task_label(own: pd.DataFrame, arguments: argparse.Namespace, columns: Sequence[Columns]) -> str:
    """The column that names the tasks: task, or subtask within the tasks that the table names."""
    if not any(each.of_tasks for each in columns):
        return ""
    for name in ("task", "subtask"):
        if not getattr(arguments, name) and name not in own:
            return name
    raise UserError("--value: columns of tasks beside columns that name both task and subtask; name one column")
