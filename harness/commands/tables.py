"""A user's table, the same for every verb: its rows chosen, those left out counted and listed, its numbers checked."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from rich.console import Console

from harness.analysis.fitting.inputs import find_law
from harness.analysis.fitting.laws import Law
from harness.commands.cautions import cautions, label_columns
from harness.commands.metrics_as_columns import refuse_several_studies, with_metrics
from harness.errors import DataError, UserError, warn_of_runs
from harness.records.columns import NOT_NEGATIVE, POSITIVE, SHARE, Limits, label_column, number_column, truth_column
from harness.records.comparable import differing_data
from harness.records.expressions import derive, select
from harness.records.folders import is_results
from harness.records.run_settings import mixed_in_words
from harness.records.second_table import join
from harness.records.table import curve_rows, read_rows
from harness.wording import counted

#: Excluded rows that a terminal lists; the JSON has all.
_SHOWN = 10


@dataclass(frozen=True)
class Rows:
    """The rows of a table that an analysis uses, and what became of the others.

    Attributes:
        source: the table, as the user named it.
        frame: the rows used, every column, indexed by row number in the file (from 1).
        excluded: a row each that was left out: `row` (its number) and `why`.
        n_outside: rows that --where passed over.
        other_runs: runs of a results folder that are not of its curves, in words.
        joined: what --about added, in words; '' without it.
    """

    source: str
    frame: pd.DataFrame
    excluded: pd.DataFrame
    n_outside: int
    other_runs: tuple[str, ...] = ()
    joined: str = ""

    def leave_out(self, rows: np.ndarray, why: str | Sequence[str]) -> Rows:
        """The same without these rows (n,), which are listed with the reason, one for all or one each."""
        gone = pd.DataFrame({"row": self.frame.index[rows], "why": why})
        return replace(self.with_excluded(gone), frame=self.frame[~rows])

    def with_excluded(self, gone: pd.DataFrame) -> Rows:
        """The same with rows more that are listed as left out: `row` and `why`."""
        listed = [each for each in (self.excluded, gone) if len(each)] or [self.excluded]
        return replace(self, excluded=pd.concat(listed, ignore_index=True).sort_values("row", kind="stable"))

    def with_columns(self, **columns: Any) -> Rows:
        """The same with these columns, in place of any of their names."""
        return replace(self, frame=self.frame.assign(**columns))

    def in_order_of(self, column: str | None) -> Rows:
        """The same with rows in the order of a column of numbers, as --by shows them; unchanged where it is none."""
        if column is None or column not in self.frame or self.frame[column].dtype.kind not in "iuf":
            return self
        return replace(self, frame=self.frame.sort_values(column, kind="stable"))

    def with_numbers_in(self, columns: Sequence[str]) -> Rows:
        """The same without rows that have no finite number in one of these columns: runs that diverged, say.

        Raises:
            DataError: no such column, or a cell that is not a number.
        """
        rows = self
        for name in columns:
            rows = rows.leave_out(~np.isfinite(number_column(rows.frame, name)), f"{name} is not a finite number")
        return rows

    def without_repeats(self) -> Rows:
        """The same without rows that repeat an earlier one in every column."""
        # As text, for lists and the like cannot be hashed.
        text = {name: str for name in self.frame.columns if self.frame[name].dtype.kind == "O"}
        repeated = self.frame.astype(text).duplicated().to_numpy()
        return self.leave_out(repeated, "the same as an earlier row in every column")

    def require_some(self) -> Rows:
        """The same, of which at least one row must be left.

        Raises:
            DataError: none is.
        """
        if self.frame.empty:
            counts = f"{len(self.excluded)} excluded, {self.n_outside} outside --where"
            raise DataError(f"no rows left ({counts})", source=self.source)
        return self

    def as_json(self) -> dict[str, Any]:
        """What was left out."""
        excluded = [{"row": int(row["row"]), "why": str(row["why"])} for row in self.excluded.to_dict("records")]
        joined = {"joined": self.joined} if self.joined else {}
        return {"excluded": excluded, "n_outside": self.n_outside} | joined

    def report(self, used: str, console: Console) -> None:
        """Say what was used, how many rows were not, and why the first of them."""
        outside = f", {self.n_outside} outside --where" if self.n_outside else ""
        console.print(f"{used}, {len(self.excluded)} excluded{outside}", markup=False, soft_wrap=True)
        for row in self.excluded.head(_SHOWN).to_dict("records"):
            console.print(f"  excluded row {row['row']}: {row['why']}", markup=False, soft_wrap=True)
        if len(self.excluded) > _SHOWN:
            console.print(f"  and {len(self.excluded) - _SHOWN} more (--json lists all)", markup=False)
        for line in (*filter(None, [self.joined]), *self.other_runs):
            console.print(line, markup=False, soft_wrap=True)


def choose_rows(frame: pd.DataFrame, source: str, arguments: argparse.Namespace) -> Rows:
    """Join the table of --about, make the columns of --derive, and choose the rows by --where and --exclude.

    Args:
        frame: the table, as `records.table.read_rows` reads it.
        source: what the user called it.
        arguments: with about, derive, where and exclude.

    Raises:
        DataError: as `records.second_table.join`, and `records.expressions.derive` and `select`.
    """
    rows = Rows(source, frame, pd.DataFrame({"row": [], "why": []}), 0)
    if arguments.about:
        rows = _about(rows, arguments.about)
    frame = rows.frame
    for definition in arguments.derive:
        frame = derive(frame, definition)
    selection = select(frame, arguments.where, arguments.exclude)
    rows = rows.with_excluded(selection.excluded)
    return replace(rows, frame=selection.kept, n_outside=selection.n_outside)


def _about(rows: Rows, path: str) -> Rows:
    """The rows with the columns of a second table; those that it says nothing about are left out and listed."""
    found = join(rows.frame, read_rows(path), path)
    unused = f"; {counted(found.unused, 'row')} of it not asked for" if found.unused else ""
    joined = f"joined {path} by {', '.join(found.key)}{unused}"
    return replace(rows.leave_out(found.alone, found.why), frame=found.frame, joined=joined)


def choose_curve_rows(arguments: argparse.Namespace, source: str, steps: Literal["last", "all"] = "last") -> Rows:
    """Read a table and choose its rows; of the runs of a results folder, those that make its curves, at these steps.

    Raises:
        DataError: as `read_rows`, `choose_rows` and `records.table.curve_rows`.
    """
    split = getattr(arguments, "split", None)
    frame = read_rows(source, steps=steps, split=split)
    rows = choose_rows(frame, source, arguments)
    if rows.frame.empty:
        return rows
    if split is not None and is_results(source):
        frame = read_rows(source)
    by = getattr(arguments, "by", None)
    kept, other_runs = curve_rows(source, rows.frame, frame, getattr(arguments, "x", None), by)
    return replace(rows, frame=kept, other_runs=other_runs).in_order_of(by)


def numbers(frame: pd.DataFrame, name: str, limits: Limits) -> np.ndarray:
    """(n,) a column of numbers within limits, none of them missing.

    Raises:
        DataError: as `number_column`; of a number outside the limits it says how to leave rows like it out.
    """
    values = number_column(frame, name)
    try:
        return number_column(frame, name, limits, empty=False)
    except DataError as error:
        value = values[~limits.hold(values)][0]
        written = name if name.isidentifier() else f"`{name}`"
        if np.isnan(value):
            condition = f"isnan({written})"
        elif value < limits.low:
            condition = f"{written} {'<' if limits.low == 0 else '<='} 0"
        else:
            condition = f"{written} > {limits.high:g}"
        error.problem += f'; --exclude "{condition}" leaves out rows like it'
        raise


def split_names(text: str, flag: str = "--x", kind: str = "column names") -> list[str]:
    """'N,D' as names."""
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise UserError(f"{flag} {text}: allowed are {kind}, each once, with commas between them")
    return names


# -------------------------------------------------------------------------------------------------- a row a run: laws


@dataclass(frozen=True)
class RunTable:
    """The runs that a law is fitted to.

    Attributes:
        rows: of the table, with what was left out.
        x: (n, d) the columns of --x, under their names.
        y: (n,) the column of --y.
        cautions: what its places and values make one suspect, in words.
    """

    rows: Rows
    x: pd.DataFrame
    y: np.ndarray
    cautions: tuple[str, ...] = ()

    def labels(self, column: str | None) -> np.ndarray | None:
        """(n,) a column as labels, None for none; as `label_column`."""
        return None if column is None else label_column(self.rows.frame, column)

    def suspects(self, *taken: str | None) -> dict[str, np.ndarray]:
        """Columns that label runs, by which these may err together; without those of x and those taken."""
        return label_columns(self.rows.frame, (*self.x.columns, *filter(None, taken)))

    def parted_by(self, column: str) -> RunTable:
        """The same, of which this column is known to tell conditions apart: it need not be said."""
        told = f"; column {column} tells them apart"
        return replace(self, cautions=tuple(caution for caution in self.cautions if told not in caution))

    def as_json(self) -> dict[str, Any]:
        """What is suspected of the table, and what was left out of it."""
        return {"cautions": list(self.cautions)} | self.rows.as_json()

    def report(self, console: Console, n_runs: int | None = None) -> None:
        """Say how many rows were used, as how many runs, and which were not."""
        for caution in self.cautions:
            console.print(f"note: {caution}", markup=False, soft_wrap=True)
        rows = "" if n_runs in (None, len(self.y)) else f" in {counted(len(self.y), 'row')}"
        self.rows.report(counted(n_runs or len(self.y), "run") + rows, console)


def choose_runs(arguments: argparse.Namespace) -> RunTable:
    """Read the table and choose its rows, for the law of --law.

    A run without a finite loss or size (diverged, not measured) and a row that repeats another are left out and listed;
    a loss or size of zero or less is a mistake, as is a share outside 0 to 1 for a law of bounded metrics.

    Raises:
        UserError: a law of another number of columns.
        DataError: as `records.table` and `records.expressions`, a value that is not allowed, or no row left.
    """
    names, law = split_names(arguments.x), None if arguments.law == "best" else find_law(arguments.law, "--law")
    if law is not None and len(names) != len(law.variables):
        wanted = f"{law.name} is a law of {len(law.variables)}: {','.join(law.variables)}"
        raise UserError(f"--x {arguments.x}: {counted(len(names), 'column')}; {wanted}")
    frame = read_rows(arguments.table, split=arguments.split)
    frame = with_metrics(frame, arguments.table, [arguments.y], arguments.derive)
    rows = choose_rows(frame, arguments.table, arguments)
    apart = getattr(arguments, "by", None) or getattr(arguments, "recipe", None)
    refuse_several_studies(rows.frame, arguments.table, apart)
    warn_of_mixed(arguments.table, rows.frame)
    variables = names if law is None else law.variables
    zero = {name for name, variable in zip(names, variables, strict=True) if law and variable in law.may_be_zero}
    for name in {name for name, each in zip(names, variables, strict=True) if law and each not in law.measured}:
        rows = rows.with_columns(**{name: truth_column(rows.frame, name).astype("Float64")})  # a label
    rows = rows.with_numbers_in([*names, arguments.y]).without_repeats().in_order_of(apart)
    frame = rows.require_some().frame
    of_each = {name: NOT_NEGATIVE if name in zero else POSITIVE for name in names}
    x = pd.DataFrame({name: numbers(frame, name, limits) for name, limits in of_each.items()}, index=frame.index)
    y = numbers(frame, arguments.y, POSITIVE if law is None else limits_of(law))
    return RunTable(rows, x, y, cautions(x, pd.Series(y, name=arguments.y), frame, law.variables if law else None))


def warn_of_mixed(source: str, frame: pd.DataFrame) -> None:
    """Warn where the runs of a results folder that a law is to be fitted to differ in settings or data."""
    if not is_results(source):
        return
    if mixed := mixed_in_words(frame):
        warn_of_runs(f"{source}: {mixed}; --where chooses those of one")
    for line in differing_data(frame.drop_duplicates("run_id")):
        warn_of_runs(f"{source}: {line}")


def limits_of(law: Law) -> Limits:
    """What y may be for this law."""
    if law.scale == "log":
        return POSITIVE
    return SHARE if "floor" in law.parameters else NOT_NEGATIVE
