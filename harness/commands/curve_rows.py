"""What `emergence` reads: curves of metrics along a column of sizes, from a table whose columns the user names."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.curves import SMALLER_IS_BETTER
from harness.commands.rows import POSITIVE, add_choice_arguments, label_column, numbers, split_names, without
from harness.errors import DataError, UserError, nearest
from harness.records.expressions import derive, select
from harness.records.table import curve_rows, number_column, read_rows, row_numbers

#: Labels: column of `find_jumps` -> what it is, for --help.
_LABELS = {
    "task": "task of each row",
    "subtask": "subtask of each row",
    "metric": "metric of each row (else all rows are of one, named like --value)",
    "seed": "seed of each row: runs of one seed at several sizes belong together",
}
#: The column of sizes of a results folder.
_SIZES = "params_non_embedding"


def add_curve_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the table, its columns and the choice of its rows."""
    table = "CSV, TSV, JSONL or Parquet, a row a run and metric; or a results folder"
    parser.add_argument("table", metavar="TABLE", help=table)
    parser.add_argument("--x", metavar="COLUMN", help=f"sizes ({_SIZES}, where there is such a column)")
    parser.add_argument("--value", metavar="COLUMN", help="the metric's value (value)")
    for name, what in _LABELS.items():
        parser.add_argument(f"--{name}", metavar="COLUMN", help=f"{what} ({name}, where there is such a column)")
    parser.add_argument("--n-eval", metavar="COLUMN", help="test items behind each value (n_eval)")
    parser.add_argument("--chance", metavar="COLUMN|NUMBER", help="value of a guesser (chance)")
    lower = "metrics of which less is better, beside losses, errors and perplexities"
    parser.add_argument("--lower-is-better", metavar="METRIC,...", help=lower)
    pair = "the continuous metric on the same outputs; may be given often (loss, where that was measured)"
    parser.add_argument("--pair", metavar="METRIC=CONTINUOUS", action="append", default=[], help=pair)
    add_choice_arguments(parser)


@dataclass(frozen=True)
class CurveRows:
    """Rows of curves, and what became of the others.

    Attributes:
        frame: as `find_jumps` takes it, indexed by row numbers.
        x: column of sizes.
        excluded: row (1-based) and why, of rows that were left out.
        n_outside: rows that --where passed over.
        other_runs: runs of a results folder that are not of its curves, in words.
        unknown: what the table does not say, in words.
    """

    frame: pd.DataFrame
    x: str
    excluded: list[dict[str, Any]]
    n_outside: int
    other_runs: tuple[str, ...]
    unknown: tuple[str, ...]


def choose_curves(arguments: argparse.Namespace) -> CurveRows:
    """Read the table and give its columns the names that `find_jumps` knows.

    A row without a finite size or value is left out and listed.

    Raises:
        UserError: an argument that cannot be.
        DataError: as `records.table` and `records.expressions`, a cell that is not allowed, or no row left.
    """
    frame = read_rows(arguments.table)
    for definition in arguments.derive:
        frame = derive(frame, definition)
    x = arguments.x or _default(frame, _SIZES, "--x", "the column of sizes")
    value = arguments.value or _default(frame, "value", "--value", "the column of the metric's values")
    selection = select(frame, arguments.where, arguments.exclude)
    kept, left_out = selection.kept, [selection.excluded]
    for name in (x, value):
        kept, unusable = without(kept, ~np.isfinite(number_column(kept, name)), f"{name} is not a finite number")
        left_out.append(unusable)
    excluded = pd.concat(left_out, ignore_index=True).sort_values("row", kind="stable")
    if kept.empty:
        raise DataError(f"{arguments.table}: no rows left ({len(excluded)} excluded, {selection.n_outside} outside)")
    kept, other_runs = curve_rows(arguments.table, kept, frame)
    named = kept.assign(**{x: numbers(kept, x, POSITIVE), "value": number_column(kept, value)})
    for name in _LABELS:
        if given := getattr(arguments, name):
            named[name] = label_column(kept, given)
    if "metric" not in named:
        named["metric"] = value
    _add_items(named, kept, arguments.n_eval)
    _add_chance(named, kept, arguments.chance)
    _add_directions(named, arguments.lower_is_better)
    _add_pairs(named, arguments.pair)
    named.index = pd.Index(row_numbers(kept))
    unknown = [*_unknown(named), *_passed_over(kept, named, arguments)]
    listed = [{"row": int(row["row"]), "why": str(row["why"])} for row in excluded.to_dict("records")]
    return CurveRows(named, x, listed, selection.n_outside, other_runs, tuple(unknown))


def _default(frame: pd.DataFrame, name: str, flag: str, what: str) -> str:
    if name in frame.columns:
        return name
    raise UserError(f"{flag}: {what} must be named; there are {', '.join(map(str, frame.columns))}")


