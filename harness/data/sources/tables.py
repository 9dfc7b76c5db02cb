"""Tables: Parquet, CSV and JSON lines, one file or several that make up train and test."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from harness.data.dataset import Kind
from harness.data.settings import DataSettings
from harness.data.sources.columns import Columns
from harness.data.sources.found import Found, side
from harness.errors import DataError


def fits(path: Path, kind: Kind) -> bool:
    """Whether this is a table, or a folder with one."""
    return bool(_files(path))


def read(path: Path, settings: DataSettings, kind: Kind) -> Found:
    """The rows of one table, or of all tables in a folder, one after the other.

    Files whose names begin with train and test (or eval, validation) make the split. Paths in a column of files are
    relative to the folder of the table.

    Raises:
        DataError: a file is damaged or has a column twice, tables of one folder have different columns, or as
            `Columns.found`.
    """
    files = _files(path)
    frames = [READERS[file.suffix.lower()](file) for file in files]
    for file, frame in zip(files, frames, strict=True):
        if (twice := frame.columns[frame.columns.duplicated()].unique()).size:
            raise DataError(f"two columns are called {', '.join(map(str, twice))}", source=file)
        if list(frame.columns) != list(frames[0].columns):
            problem = f"has other columns than {files[0].name}; name the one table as data.source"
            raise DataError(problem, source=file)
    names = [
        f"{file.name}, {frame.index.name} {number}"
        for file, frame in zip(files, frames, strict=True)
        for number in frame.index
    ]
    found = Columns(pd.concat(frames, ignore_index=True), names, path.name, files[0].parent).found(settings, kind)
    found.title = path.stem if path.is_file() else path.name
    sides = [side(file.stem) for file in files]
    if found.split is None and all(sides) and len(set(sides)) > 1:
        found.split = [one or "" for one, frame in zip(sides, frames, strict=True) for _ in range(len(frame))]
        found.split_rule = "train and test by the names of the files"
    return found


def _files(path: Path) -> list[Path]:
    """The file itself, or the tables in a folder, those of training first."""
    if path.is_file():
        return [path] if path.suffix.lower() in READERS else []
    found = [file for file in path.iterdir() if file.suffix.lower() in READERS]
    return sorted(found, key=lambda file: (side(file.stem) != "train", file.name))


def _csv(file: Path) -> pd.DataFrame:
    """Cells as they are written, as str; a row has as many as there are columns."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text, strict=True)
            columns = next(rows, [])
            if len(columns) == 1 and (mark := next((one for one in ";\t" if one in columns[0]), None)):
                raise DataError(f"one column, {columns[0]!r}; it looks separated by {mark!r}, not commas", source=file)
            cells = []
            for row in rows:
                if row and len(row) != len(columns):
                    problem = f"line {rows.line_num} has {len(row)} cells for {len(columns)} columns"
                    raise DataError(problem, source=file)
                if row:
                    cells.append(row)
    except csv.Error as error:
        raise DataError(f"line {rows.line_num} cannot be read ({error})", source=file) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error})", source=file) from error
    return _by_row(pd.DataFrame(cells, columns=columns, dtype=str))


def _json_lines(file: Path) -> pd.DataFrame:
    rows, lines = [], []
    try:
        with file.open(encoding="utf-8-sig") as text:
            for number, line in enumerate(text, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line, object_pairs_hook=_object)
                    json.dumps(row, ensure_ascii=False).encode()
                except (ValueError, RecursionError) as error:
                    raise DataError(f"line {number}{_fault(error)}", source=file) from error
                if not isinstance(row, dict):
                    raise DataError(f"line {number} is no object of columns", source=file)
                rows.append(row)
                lines.append(number)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error})", source=file) from error
    # As objects: a column of whole numbers with a gap would become one of floats, and 2 be written 2.0.
    return pd.DataFrame(rows, index=pd.Index(lines, dtype="int64", name="line"), dtype=object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"{twice} is there twice")
    return found


def _fault(error: Exception) -> str:
    """What is wrong with a line of JSON."""
    if isinstance(error, json.JSONDecodeError):
        return f" is no JSON ({error.msg})"
    if isinstance(error, UnicodeEncodeError):
        return f" has {error.object[error.start]!r}, half a character that UTF-16 writes as two"
    return " is nested too deeply" if isinstance(error, RecursionError) else f": {error}".partition(";")[0]


def _parquet(file: Path) -> pd.DataFrame:
    try:
        return _by_row(pd.read_parquet(file))
    except (OSError, ValueError) as error:  # of which pyarrow's errors are
        raise DataError(f"cannot be read ({str(error).splitlines()[0]})", source=file) from error


def _by_row(frame: pd.DataFrame) -> pd.DataFrame:
    """The same with its rows numbered from 1, which a header does not count among."""
    return frame.set_axis(pd.RangeIndex(1, len(frame) + 1, name="row"))


#: By the ends of names of files. A table's index is called what it counts, row or line, for the names of its examples.
READERS: dict[str, Callable[[Path], pd.DataFrame]] = {".parquet": _parquet, ".csv": _csv, ".jsonl": _json_lines}
