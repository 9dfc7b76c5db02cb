"""Settings and columns checked before any arithmetic; errors name the setting, or the row and column."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.errors import DataError, SettingError, UserError
from harness.records.columns import FINITE, NOT_NEGATIVE, POSITIVE, numbers


def check_between_0_and_1(**settings: float) -> None:
    """Raise SettingError for a setting that is not between 0 and 1."""
    for name, value in settings.items():
        if not 0 < value < 1:
            raise SettingError(name, value, "a number between 0 and 1")


def positive_columns(may_be_zero: Collection[str] = (), /, **columns: ArrayLike) -> tuple[np.ndarray, ...]:
    """Columns as float arrays of one length, all of them finite and above 0; or 0, of those that may be.

    Raises:
        DataError: names the row (from 0), the column and what was found there.
    """
    arrays = [
        numbers(column, name, NOT_NEGATIVE if name in may_be_zero else POSITIVE) for name, column in columns.items()
    ]
    if len({len(values) for values in arrays}) > 1:
        lengths = ", ".join(f"{name} {len(values)}" for name, values in zip(columns, arrays, strict=True))
        raise DataError(f"columns of unequal length: {lengths}")
    return tuple(arrays)


def finite_numbers(name: str, column: ArrayLike) -> np.ndarray:
    """A column as a float array of finite numbers; as `positive_columns`."""
    return numbers(column, name, FINITE)


def column_names(x: ArrayLike | pd.DataFrame) -> tuple[str, ...] | None:
    """The columns of a frame; None of an array, whose columns have no names."""
    return tuple(map(str, x.columns)) if isinstance(x, pd.DataFrame) else None


def check_columns(fitted: tuple[str, ...] | None, x: ArrayLike | pd.DataFrame) -> None:
    """Raise DataError for a frame whose columns are not, in this order, those that were fitted."""
    given = column_names(x)
    if fitted is not None and given is not None and given != fitted:
        raise DataError(f"x has the columns {', '.join(given)}; fitted were {', '.join(fitted)}, in this order")


def check_fitted(estimator: object, attribute: str) -> None:
    """Raise UserError for an estimator without this attribute, which `fit` sets."""
    if not hasattr(estimator, attribute):
        name = type(estimator).__name__
        raise UserError(f"{name} is not fitted yet: call {name}.fit with runs first")
