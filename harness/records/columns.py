"""Columns of a table as numbers, truth values or labels.

A cell that cannot be used is a `DataError` that names its column and row. A row is named by its index label: tables
that `table.read_rows` reads are indexed by row number, counted from 1 without the header and blank lines, and a frame
keeps these labels through `expressions.derive` and `select`, so that what is found in a subset is still named by its
place in the file.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.errors import DataError, nearest

_LARGEST = float(np.finfo(float).max)


@dataclass(frozen=True)
class Limits:
    """The numbers that a column may hold.

    Attributes:
        low, high: the least and the greatest, both allowed.
        allowed: the same in words.
    """

    low: float
    high: float
    allowed: str

    def hold(self, values: np.ndarray) -> np.ndarray:
        """(n,) whether each value is within the limits; NaN is not."""
        return np.asarray((values >= self.low) & (values <= self.high))


FINITE = Limits(-_LARGEST, _LARGEST, "finite numbers")
POSITIVE = Limits(float(np.nextafter(0, 1)), _LARGEST, "finite numbers above 0")
NOT_NEGATIVE = Limits(0.0, _LARGEST, "finite numbers of 0 or more")
SHARE = Limits(0.0, 1.0, "numbers from 0 to 1")
# Products of items with runs and values have to stay finite.
ITEMS = Limits(1.0, 1e18, "numbers of items from 1 to 1e18")


def require_columns(frame: pd.DataFrame, names: Iterable[str]) -> None:
    """Check that a frame has these columns.

    Raises:
        DataError: as `column`, for the first that is not there.
    """
    for name in names:
        column(frame, name)


def column(frame: pd.DataFrame, name: str) -> pd.Series:
    """One column as it is.

    Raises:
        DataError: no column of that name (the nearest is named), or more than one.
    """
    if name not in frame.columns:
        raise DataError(f"column '{name}' is missing{nearest(name, map(str, frame.columns))}", column=name)
    found = frame[name]
    if isinstance(found, pd.DataFrame):
        raise DataError(f"column '{name}' is there {found.shape[1]} times", column=name)
    return found


def number_column(frame: pd.DataFrame, name: str, limits: Limits | None = None, empty: bool = True) -> np.ndarray:
    """(n,) one column as float64, NaN where a cell is empty.

    Text that spells a number, such as "1e9", is that number; "1,000", "1_000" and booleans are not numbers.

    Args:
        limits: of the numbers; None for any, infinite ones included.
        empty: whether cells may be empty in spite of limits.

    Raises:
        DataError: no such column, or a cell that is not a number or outside the limits.
    """
    cells = column(frame, name)
    values = _as_floats(cells)
    if limits is not None:
        wrong = ~limits.hold(values) & ~(np.isnan(values) & empty)
        if wrong.any():
            first, n = int(np.argmax(wrong)), int(wrong.sum())
            many = f" ({n} such rows)" if n > 1 else ""
            raise _at(cells, first, f"{cells.iloc[first]}: allowed are {limits.allowed}{many}")
    return values


def numbers(cells: ArrayLike, name: str, limits: Limits = FINITE) -> np.ndarray:
    """(n,) an array or list as float64, all within the limits; rows are counted from 0, as numpy counts.

    Raises:
        DataError: not of one dimension, or as `number_column`.
    """
    try:
        array = np.asarray(cells)
    except ValueError as error:  # rows of unequal length
        raise DataError(f"column {name}: {error}", column=name) from error
    if array.ndim != 1:
        raise DataError(f"column {name}, shape {array.shape}: allowed are {limits.allowed}, one a row", column=name)
    return number_column(pd.DataFrame({name: array}), name, limits, empty=False)


def any_column(frame: pd.DataFrame, name: str) -> np.ndarray:
    """(n,) one column as what it holds: float64 with NaN, bool, or text as objects, None where a cell is empty.

    Raises:
        DataError: no such column, or an empty cell among booleans, which could be either.
    """
    cells = column(frame, name)
    present = cells[cells.notna()]
    if len(present) and cells.dtype.kind in "iuf":
        return _as_floats(cells)
    if cells.dtype == bool or (len(present) and all(isinstance(cell, bool | np.bool_) for cell in present)):
        if len(present) < len(cells):
            raise _at(cells, int(np.argmax(cells.isna())), "empty: True or False is wanted")
        return cells.to_numpy(dtype=bool)
    text = np.full(len(cells), None, dtype=object)
    text[cells.notna()] = [str(cell) for cell in present]
    return text


def truth_column(frame: pd.DataFrame, name: str) -> pd.Series:
    """One column of true or false, yes or no, 1 or 0, as text in any case too, as "boolean"; empty cells are missing.

    Raises:
        DataError: no such column, or a cell that is neither.
    """
    cells = column(frame, name)
    if cells.dtype == bool:
        return cells.astype("boolean")
    spelt = cells.map(lambda cell: _TRUTH.get(str(cell).strip().lower()), na_action="ignore")
    neither = (spelt.isna() & cells.notna() & (cells.astype(str).str.strip() != "")).to_numpy()
    if neither.any():
        first = int(np.argmax(neither))
        raise _at(cells, first, f"{cells.iloc[first]!r}: allowed are true or false, yes or no, 1 or 0")
    return spelt.astype("boolean")


def label_column(frame: pd.DataFrame, name: str) -> np.ndarray:
    """(n,) one column as text, to tell rows of different labels apart.

    Raises:
        DataError: no such column, or an empty cell, which would be taken for a label of its own.
    """
    found = any_column(frame, name)
    if (empty := pd.isna(found)).any():
        many = f" ({empty.sum()} such rows)" if empty.sum() > 1 else ""
        raise _at(frame[name], int(np.argmax(empty)), f"empty: a label is wanted{many}")
    return found.astype(str)


def began_column(frame: pd.DataFrame, name: str) -> np.ndarray:
    """(n,) bool: whether each run began from a trained model, by a column of truth values or of what it began from.

    A column without names of anything else than true or false is one of truth values; of any other, an empty cell is a
    run from scratch.

    Raises:
        DataError: no such column, or an empty cell among truth values.
    """
    cells = column(frame, name)
    given = cells.notna() & (cells.astype(str).str.strip() != "")
    if given.any() and cells[given].map(lambda cell: str(cell).strip().lower() in _TRUTH).all():
        if not given.all():
            raise _at(cells, int(np.argmin(given)), "empty: true or false is wanted, 1 or 0")
        return truth_column(frame, name).to_numpy(dtype=bool)
    if cells.dtype.kind in "iuf" and given.any():
        wrong = given & ~cells.astype(str).str.lower().isin(list(_TRUTH))
        raise _at(
            cells, int(np.argmax(wrong)), f"{cells[wrong].iloc[0]}: allowed are 1 or 0, or names of what began a run"
        )
    return given.to_numpy(dtype=bool)


_TRUTH = dict.fromkeys(("true", "yes", "1", "1.0"), True) | dict.fromkeys(("false", "no", "0", "0.0"), False)


def _as_floats(cells: pd.Series) -> np.ndarray:
    if cells.dtype.kind in "iuf":
        return np.array(cells.to_numpy(dtype=float, na_value=np.nan))
    found = cells.tolist()
    values = np.full(len(found), np.nan)
    for i in np.flatnonzero(cells.notna()):
        try:
            values[i] = _number(found[i])
        except (ValueError, OverflowError) as error:
            cell = " ".join(reprlib.repr(found[i]).split())
            raise _at(cells, int(i), f"{cell}: a number is wanted") from error
    return values


def _number(cell: Any) -> float:
    if isinstance(cell, str):
        text = cell.strip()
        if "_" in text:  # float() would take 1_000
            raise ValueError(text)
        return float(text) if text else np.nan
    if isinstance(cell, Real | Decimal) and not isinstance(cell, bool):
        return float(cell)
    raise ValueError(cell)


def _at(cells: pd.Series, place: int, problem: str) -> DataError:
    """A problem of one cell of a column, the one at this place of it."""
    label = cells.index[place]
    # A plain Python value, which an error can carry to another process.
    return DataError(problem, column=str(cells.name), row=label.item() if isinstance(label, np.generic) else label)
