"""Which columns of a user's table are what: curves of metrics along sizes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from harness.analysis.curves import assumed_meanings, with_defaults
from harness.analysis.size_bins import take_together
from harness.commands import unsaid
from harness.commands.arguments import LABELS
from harness.commands.meanings import STATED_BY, add_chance, add_known, add_noise, state_meanings
from harness.commands.sizes import checkpoints, measured_sizes
from harness.commands.tables import Rows, numbers
from harness.commands.wide import read_values
from harness.errors import DataError, UserError
from harness.metric_names import describe
from harness.records.columns import POSITIVE, label_column
from harness.wording import counted, listed

#: Arguments by which columns are named and metrics explained.
SETTINGS = ("x", "value", *LABELS, "by", "n_eval", "stderr", "chance", "pair", *STATED_BY, "bins_per_octave")


@dataclass(frozen=True)
class CurveTable:
    """Rows of curves under the names that the analysis knows, and what became of the others.

    Attributes:
        rows: of the table, with what was left out.
        frame: as `find_jumps` takes it, indexed by row number.
        assumed: what the table and the flags do not state of its metrics; as `assumed_meanings`.
        used: what was read and used beside the values, in words.
        unknown: what the table does not say, in words.
        cautions: what its x does to p, in words.
        offered: pairs that its metrics may make, in words.
    """

    rows: Rows
    frame: pd.DataFrame
    assumed: dict[str, dict[str, bool]]
    used: tuple[str, ...]
    unknown: tuple[str, ...]
    cautions: tuple[str, ...]
    offered: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What was assumed, not known and left out."""
        told = {name: list(getattr(self, name)) for name in ("used", "unknown", "cautions", "offered")}
        return {"assumed": self.assumed, **told, "other_runs": list(self.rows.other_runs)} | self.rows.as_json()

    def report(self, console: Console, prefix: str = "") -> None:
        """Say what was used, assumed, not known and offered, a line each."""
        for line in self._lines():
            console.print(f"{prefix}{line}", markup=False, soft_wrap=True)

    def _lines(self) -> Iterator[str]:
        yield from self.used
        alike: dict[str, list[str]] = {}
        for metric, meant in self.assumed.items():
            alike.setdefault(describe(meant.get("higher_is_better"), meant.get("discontinuous")), []).append(metric)
        for words, metrics in alike.items():
            yield f"assumed by name: {', '.join(metrics)}: {words}"
        yield from (f"not known: {what}" for what in self.unknown)
        yield from (f"note: {what}" for what in self.cautions)
        yield from (f"offered: {what}" for what in self.offered)

    @property
    def counted(self) -> str:
        """How many values or rows there are."""
        n_rows = self.frame.index.nunique()
        if n_rows == len(self.frame):
            return counted(n_rows, "row")
        return f"{counted(len(self.frame), 'value')} in {counted(n_rows, 'row')}"


