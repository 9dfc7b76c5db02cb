"""Which columns of a table hold the values of which metric and task, where a column is a task or a metric.

A pattern such as ``acc_*`` names columns of one metric: the fixed part is the metric's name, what the star stands for
the task's. A list of columns is the pattern of what their names share.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import pandas as pd

from harness.commands.tables import split_names
from harness.commands.values import metric_and_judge
from harness.errors import DataError, UserError, nearest
from harness.metric_names import meaning, usual_pair, words
from harness.records.columns import column
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

    def of(self, tasks: Collection[str]) -> Columns:
        """Those of some tasks."""
        return replace(self, by_task={task: name for task, name in self.by_task.items() if task in tasks})

    @property
    def of_tasks(self) -> bool:
        """Whether they are a task each."""
        return list(self.by_task) != [""]

    def __str__(self) -> str:
        return f"{counted(len(self.by_task), 'task')} in columns {self.text}: {listed(list(self.by_task))}"


@dataclass(frozen=True)
class Layout:
    """What the columns of a table hold.

    Attributes:
        measured: the columns of --value.
        paired: metric -> the columns of its continuous metric on the same outputs, of tasks that have both.
        beside: stderr, n_eval -> columns of these for the measured ones.
        told: how columns were read, and which were not, in words.
    """

    measured: tuple[Columns, ...]
    paired: Mapping[str, Columns]
    beside: Mapping[str, Columns]
    told: tuple[str, ...]

    @property
    def judges(self) -> list[Columns]:
        """The columns of continuous metrics, each once."""
        return list({each.text: each for each in self.paired.values()}.values())


def read_layout(
    frame: pd.DataFrame, value: str, pairs: Sequence[str], stderr: str | None, n_eval: str | None
) -> Layout:
    """What the columns of a table hold, by --value, --pair, --stderr and --n-eval.

    One column of items belongs to every column of values, and is not part of the layout; one of standard errors belongs
    to one only.

    Raises:
        UserError: patterns that cannot be, or do not fit each other.
        DataError: no such column.
    """
    sides = dict(metric_and_judge(text, "exact_match=token_accuracy or acc_*=bpb_*") for text in pairs)
    if len(sides) < len(pairs):
        raise UserError(f"--pair {pairs[-1]}: a metric has one continuous metric; two flags name one for it")
    stars = {name: text for name, text in (("stderr", stderr), ("n_eval", n_eval)) if text and "*" in text}
    plain, patterns = _names(value, frame)
    fits = _fits(frame, [*patterns, *sides.values(), *stars.values()], plain)
    found = [*([_listed(frame, plain)] if plain else []), *(_columns(frame, text, fits) for text in patterns)]
    measured = tuple(map(_without_errors, found))
    judges = _judges(measured, _sides(measured, {side: _columns(frame, text, fits) for side, text in sides.items()}))
    paired = {metric: judge.of(_tasks_of(metric, measured)) for metric, judge in judges.items()}
    beside = {name: _columns(frame, text, fits) for name, text in stars.items()}
    told = [f"read: {each}" for each in (*measured, *paired.values(), *beside.values()) if each.of_tasks]
    told += [line for each in found for line in _errors_in_words(each)]
    for each in measured:
        told += _unequal(each, judges[each.metric]) if each.metric in judges else []
    if (error := stderr or "stderr") in frame:
        if not any(each.of_tasks for each in measured) and len(measured) == 1:
            beside["stderr"] = Columns(error, error, {"": error})
        elif stderr:
            raise UserError(f"--stderr {stderr}: one column beside several of values; a pattern names those of each")
        else:
            told.append("not used: column stderr, one beside several of values (--stderr names those of each)")
    return Layout(measured, paired, beside, tuple(told))


def likely_pairs(frame: pd.DataFrame, layout: Layout, sizes: Collection[str]) -> Iterator[tuple[str, str]]:
    """Columns that may hold the continuous metric of others that have none, by their names: both sides of a --pair."""
    numbers = {str(name) for name in frame.columns if frame[name].dtype.kind in "if" and name not in sizes}
    for each in layout.measured:
        if each.metric in layout.paired or not meaning(each.metric).discontinuous:
            continue
        task = next(iter(each.by_task))
        texts = {name.replace(task, "*", 1) if task else name for name in numbers if task in name}
        shortest_first = sorted(texts, key=lambda text: (len(text), text))
        whole = [text for text in shortest_first if {text.replace("*", one) for one in each.by_task} <= numbers]
        metrics = {_metric_of(text): text for text in whole}
        known = [metric for metric in metrics if not meaning(metric).discontinuous]
        if judge := usual_pair(each.metric, known):
            yield each.text, metrics[judge]


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
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    common = "".join(letters[0] for letters in alike)
    return common[: max(common.rfind(sign) for sign in _BETWEEN) + 1]


# --------------------------------------------------------------------------------------------------------------- pairs


def _sides(measured: Sequence[Columns], sides: Mapping[str, Columns]) -> dict[str, Columns]:
    """Both sides of --pair, those of single tasks taken together: acc_a=brier_a beside --value 'acc_*'."""
    whole = dict(sides)
    for each in measured:
        of_task = {name: task for task, name in each.by_task.items() if each.of_tasks}
        single = {of_task[side]: whole.pop(side).text for side in sides if side in of_task}
        if not single:
            continue
        metrics = {_metric_of(name.replace(task, "*", 1)) for task, name in single.items()}
        pairs = " ".join(f"--pair {each.by_task[task]}={name}" for task, name in single.items())
        if len(metrics) > 1 or any("*" in name for name in single.values()) or {each.text, each.metric} & set(whole):
            raise UserError(f"{pairs}: the tasks of {each.text} have one continuous metric, a column a task")
        whole[each.text] = Columns(",".join(single.values()), metrics.pop(), single)
    return whole


def _judges(measured: Sequence[Columns], judges: Mapping[str, Columns]) -> dict[str, Columns]:
    """Metric -> the columns of its continuous metric."""
    found = {}
    for side, judge in judges.items():
        metric = next((each.metric for each in measured if side in (each.text, each.metric)), None)
        metric = metric or next((each.metric for each in measured if _metric_of(side) == each.metric), None)
        if metric is None:
            known = ", ".join(each.text for each in measured)
            raise UserError(f"--pair {side}={judge.text}: {side} is none of --value {known}")
        tasks = _tasks_of(metric, measured)
        if not set(tasks) & set(judge.by_task):
            apart = f"{listed(list(tasks))} beside {listed(list(judge.by_task))}"
            raise UserError(f"--pair {side}={judge.text}: no task has columns of both ({apart})")
        found[metric] = judge
    names = [each.metric for each in (*measured, *{each.text: each for each in found.values()}.values())]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise UserError(f"--value, --pair: columns of two kinds would be one metric, {repeated[0]}")
    return found


def _tasks_of(metric: str, measured: Sequence[Columns]) -> Collection[str]:
    return next(each.by_task for each in measured if each.metric == metric)


def _unequal(measured: Columns, judge: Columns) -> Iterator[str]:
    """Tasks of which one of a pair's columns is missing, in words."""
    for some, others, then in (
        (measured, judge, "no jump of it can be called emergent or an artefact"),
        (judge, measured, "its columns are not read"),
    ):
        if lone := [task for task in some.by_task if task not in others.by_task]:
            yield f"not known: {others.text} of {listed(lone)}, beside {some.text} ({then})"


def _errors_among(found: Columns) -> dict[str, str]:
    """Tasks named like the standard error of another, arc_stderr or stderr_arc beside arc -> their columns."""
    tasks = {words(task) for task in found.by_task}
    of = {task: tuple(word for word in words(task) if word not in ("stderr", "sem")) for task in found.by_task}
    return {task: name for task, name in found.by_task.items() if of[task] != words(task) and of[task] in tasks}


def _without_errors(found: Columns) -> Columns:
    errors = _errors_among(found)
    return replace(found, by_task={task: name for task, name in found.by_task.items() if task not in errors})


def _errors_in_words(found: Columns) -> Iterator[str]:
    if errors := list(_errors_among(found).values()):
        how = "--stderr takes them, as in acc_stderr_* or acc_*_stderr"
        yield f"not read: {listed(errors)}, standard errors by their names ({how})"
