"""What flags, and the list of public benchmarks, state of the metrics of a user's table.

Their direction, kind and pair, the noise of their values, and what a guesser scores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from harness import benchmarks
from harness.commands.tables import split_names
from harness.commands.values import metric_and_judge
from harness.errors import DataError, UserError, nearest
from harness.metric_names import describe, meaning
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
        metric, continuous = metric_and_judge(text)
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
    """Items and standard errors of the values, from the columns that --n-eval and --stderr name, or a number of items.

    Raises:
        UserError: a number of items below 1.
        DataError: no such column, or a cell that is not allowed.
    """
    for name, limits in (("n_eval", ITEMS), ("stderr", NOT_NEGATIVE)):
        given = getattr(arguments, name)
        if name == "n_eval" and given is not None and given not in table and (items := _items(given)) is not None:
            frame[name] = items
        elif given is not None and given in table:
            frame[name] = number_column(table, given, limits)
        elif given is not None and name not in frame:  # else columns of tasks have been read
            column(table, given)
        elif name in frame:
            frame[name] = number_column(frame, name, limits)


def _items(given: str) -> float | None:
    """The number that --n-eval states; None where it is none."""
    try:
        items = float(given)
    except ValueError:
        return None
    if not ITEMS.low <= items <= ITEMS.high:
        raise UserError(f"--n-eval {given}: allowed is a column, or a number of items from 1 to {ITEMS.high:g}")
    return items


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
    """Chance levels and meanings of metrics of public benchmarks where nothing states them; what was taken, in words.

    Args:
        frame: rows of curves; changed.
    """
    meanings: dict[str, dict[str, bool]] = {}
    for target in ("higher_is_better", "discontinuous"):
        for name, truth in _looked_up(frame, target, partial(_meant, target)).items():
            meanings.setdefault(name, {})[target] = bool(truth)
    levels = _looked_up(frame, "chance", benchmarks.known_chance)
    told = [f"{_SOURCE}: {describe(**meant)}: {name}" for name, meant in meanings.items()]
    for level in dict.fromkeys(levels.values()):
        names = [name for name, each in levels.items() if each == level]
        told.append(f"{_SOURCE}: chance {level:.3g} of {listed(names)} (--chance states another)")
    return tuple(told)


def _meant(column: str, task: str, metric: str) -> bool | None:
    """What the list says of a metric in a column of meanings."""
    known = benchmarks.known_meaning(task, metric)
    return None if known is None else bool(getattr(known, column))


def higher_is_better(frame: pd.DataFrame) -> pd.Series:
    """(n,) direction of each row's metric, as stated or by its name."""
    by_name = frame["metric"].map(lambda name: meaning(str(name)).higher_is_better)
    if "higher_is_better" not in frame:
        return by_name
    return truth_column(frame, "higher_is_better").fillna(by_name).astype(bool)


def _looked_up(
    frame: pd.DataFrame, target: str, known: Callable[[str, str], float | bool | None]
) -> dict[str, float | bool]:
    """Fill the open cells of a column with what is known of each task and metric; 'task metric' -> what was filled."""
    names = [name for name in ("task", "subtask", "study") if name in frame]
    labels = frame[[*names, "metric"]].astype(str)
    is_open = frame[target].isna() if target in frame else pd.Series(True, frame.index)
    found: dict[str, float | bool] = {}
    for cells in labels[is_open.to_numpy()].drop_duplicates().to_numpy().tolist():
        *tasks, metric = cells
        facts = {task: fact for task in tasks if (fact := known(task, metric)) is not None}
        if facts:
            task, fact = next(iter(facts.items()))
            _write(frame, target, labels.eq(cells).all(axis=1) & is_open, fact)
            found[f"{task} {metric}"] = fact
    if target == "chance" and found:
        frame[target] = frame[target].astype(float)
    return found


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
