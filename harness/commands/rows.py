"""What `fit`, `forecast` and `allocate` share: which rows of which table, which columns, and what was left out."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from harness.errors import DataError, UserError
from harness.records.expressions import derive, select
from harness.records.table import any_column, number_column, read_rows, row_numbers
from harness.records.writer import write_whole

#: Excluded rows that a terminal lists; the JSON has all.
_SHOWN = 10


def add_row_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the table and the choice of its rows and columns."""
    parser.add_argument("table", metavar="TABLE", help="CSV, TSV, JSONL or Parquet, a row a run; or a results folder")
    parser.add_argument("--x", required=True, metavar="COLUMNS", help="sizes, in the order of the law's variables: N,D")
    parser.add_argument("--y", required=True, metavar="COLUMN", help="loss")
    parser.add_argument("--where", metavar="EXPRESSION", help="the rows this is about: \"corpus == 'dclm'\"")
    parser.add_argument(
        "--exclude", metavar="EXPRESSION", action="append", default=[], help='rows to leave out and list: "loss > 4"'
    )
    parser.add_argument(
        "--derive", metavar="NAME = EXPRESSION", action="append", default=[], help='a new column: "D = C / (6*N)"'
    )


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where results go."""
    parser.add_argument("--level", type=float, default=0.95, help="of the intervals (0.95)")
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

    def report(self, console: Console) -> None:
        """Say how many rows were used, and which were not."""
        outside = f", {self.n_outside} outside --where" if self.n_outside else ""
        console.print(f"{len(self.y)} runs, {len(self.excluded)} excluded{outside}", markup=False)
        for row in self.listed[:_SHOWN]:
            console.print(f"  excluded row {row['row']}: {row['why']}", markup=False, soft_wrap=True)
        if len(self.excluded) > _SHOWN:
            console.print(f"  and {len(self.excluded) - _SHOWN} more (--json lists all)", markup=False)


def choose(arguments: argparse.Namespace) -> Rows:
    """Read the table and choose its rows.

    A run without a finite loss or size (diverged, not measured) and a row that repeats another are left out and listed;
    a loss or size of zero or less is a mistake.

    Raises:
        DataError: as `records.table` and `records.expressions`, a value at or below 0, or no row left.
    """
    frame = read_rows(arguments.table)
    for definition in arguments.derive:
        frame = derive(frame, definition)
    selection = select(frame, arguments.where, arguments.exclude)
    kept, left_out = selection.kept, [selection.excluded]
    names = split_names(arguments.x)
    for name in (*names, arguments.y):
        kept, unusable = _without(kept, ~np.isfinite(number_column(kept, name)), f"{name} is not a finite number")
        left_out.append(unusable)
    kept, repeated = _without(kept, kept.duplicated().to_numpy(), "the same as an earlier row in every column")
    left_out.append(repeated)
    excluded = pd.concat(left_out, ignore_index=True).sort_values("row", kind="stable", ignore_index=True)
    if kept.empty:
        raise DataError(f"{arguments.table}: no rows left ({len(excluded)} excluded, {selection.n_outside} outside)")
    for name in (*names, arguments.y):
        values = number_column(kept, name)
        if (wrong := np.flatnonzero(values <= 0)).size:
            row = row_numbers(kept)[wrong[0]]
            raise DataError(
                f"column {name}, row {row}: {values[wrong[0]]:g}: a law is of numbers above 0 "
                f'({len(wrong)} such rows; --exclude "{name} <= 0" leaves them out)'
            )
    x = pd.DataFrame({name: number_column(kept, name) for name in names}, index=kept.index)
    return Rows(kept, x, number_column(kept, arguments.y), excluded, selection.n_outside)


def labels(rows: Rows, column: str | None) -> np.ndarray | None:
    """The column as labels (n,), None for none."""
    return None if column is None else any_column(rows.frame, column).astype(str)


def split_names(text: str) -> list[str]:
    """'N,D' as names."""
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise UserError(f"--x {text}: allowed are column names, each once, with commas between them")
    return names


def places(rows: Rows, arguments: argparse.Namespace) -> pd.DataFrame:
    """The places of --at (m, d), under the names of --x; columns that --derive knows how to make may be left out."""
    found = []
    for text in arguments.at:
        given: dict[str, float] = {}
        for part in text.split(","):
            name, separator, value = part.partition("=")
            try:
                given[name.strip()] = float(value)
            except ValueError:
                separator = ""
            if not separator:
                raise UserError(f"--at {text}: allowed is NAME=NUMBER,NAME=NUMBER, e.g. N=7e9,D=1.4e11")
        row = pd.DataFrame([given])
        for definition in arguments.derive:
            if definition.partition("=")[0].strip().strip("`") in rows.x.columns.difference(row.columns):
                row = derive(row, definition)
        missing = [name for name in rows.x.columns if name not in row.columns]
        if missing or set(given) - set(row.columns):
            raise UserError(f"--at {text}: {', '.join(missing)} not given; wanted are {', '.join(rows.x.columns)}")
        if stray := [name for name in given if name not in rows.x.columns and not arguments.derive]:
            raise UserError(f"--at {text}: {stray[0]} is none of {', '.join(rows.x.columns)}")
        wrong = [name for name in rows.x.columns if not 0 < row[name].iloc[0] < math.inf]
        if wrong:
            raise UserError(f"--at {text}: {wrong[0]}={row[wrong[0]].iloc[0]:g}: allowed are finite numbers above 0")
        found.append(row[list(rows.x.columns)])
    return pd.concat(found, ignore_index=True)


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


def _without(frame: pd.DataFrame, left: np.ndarray, why: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    gone = frame[left]
    return frame[~left], pd.DataFrame({"row": row_numbers(gone), "why": [why] * len(gone)})


def settings(arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """The arguments of these names, for the record in the JSON."""
    return {name: getattr(arguments, name) for name in ("table", "x", "y", "where", "exclude", "derive", *names)}
