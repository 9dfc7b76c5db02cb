"""Labels as they are written become indices of classes, or values."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.data.dataset import UNKNOWN
from harness.data.settings import DataSettings
from harness.errors import DataError

#: The largest number of 32 bits, with which models compute.
LARGEST = float(np.finfo(np.float32).max)


def numbered(
    written: Any, settings: DataSettings, known: tuple[str, ...] | None, names: Sequence[str]
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels as `Dataset` has them, and the names of the classes.

    A label is one of the classes by its name. Where it is a number and no class is called so, it counts the classes
    from 0. Without a list of classes (`data.classes`, or `known` to the source) those found are the classes, numbers
    in their order, else names in alphabetical order. Numbers that are not all whole are classes only where a list
    names them.

    Raises:
        DataError: labels that are to be values and are no numbers of 32 bits, or to be classes and are measurements,
            infinite, lists or mappings.
    """
    if written is None:
        return None, ()
    if settings.answers == "values":
        return _values(written, names), ()
    if getattr(written, "ndim", 1) > 1:
        raise DataError(f"labels of shape {np.shape(written)} are no classes; values need data.answers=values")
    _refuse_nameless(written, names)
    codes, distinct = pd.factorize(pd.Series(written, dtype=object).replace("", None))
    labels = [_as_word(label) for label in distinct]
    if not (settings.classes or known):
        _refuse_measurements(labels, getattr(written, "name", None))
    classes = tuple(settings.classes or known or _in_order(set(labels)))
    index = {name: i for i, name in enumerate(classes)}
    numbers_are_names = all(_is_number(name) for name in classes)
    of_distinct = []
    for label in labels:
        position = index.get(label, UNKNOWN)
        if position == UNKNOWN and not numbers_are_names and label.isdecimal() and int(label) < len(classes):
            position = int(label)
        of_distinct.append(position)
    # A code of -1, which marks a missing label, takes the last entry.
    return np.array([*of_distinct, -1], dtype=np.int64)[codes], classes


def _refuse_measurements(labels: Sequence[str], column: object) -> None:
    if not all(map(_is_number, labels)):
        return
    broken = next((value for value in map(float, labels) if math.isfinite(value) and not value.is_integer()), None)
    if broken is not None:
        where = "labels" if column is None else f"column {column}"
        problem = f"{len(labels):,} different numbers, such as {broken:.2g}"
        remedy = "data.answers=values (with loss=mse) predicts them, data.label_columns names another column"
        raise DataError(f"{where}: {problem}; {remedy}, or data.classes lists them as classes")


def _values(written: Any, names: Sequence[str]) -> np.ndarray:
    columns = pd.DataFrame(np.asarray(written).reshape(len(written), -1))
    numbers = columns.apply(as_numbers)
    wrong = numbers.isna() & columns.notna() & (columns.astype(str) != "") & (columns.astype(str) != "nan")
    if wrong.to_numpy().any():
        row, column = np.argwhere(wrong.to_numpy())[0]
        raise DataError(f"label {reprlib.repr(columns.iat[row, column])} is no number", source=names[row])
    values = numbers.to_numpy(dtype=np.float64)
    too_large = beyond_range(values)
    if too_large.any():
        row, column = np.argwhere(too_large)[0]
        raise DataError(
            f"label {values[row, column]:g} is too large for 32 bits (at most {LARGEST:.3g})", source=names[row]
        )
    return values


def as_numbers(cells: pd.Series) -> pd.Series:
    """As float64, NaN where a cell is no number; a date is none."""
    if cells.dtype.kind in "mM":
        return pd.Series(np.nan, index=cells.index)
    try:
        return pd.to_numeric(cells, errors="coerce").astype(np.float64)
    except (TypeError, ValueError, OverflowError):  # lists and mappings, or integers of hundreds of digits
        return cells.map(_number).astype(np.float64)


def beyond_range(values: np.ndarray) -> np.ndarray:
    """Which numbers are finite, and not so in the 32 bits that models compute with."""
    return np.isfinite(values) & (np.abs(values) > LARGEST)


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return np.nan


def _refuse_nameless(written: Any, names: Sequence[str]) -> None:
    """Raise DataError for a label that no class can be called: infinity, or a list or mapping of Parquet or JSON."""
    for row, label in enumerate(written):
        infinite = isinstance(label, float | np.floating) and np.isinf(label)
        if infinite or isinstance(label, list | tuple | dict | np.ndarray):
            raise DataError(f"label {reprlib.repr(label)} is neither a name nor a number of a class", source=names[row])


def _as_word(label: Any) -> str:
    """3 and 3.0 are '3'."""
    return str(int(label)) if isinstance(label, float | np.floating) and label == int(label) else str(label)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _in_order(words: set[str]) -> list[str]:
    return sorted(words, key=float) if all(map(_is_number, words)) else sorted(words)
