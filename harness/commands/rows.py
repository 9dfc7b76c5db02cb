"""What `fit`, `forecast` and `allocate` share: which rows of which table, which columns, and what was left out."""

from __future__ import annotations

import argparse
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from harness.analysis.fitting.laws import LAWS, Law
from harness.commands.values import between_0_and_1
from harness.errors import DataError, RunsWarning, UserError, nearest
from harness.records.expressions import derive, select
from harness.records.run_settings import mixed_in_words
from harness.records.table import any_column, is_results, number_column, read_rows, row_numbers
from harness.records.writer import write_whole

#: Excluded rows that a terminal lists; the JSON has all.
_SHOWN = 10

#: What a column may hold, ends included -> the same in words.
_LARGEST = float(np.finfo(float).max)
POSITIVE = (float(np.nextafter(0, 1)), _LARGEST)
NOT_NEGATIVE = (0.0, _LARGEST)
SHARE = (0.0, 1.0)
_IN_WORDS = {POSITIVE: "a finite number above 0", NOT_NEGATIVE: "a finite number of 0 or more", SHARE: "0 to 1"}


def add_row_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the table and the choice of its rows and columns."""
    parser.add_argument("table", metavar="TABLE", help="CSV, TSV, JSONL or Parquet, a row a run; or a results folder")
    parser.add_argument("--x", required=True, metavar="COLUMNS", help="sizes, in the order of the law's variables: N,D")
    parser.add_argument("--y", required=True, metavar="COLUMN", help="loss")
    add_choice_arguments(parser)


def add_choice_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which rows of the table count, and columns made from others."""
    parser.add_argument("--where", metavar="EXPRESSION", help="the rows this is about: \"corpus == 'dclm'\"")
    parser.add_argument(
        "--exclude", metavar="EXPRESSION", action="append", default=[], help='rows to leave out and list: "loss > 4"'
    )
    parser.add_argument(
        "--derive", metavar="NAME = EXPRESSION", action="append", default=[], help='a new column: "D = C / (6*N)"'
    )


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where results go."""
    parser.add_argument("--level", type=between_0_and_1, default=0.95, help="of the intervals (0.95)")
    parser.add_argument("--json", metavar="OUT", help="write everything there as JSON")


@dataclass(frozen=True)
class Rows:
    """The runs that are fitted to, and what became of the others.

    Attributes:
        frame: rows used, every column.
        x: (n, d) the columns of --x, under their names.
        y: (n,) the column of --y.
        excluded: row (1-based) and why, of rows that were left out.
        n_outside: rows that --where passed over.
    """

    frame: pd.DataFrame
    x: pd.DataFrame
    y: np.ndarray
    excluded: pd.DataFrame
    n_outside: int

    @property
    def listed(self) -> list[dict[str, Any]]:
        """The excluded rows, ready for JSON."""
        return [{"row": int(row["row"]), "why": str(row["why"])} for row in self.excluded.to_dict("records")]

    def report(self, console: Console, n_runs: int | None = None) -> None:
        """Say how many rows were used, as how many runs, and which were not."""
        rows = "" if n_runs in (None, len(self.y)) else f" in {len(self.y)} rows"
        report_rows(f"{n_runs or len(self.y)} runs{rows}", self.listed, self.n_outside, console)


def report_rows(used: str, excluded: Sequence[Mapping[str, Any]], n_outside: int, console: Console) -> None:
    """Say what was used, and which rows (row and why) were not."""
    outside = f", {n_outside} outside --where" if n_outside else ""
    console.print(f"{used}, {len(excluded)} excluded{outside}", markup=False)
    for row in excluded[:_SHOWN]:
        console.print(f"  excluded row {row['row']}: {row['why']}", markup=False, soft_wrap=True)
    if len(excluded) > _SHOWN:
        console.print(f"  and {len(excluded) - _SHOWN} more (--json lists all)", markup=False)


def choose(arguments: argparse.Namespace) -> Rows:
    """Read the table and choose its rows, for the law of --law.

    A run without a finite loss or size (diverged, not measured) and a row that repeats another are left out and listed;
    a loss or size of zero or less is a mistake, as is a share outside 0 to 1 for a law of bounded metrics.

    Raises:
        UserError: a law of another number of columns.
        DataError: as `records.table` and `records.expressions`, a value that is not allowed, or no row left.
    """
    names, law = split_names(arguments.x), LAWS.get(arguments.law)
    if law is not None and len(names) != len(law.variables):
        wanted = f"{law.name} is a law of {len(law.variables)}: {','.join(law.variables)}"
        raise UserError(f"--x {arguments.x}: {len(names)} {'column' if len(names) == 1 else 'columns'}; {wanted}")
    frame = read_rows(arguments.table)
    for definition in arguments.derive:
        frame = derive(frame, definition)
    selection = select(frame, arguments.where, arguments.exclude)
    kept, left_out = selection.kept, [selection.excluded]
    if is_results(arguments.table) and (mixed := mixed_in_words(kept)):
        warnings.warn(f"{arguments.table}: {mixed}; --where chooses those of one", RunsWarning, stacklevel=2)
    for name in (*names, arguments.y):
        kept, unusable = without(kept, ~np.isfinite(number_column(kept, name)), f"{name} is not a finite number")
        left_out.append(unusable)
    kept, repeated = without(kept, _repeats(kept), "the same as an earlier row in every column")
    left_out.append(repeated)
    excluded = pd.concat(left_out, ignore_index=True).sort_values("row", kind="stable", ignore_index=True)
    if kept.empty:
        raise DataError(f"{arguments.table}: no rows left ({len(excluded)} excluded, {selection.n_outside} outside)")
    x = pd.DataFrame({name: numbers(kept, name, POSITIVE) for name in names}, index=kept.index)
    y = numbers(kept, arguments.y, POSITIVE if law is None else limits_of(law))
    return Rows(kept, x, y, excluded, selection.n_outside)


def limits_of(law: Law) -> tuple[float, float]:
    """What y may be for this law."""
    if law.scale == "log":
        return POSITIVE
    return SHARE if "floor" in law.parameters else NOT_NEGATIVE


def numbers(frame: pd.DataFrame, name: str, limits: tuple[float, float]) -> np.ndarray:
    """(n,) a column of numbers within limits, which are a key of `_IN_WORDS`.

    Raises:
        DataError: as `number_column`, or a cell that is empty or outside; the first is named, with how to leave it out.
    """
    values, (low, high) = number_column(frame, name), limits
    wrong = np.flatnonzero(~((values >= low) & (values <= high)))
    if not wrong.size:
        return values
    value, row = values[wrong[0]], row_numbers(frame)[wrong[0]]
    written = name if name.isidentifier() else f"`{name}`"
    if np.isnan(value):
        found, way_out = "empty", f"isnan({written})"
    else:
        below = "<" if low == 0 else "<="
        found, way_out = f"{value:g}", f"{written} {below} 0" if value < low else f"{written} > {high:g}"
    raise DataError(
        f"column {name}, row {row}: {found}: allowed is {_IN_WORDS[limits]} "
        f'({len(wrong)} such rows; --exclude "{way_out}" leaves out those like it)'
    )


def labels(rows: Rows, column: str | None) -> np.ndarray | None:
    """The column as labels (n,), None for none.

    Raises:
        DataError: no such column, or an empty cell, which would be taken for a label of its own.
    """
    return None if column is None else label_column(rows.frame, column)


def label_column(frame: pd.DataFrame, column: str) -> np.ndarray:
    """(n,) a column as labels; as `labels`."""
    found = any_column(frame, column)
    if (empty := np.flatnonzero(pd.isna(found))).size:
        row = row_numbers(frame)[empty[0]]
        raise DataError(f"column {column}, row {row}: empty: a label is wanted ({len(empty)} such rows)")
    return found.astype(str)


def split_names(text: str, flag: str = "--x", kind: str = "column names") -> list[str]:
    """'N,D' as names."""
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise UserError(f"{flag} {text}: allowed are {kind}, each once, with commas between them")
    return names


def places(rows: Rows, arguments: argparse.Namespace) -> pd.DataFrame:
    """The places of --at (m, d), under the names of --x; columns that --derive knows how to make may be left out.

    Raises:
        UserError: one that is malformed, lacks a column, has one too many, or is not of finite numbers above 0.
    """
    return pd.concat([_place(text, rows, arguments) for text in arguments.at], ignore_index=True)


def _place(text: str, rows: Rows, arguments: argparse.Namespace) -> pd.DataFrame:
    wanted = list(rows.x.columns)
    row = pd.DataFrame([_given(text)])
    known = list(rows.frame.columns) if arguments.derive else wanted
    if stray := [name for name in row.columns if name not in known]:
        raise UserError(f"--at {text}: {stray[0]} is none of {', '.join(wanted)}{nearest(stray[0], known)}")
    lacking: dict[str, str] = {}
    for definition in arguments.derive:
        name = definition.partition("=")[0].strip().strip("`")
        if name not in row.columns:
            try:
                row = derive(row, definition)
            except DataError as error:  # counts only where the column is wanted
                lacking[name] = str(error)
    for name in wanted:
        if name not in row.columns:
            why = f"; wanted are {', '.join(wanted)}"
            if name in lacking:
                why = f" and cannot be derived: {'; '.join(lacking.values())}"
            raise UserError(f"--at {text}: {name} is not given{why}")
        if not 0 < (value := number_column(row, name)[0]) < math.inf:
            raise UserError(f"--at {text}: {name}={value:g}: allowed are finite numbers above 0")
    return row[wanted]


def _given(text: str) -> dict[str, float]:
    """'N=7e9,D=1.4e11' as numbers by name."""
    parts = [part.partition("=") for part in text.split(",")]
    try:
        given = {name.strip(): float(value) for name, _, value in parts}
    except ValueError:
        given = {}
    if len(given) < len(parts) or "" in given:
        raise UserError(f"--at {text}: allowed is NAME=NUMBER,NAME=NUMBER, e.g. N=7e9,D=1.4e11, each name once")
    return given


def write_json(path: str | None, content: Mapping[str, Any]) -> None:
    """Write, where a path is given; numbers that are not finite become null, for JSON has none."""
    if path:
        text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
        write_whole(Path(path), f"{text}\n".encode())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def without(frame: pd.DataFrame, left: np.ndarray, why: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frame without the rows (n,) to be left out, and their numbers with the reason."""
    gone = frame[left]
    return frame[~left], pd.DataFrame({"row": row_numbers(gone), "why": [why] * len(gone)})


def _repeats(frame: pd.DataFrame) -> np.ndarray:
    """(n,) whether a row is the same as one before it."""
    # As text, for lists and the like cannot be hashed.
    text = {name: str for name in frame.columns if frame[name].dtype.kind == "O"}
    return frame.astype(text).duplicated().to_numpy()


def settings(arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """The arguments of these names, for the record in the JSON."""
    return {name: getattr(arguments, name) for name in ("table", "x", "y", "where", "exclude", "derive", *names)}
