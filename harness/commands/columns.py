"""Which columns of a user's table are what: curves of metrics along sizes, for `emergence` and `compare`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from harness.analysis.curves import assumed_meanings
from harness.commands.arguments import LABELS
from harness.commands.tables import Rows, numbers, split_names
from harness.errors import DataError, UserError, nearest
from harness.metric_names import describe, meaning
from harness.records.columns import ITEMS, POSITIVE, column, label_column, number_column, truth_column

#: Flag -> column and what it states of the metrics it names.
_STATED_BY = {
    "lower_is_better": ("higher_is_better", False),
    "higher_is_better": ("higher_is_better", True),
    "discontinuous": ("discontinuous", True),
    "continuous": ("discontinuous", False),
}
#: Arguments by which columns are named and metrics explained.
SETTINGS = ("x", "value", *LABELS, "n_eval", "chance", "pair", *_STATED_BY)


@dataclass(frozen=True)
class CurveTable:
    """Rows of curves under the names that the analysis knows, and what became of the others.

    Attributes:
        rows: of the table, with what was left out.
        frame: as `find_jumps` takes it, indexed by row number.
        assumed: what the table and the flags do not state of its metrics; as `assumed_meanings`.
        unknown: what else the table does not say, in words.
    """

    rows: Rows
    frame: pd.DataFrame
    assumed: dict[str, dict[str, Any]]
    unknown: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What was assumed, not known and left out."""
        told = {"assumed": self.assumed, "unknown": list(self.unknown), "other_runs": list(self.rows.other_runs)}
        return told | self.rows.as_json()

    def report_assumed(self, console: Console, prefix: str = "") -> None:
        """Say what was assumed of metrics by their names, those of one meaning together."""
        alike: dict[str, list[str]] = {}
        for metric, meant in self.assumed.items():
            words = describe(meant.get("higher_is_better"), meant.get("discontinuous"), meant.get("paired_metric", ""))
            alike.setdefault(words, []).append(metric)
        for words, metrics in alike.items():
            told = f"{prefix}assumed by name: {', '.join(metrics)}: {words}"
            console.print(told, markup=False, soft_wrap=True)
        if "stderr" in self.frame:
            told = f"{prefix}used: column stderr, as the noise of evaluation of continuous metrics"
            console.print(told, markup=False, soft_wrap=True)


def choose_curves(rows: Rows, x: Sequence[str], arguments: argparse.Namespace) -> CurveTable:
    """Give the columns of a table the names that the analysis knows, and state what flags say of its metrics.

    A row without a finite size or value is left out and listed.

    Args:
        rows: as `choose_rows` returns them.
        x: columns of sizes.
        arguments: as `commands.arguments` declares them for `emergence` and `compare`.

    Raises:
        UserError: an argument that cannot be.
        DataError: a column that is missing, a cell that is not allowed, or no row left.
    """
    value = arguments.value or default_column(rows.frame, "value", "--value", "the column of the metric's values")
    rows = rows.with_numbers_in([*x, value]).require_some()
    frame = rows.frame.assign(value=number_column(rows.frame, value))
    frame = frame.assign(**{name: numbers(rows.frame, name, POSITIVE) for name in x})
    for name in LABELS:
        if given := getattr(arguments, name):
            frame[name] = label_column(rows.frame, given)
    if "metric" not in frame:
        frame["metric"] = value
    _check_labels(frame)
    _state_meanings(frame, arguments)
    _add_items(frame, rows.frame, arguments.n_eval)
    _add_chance(frame, rows.frame, arguments.chance)
    unknown = [*_unknown(frame), *_unused_labels(frame, rows.frame, arguments)]
    return CurveTable(rows, frame, assumed_meanings(frame), tuple(unknown))


def _check_labels(frame: pd.DataFrame) -> None:
    """Raise DataError for a cell that cannot name a curve: an empty one, or a list."""
    for name in ("study", "task", "subtask", "metric"):
        if name in frame:
            label_column(frame, name)
            several = frame[name].map(lambda cell: isinstance(cell, (list, dict, np.ndarray))).to_numpy()
            if several.any():
                row = int(np.argmax(several))
                found = f"{frame[name].iloc[row]}: a label is wanted"
                raise DataError(found, column=name, row=frame.index[row])