def _add_items(named: pd.DataFrame, kept: pd.DataFrame, name: str | None) -> None:
    if name is None and "n_eval" not in kept:
        return
    name = name or "n_eval"
    items = number_column(kept, name)
    if (few := np.flatnonzero(items < 1)).size:
        row, found = row_numbers(kept)[few[0]], items[few[0]]
        raise DataError(f"column {name}, row {row}: {found:g}: allowed are numbers of items from 1 on")
    named["n_eval"] = items


def _add_chance(named: pd.DataFrame, kept: pd.DataFrame, chance: str | None) -> None:
    if chance is None:
        return
    if chance in kept:
        named["chance"] = number_column(kept, chance)
        return
    try:
        level = float(chance)
    except ValueError:
        level = np.nan
    if not np.isfinite(level):
        near = nearest(chance, map(str, kept.columns))
        raise UserError(f"--chance {chance}: allowed is a column, and there is none of this name, or a number{near}")
    # A guesser's loss is another number than its share of right answers.
    named["chance"] = np.where(_is_loss(named), np.nan, level)


def _add_directions(named: pd.DataFrame, lower: str | None) -> None:
    if lower is None:
        return
    metrics = split_names(lower, "--lower-is-better", "names of metrics")
    _check_metrics(named, metrics, f"--lower-is-better {lower}")
    higher = named["higher_is_better"] if "higher_is_better" in named else ~_is_loss(named)
    named["higher_is_better"] = np.where(named["metric"].astype(str).isin(metrics), False, higher).astype(bool)


def _add_pairs(named: pd.DataFrame, pairs: list[str]) -> None:
    if not pairs:
        return
    given: dict[str, str] = {}
    for text in pairs:
        metric, _, continuous = (part.strip() for part in text.partition("="))
        if not (metric and continuous):
            raise UserError(f"--pair {text}: allowed is METRIC=CONTINUOUS, e.g. exact_match=token_accuracy")
        _check_metrics(named, [metric, continuous], f"--pair {text}")
        given[metric] = continuous
    metrics = named["metric"].astype(str)
    usual: Any = named["paired_metric"].fillna("") if "paired_metric" in named else _usual_pairs(named, metrics)
    named["paired_metric"] = metrics.map(given).where(metrics.isin(list(given)), usual)
    if "discontinuous" in named:
        names = (list(given), list(given.values()))
        named["discontinuous"] = (named["discontinuous"].astype(bool) | metrics.isin(names[0])) & ~metrics.isin(
            names[1]
        )


def _usual_pairs(named: pd.DataFrame, metrics: pd.Series) -> np.ndarray:
    return np.where(~_is_loss(named) & bool((metrics == "loss").any()), "loss", "")


def _check_metrics(named: pd.DataFrame, metrics: list[str], flag: str) -> None:
    known = list(dict.fromkeys(named["metric"].astype(str)))
    for metric in metrics:
        if metric not in known:
            raise DataError(
                f"{flag}: no metric '{metric}'{nearest(metric, known) or '; there are ' + ', '.join(known)}"
            )


def _is_loss(named: pd.DataFrame) -> pd.Series:
    return named["metric"].astype(str).str.contains(SMALLER_IS_BETTER, case=False)


def _unknown(named: pd.DataFrame) -> list[str]:
    """What the verdicts had to do without."""
    of_shares = ~_is_loss(named)
    told = []
    if "n_eval" not in named or named.loc[of_shares, "n_eval"].isna().all():
        told.append("n_eval (noise of the test items is judged by the scatter of seeds alone)")
    if "chance" not in named or named.loc[of_shares, "chance"].isna().all():
        told.append("chance (heights of rises are judged by what is seen)")
    if not {"run_id", "member", "seed"} & set(named.columns):
        told.append("seeds (each row is a run, and runs at different sizes are strangers)")
    has_pair = "paired_metric" in named and (named["paired_metric"].fillna("") != "").any()
    if not has_pair and "loss" not in set(named["metric"].astype(str)):
        told.append(
            "a continuous metric on the same outputs (no jump can be called emergent or an artefact; see --pair)"
        )
    return told


def _passed_over(kept: pd.DataFrame, named: pd.DataFrame, arguments: argparse.Namespace) -> list[str]:
    """Columns of names that might tell curves apart, where nothing does: all rows then count as runs of one curve."""
    if {"study", "task", "subtask"} & set(named.columns):
        return []
    used = {"metric", "run_id", "member", "seed", arguments.metric, arguments.seed}
    names = [
        str(name)
        for name in kept.columns
        if name not in used
        and kept[name].dtype.kind not in "iufbM"
        and 1 < kept[name].astype(str).nunique() < len(kept)
    ]
    return [f"whether column {name} tells curves apart (if so, name it by --task or --subtask)" for name in names]


def in_own_words(error: DataError, names: Mapping[str, str | None]) -> DataError:
    """The error with columns under the names that the user gave them."""
    message = str(error)
    for known, given in names.items():
        message = message.replace(f"column {known}, row", f"column {given or known}, row")
    return DataError(message)