def choose_curves(
    rows: Rows,
    x: Sequence[str],
    arguments: argparse.Namespace,
    lacks: Callable[[pd.DataFrame, Sequence[str]], Iterator[str]] = unsaid.lacks_for_jumps,
) -> CurveTable:
    """Give the columns of a table the names that the analysis knows, and state what flags say of its metrics.

    A row without a finite size or value is left out and listed.

    Args:
        rows: as `choose_rows` returns them.
        x: columns of sizes, or metrics to be sizes.
        arguments: as `commands.arguments` declares them for `emergence`, `compare` and `screen`.
        lacks: what a frame does not say, in words, from it and the names of columns that may tell its rows apart.

    Raises:
        UserError: an argument that cannot be.
        DataError: a column that is missing, a cell that is not allowed, or no row left.
    """
    in_table = [name for name in x if name in rows.frame]
    of_tasks = "; of a table with a column a benchmark a pattern: --value 'acc_*'"
    value = arguments.value or default_column(
        rows.frame, "value", "--value", "the column of the metric's values", of_tasks
    )
    values = read_values(rows.with_numbers_in(in_table), in_table, value, arguments)
    rows, table = values.rows.require_some(), values.table
    frame = rows.frame.assign(**{name: numbers(table, name, POSITIVE) for name in in_table})
    for name in LABELS:
        if given := getattr(arguments, name):
            frame[name] = label_column(table, given)
    if arguments.by:
        frame["study"] = _studies(frame, table, arguments.by)
    _check_labels(frame)
    state_meanings(frame, arguments, values.pairs)
    add_noise(frame, table, arguments)
    add_chance(frame, table, arguments.chance)
    used = [*values.told, *add_known(frame)]
    for name in x:
        if name not in frame:
            frame[name] = measured_sizes(frame, name)
    cautions = [line for name in x for line in checkpoints(frame, name)]
    if arguments.bins_per_octave:
        for name in x:
            n_sizes, frame = frame[name].nunique(), take_together(frame, name, arguments.bins_per_octave)
            if (n_left := frame[name].nunique()) < n_sizes:
                used.append(f"used: {n_sizes} sizes of {name} taken together to {n_left}")
    used += _noise_used(frame)
    named = [getattr(arguments, name, None) for name in (*SETTINGS, "step")]
    meant = {name for name in named if isinstance(name, str)}
    apart = unsaid.confounders(frame, table, x, {*meant, "run_id", "member", "seed", "value", "n_eval", "stderr"})
    return CurveTable(
        rows=rows,
        frame=frame,
        assumed=assumed_meanings(frame),
        used=tuple(used),
        unknown=tuple(lacks(frame, apart)),
        cautions=tuple(dict.fromkeys(cautions)),
        offered=tuple(unsaid.offers(frame, values.likely_pairs)),
    )


def _studies(frame: pd.DataFrame, table: pd.DataFrame, by: str) -> np.ndarray:
    """(n,) the study of each row: its label in the column of --by, within the study that it is of already."""
    labels = label_column(table, by)
    if table[by].dtype.kind in "iuf":
        labels = np.array([f"{by} {float(label):.12g}" for label in labels])
    if "study" not in frame or frame["study"].nunique() == 1 or by == "study":
        return labels
    return np.array([f"{study}, {label}" for study, label in zip(frame["study"], labels, strict=True)])


def _noise_used(frame: pd.DataFrame) -> list[str]:
    """What standard errors are used for, in words."""
    if "stderr" not in frame or frame["stderr"].isna().all():
        return []
    stated = frame["n_eval"] if "n_eval" in frame else pd.Series(np.nan, frame.index)
    filled = with_defaults(frame)
    follow = (stated.isna() & filled["n_eval"].notna()).to_numpy()
    told = []
    if follow.any():
        items = filled.loc[follow].groupby("metric", sort=False)["n_eval"]
        each = [f"{metric} {_span(part)}" for metric, part in items]
        told.append(f"used: standard errors, from which the test items follow: {listed(each)}")
    noisy = filled["stderr"].notna() & (filled["n_eval"].isna() | ~filled["discontinuous"])
    if noisy.any():
        metrics = filled.loc[noisy, "metric"].astype(str).unique().tolist()
        told.append(f"used: standard errors, as the noise of evaluation of {listed(metrics)}")
    return told


def _span(items: pd.Series) -> str:
    low, high = round(items.min()), round(items.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


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


def default_column(frame: pd.DataFrame, name: str, flag: str, what: str, hint: str = "") -> str:
    """The column that is meant where a flag names none.

    Raises:
        UserError: there is no such column.
    """
    if name in frame.columns:
        return name
    raise UserError(f"{flag}: {what} must be named; there are {', '.join(map(str, frame.columns))}{hint}")


def rename_in(error: DataError, arguments: argparse.Namespace) -> None:
    """Give the column of an error the name that the user gave it."""
    if error.column in ("value", "n_eval", "stderr"):
        given = getattr(arguments, error.column)
        error.column = given if given and "*" not in given and "," not in given else error.column