def default_column(frame: pd.DataFrame, name: str, flag: str, what: str) -> str:
    """The column that is meant where a flag names none.

    Raises:
        UserError: there is no such column.
    """
    if name in frame.columns:
        return name
    raise UserError(f"{flag}: {what} must be named; there are {', '.join(map(str, frame.columns))}")


def rename_in(error: DataError, names: Mapping[str, str | None]) -> None:
    """Give the column of an error the name that the user gave it: known name -> the user's."""
    if error.column is not None:
        error.column = names.get(error.column) or error.column


# --------------------------------------------------------------------------------------------------- what flags state


def _state_meanings(frame: pd.DataFrame, arguments: argparse.Namespace) -> None:
    """Write what --pair, --lower-is-better and their like state into the columns that the analysis reads."""
    metrics = frame["metric"].astype(str)
    for text in arguments.pair:
        metric, _, continuous = (part.strip() for part in text.partition("="))
        if not (metric and continuous):
            raise UserError(f"--pair {text}: allowed is METRIC=CONTINUOUS, e.g. exact_match=token_accuracy")
        _check_metrics(metrics, [metric, continuous], f"--pair {text}")
        _write(frame, "paired_metric", metrics == metric, continuous)
        _write(frame, "discontinuous", metrics == metric, True)
        _write(frame, "discontinuous", metrics == continuous, False)
    stated: dict[tuple[str, str], str] = {}
    for name, (target, truth) in _STATED_BY.items():
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


def _add_items(frame: pd.DataFrame, table: pd.DataFrame, name: str | None) -> None:
    if name is None and "n_eval" not in table:
        return
    frame["n_eval"] = number_column(table, name or "n_eval", ITEMS)


def _add_chance(frame: pd.DataFrame, table: pd.DataFrame, chance: str | None) -> None:
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
    frame["chance"] = np.where(_higher_is_better(frame), level, np.nan)


# --------------------------------------------------------------------------------------- what the table does not say


def _higher_is_better(frame: pd.DataFrame) -> pd.Series:
    """(n,) direction of each row's metric, as stated or by its name."""
    by_name = frame["metric"].map(lambda name: meaning(str(name)).higher_is_better)
    if "higher_is_better" not in frame:
        return by_name
    return truth_column(frame, "higher_is_better").fillna(by_name).astype(bool)


def _unknown(frame: pd.DataFrame) -> list[str]:
    """What the analysis has to do without."""
    scores = _higher_is_better(frame)
    unknown = []
    if "n_eval" not in frame or frame.loc[scores, "n_eval"].isna().all():
        unknown.append("n_eval (noise of the test items is judged by the scatter of seeds alone)")
    if "chance" not in frame or frame.loc[scores, "chance"].isna().all():
        unknown.append("chance (heights of rises are judged by what is seen)")
    if "paired_metric" in frame:
        absent = set(frame["paired_metric"].dropna().astype(str)) - set(frame["metric"].astype(str)) - {""}
        unknown += [f"{name}, which paired_metric names and no row measures" for name in sorted(absent)]
    if not {"run_id", "member", "seed"} & set(frame.columns):
        unknown.append("seeds (each row is a run of its own, unrelated to those at other sizes)")
    return unknown


def _unused_labels(frame: pd.DataFrame, table: pd.DataFrame, arguments: argparse.Namespace) -> list[str]:
    """Columns of text that might say which curve a row belongs to, where no column does: all rows then count as runs
    of one curve."""
    if {"study", "task", "subtask"} & set(frame.columns):
        return []
    used = {"metric", "run_id", "member", "seed", arguments.metric, arguments.seed}
    names = [
        str(name)
        for name in table.columns
        if name not in used
        and column(table, name).dtype.kind not in "iufbM"
        and 1 < table[name].astype(str).nunique() < len(table)
    ]
    return [f"whether column {name} tells curves apart (if so, name it by --task or --subtask)" for name in names]
