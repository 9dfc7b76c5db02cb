"""Tables of a user's own: reading them, and taking numbers from them.

Rows are named by people and counted from 1: row 1 is the first row of data, the header and blank lines not counted. A
frame's index is that number less 1 and stays with its row through `derive` and `select`, so that what is found in a
subset is still named by its place in the file.
"""

from __future__ import annotations

import gzip
import json
import reprlib
import zlib
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import DataError, nearest
from harness.records.comparable import comparable, final_losses
from harness.records.run_settings import refuse_mixed
from harness.records.store import RESULTS, load

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_ALLOWED = ".csv, .tsv and .jsonl (each also with .gz), .parquet, or a results folder"


def read_rows(path: Path | str) -> pd.DataFrame:
    """The rows of a table, indexed 0 to n - 1 in the order of the file.

    An empty cell and NaN are missing; "NA", "n/a", "null" and the like are text, for `number_column` to name.

    Args:
        path: a CSV, TSV, JSONL (one object a line) or Parquet file, told apart by suffix, all but Parquet also with
            .gz; or a results folder, or the name of one under ./results, of which `store.load` gives the rows of all
            runs. `curve_rows` then chooses those that make a curve.

    Raises:
        DataError: no such file, a suffix that is not known, no rows, two columns of one name, or not readable.
    """
    path = Path(path)
    try:
        if is_results(path):
            return load(path, runs="all")
        if not path.exists():
            beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataError(f"{path}: no such file{nearest(path.name, beside)}")
        frame = _read_file(path)
    except OSError as error:
        raise DataError(f"{path}: not readable: {error.strerror or _one_line(error)}") from error
    except (ValueError, EOFError, RecursionError, zlib.error, pa.ArrowException) as error:
        raise DataError(f"{path}: not readable: {_one_line(error)}") from error
    if frame.empty:
        raise DataError(f"{path}: empty, has no rows of data")
    return frame


def is_results(path: Path | str) -> bool:
    """Whether a path means a results folder rather than a file."""
    return Path(path).is_dir() or (RESULTS / path).is_dir()


def curve_rows(path: Path | str, kept: pd.DataFrame, frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows that make curves, and what was left out in words; rows of a user's own table are kept, every one.

    Of the runs in a results folder, those of a study's longest duration and each size's best learning rate make its
    curve (`comparable`).

    Args:
        path: where the rows were read from.
        kept: the rows chosen so far.
        frame: all rows, as `read_rows` gave them.

    Raises:
        DataError: rows of runs that differ in a setting would make one curve.
    """
    if not is_results(path):
        return kept, ()
    refuse_mixed(kept, 'choose those of one, e.g. by --where "{one}"')
    return comparable(kept, final_losses(frame))


def column(frame: pd.DataFrame, name: str) -> pd.Series:
    """One column as it is.

    Raises:
        DataError: there is none of that name (the nearest is named), or more than one.
    """
    if name not in frame.columns:
        raise DataError(f"column '{name}' is missing{nearest(name, map(str, frame.columns))}")
    found = frame[name]
    if isinstance(found, pd.DataFrame):
        raise DataError(f"column '{name}' is there {found.shape[1]} times")
    return found


def number_column(frame: pd.DataFrame, name: str) -> np.ndarray:
    """(n,) one column as float64, NaN where a cell is empty.

    Text that spells a number, such as "1e9", is that number; "1,000", "1_000" and booleans are not numbers.

    Raises:
        DataError: no such column, or a cell that is not a number; column, row and cell are named.
    """
    cells = column(frame, name)
    if cells.dtype.kind in "iuf":
        return np.array(cells.to_numpy(dtype=float, na_value=np.nan))
    found = cells.tolist()
    numbers = np.full(len(found), np.nan)
    for i in np.flatnonzero(cells.notna()):
        try:
            numbers[i] = _number(found[i])
        except (ValueError, OverflowError) as error:
            cell = _one_line(reprlib.repr(found[i]))
            raise DataError(f"column {name}, row {row_numbers(frame)[i]}: {cell}: a number is wanted") from error
    return numbers


def any_column(frame: pd.DataFrame, name: str) -> np.ndarray:
    """(n,) one column as what it holds: float64 with NaN, bool, or text as objects, None where a cell is empty.

    Raises:
        DataError: no such column, or an empty cell among booleans, which could be either.
    """
    cells = column(frame, name)
    present = cells[cells.notna()]
    if len(present) and cells.dtype.kind in "iuf":
        return number_column(frame, name)
    if cells.dtype == bool or (len(present) and all(isinstance(cell, bool | np.bool_) for cell in present)):
        if len(present) < len(cells):
            row = row_numbers(frame)[cells.isna()][0]
            raise DataError(f"column {name}, row {row}: empty: True or False is wanted")
        return cells.to_numpy(dtype=bool)
    text = np.full(len(cells), None, dtype=object)
    text[cells.notna()] = [str(cell) for cell in present]
    return text


def row_numbers(frame: pd.DataFrame) -> np.ndarray:
    """(n,) each row's number in its file, the first being 1; in the frame, where its index is not of integers."""
    return frame.index.to_numpy() + 1 if frame.index.dtype.kind in "iu" else np.arange(1, len(frame) + 1)


def _number(cell: Any) -> float:
    if isinstance(cell, str):
        text = cell.strip()
        if "_" in text:  # float() would take 1_000
            raise ValueError(text)
        return float(text) if text else np.nan
    if isinstance(cell, Real | Decimal) and not isinstance(cell, bool):
        return float(cell)
    raise ValueError(cell)


def _read_file(path: Path) -> pd.DataFrame:
    name = path.name.lower()
    suffix = Path(name.removesuffix(".gz")).suffix
    if suffix in _SEPARATORS:
        return _read_separated(path, _SEPARATORS[suffix])
    if suffix == ".jsonl":
        return _read_jsonl(path)
    if name.endswith(".parquet"):
        table = pq.ParquetFile(path).read()
        _refuse_twins(path, table.column_names)
        return table.to_pandas(ignore_metadata=True)  # with metadata, an index that pandas wrote would not be a column
    raise DataError(f"{path}: suffix '{path.suffix}' is not known; allowed are {_ALLOWED}")


def _read_separated(path: Path, separator: str) -> pd.DataFrame:
    how: dict[str, Any] = {"sep": separator, "skipinitialspace": True, "keep_default_na": False}
    how |= {"encoding": "utf-8-sig", "low_memory": False}
    try:
        # pandas would tell columns of one name apart by renaming them, so the header is read on its own first.
        header = pd.read_csv(path, header=None, nrows=1, dtype=str, **how).iloc[0]
        _refuse_twins(path, (name.strip() for name in header if name.strip()))
        frame = pd.read_csv(path, na_values=["", "nan", "NaN", "NAN"], **how)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(f"{path}: rows have more cells than the header's {len(header)}")
    return frame.rename(columns=str.strip)


def _read_jsonl(path: Path) -> pd.DataFrame:
    rows = []
    with gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            try:
                rows.append(json.loads(line.decode("utf-8-sig"), object_pairs_hook=partial(_as_row, place)))
            except ValueError as error:
                raise DataError(f"{place}: not JSON: {_one_line(error)}") from error
            if not isinstance(rows[-1], dict):
                raise DataError(f"{place}: an object {{...}} is wanted")
    return pd.DataFrame(rows)


def _as_row(place: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_twins(place, (name for name, _ in pairs))
    return dict(pairs)


def _refuse_twins(place: Path | str, names: Iterable[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise DataError(f"{place}: column '{name}' is there {times} times")


def _one_line(words: object) -> str:
    return " ".join(str(words).split())
