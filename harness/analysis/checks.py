"""Settings and columns checked before any arithmetic; errors name the setting, or the row and column."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.errors import DataError, SettingError


def check_between_0_and_1(**settings: float) -> None:
    """Raise SettingError for a setting that is not between 0 and 1."""
    for name, value in settings.items():
        if not 0 < value < 1:
            raise SettingError(name, value, "a number between 0 and 1")


def positive_columns(**columns: ArrayLike) -> tuple[np.ndarray, ...]:
    """Columns as float arrays of one length.

    Raises:
        DataError: names the row (from 0), the column and what was found there.
    """
    arrays = [finite_numbers(name, column, above=0.0) for name, column in columns.items()]
    if len({len(values) for values in arrays}) > 1:
        lengths = ", ".join(f"{name} {len(values)}" for name, values in zip(columns, arrays, strict=True))
        raise DataError(f"columns of unequal length: {lengths}")
    return tuple(arrays)


def finite_numbers(name: str, column: ArrayLike, above: float = -np.inf) -> np.ndarray:
    try:
        values = np.asarray(column, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(f"column {name}: {error}") from None
    bad = np.flatnonzero(~(np.isfinite(values) & (values > above)))
    if values.ndim != 1 or len(bad):
        found = f"row {bad[0]}: {values[bad[0]]}" if values.ndim == 1 else f"shape {values.shape}"
        allowed = "finite numbers above 0" if above == 0 else "finite numbers"
        raise DataError(f"column {name}, {found}: allowed are {allowed}, one a row")
    return values
