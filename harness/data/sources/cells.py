"""Cells of a table, whatever file it came from: what is missing, and what is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def is_missing(cell: Any) -> bool:
    """Whether nothing is there: null of JSON and Parquet, NaN, or nothing between two commas of a CSV."""
    if isinstance(cell, str | bytes):
        return not cell
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def as_text(cell: Any) -> str:
    """What is written in a cell of text; "" where nothing is."""
    return "" if is_missing(cell) else str(cell)


def is_listed(cell: Any) -> bool:
    """Whether a cell holds a list, as those of JSON and Parquet may."""
    return isinstance(cell, list | tuple | np.ndarray)
