"""Statistics of rank and order, which no single run can move far."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Median of |z| for a standard normal z: turns a median distance into a standard deviation.
MEDIAN_OF_NORMAL = 0.6745


def robust_scatter(residual: np.ndarray) -> float:
    """The standard deviation of normal residuals (n,) about 0, by the median of their sizes."""
    return float(np.median(np.abs(residual)) / MEDIAN_OF_NORMAL)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation of two columns (n,), neither of them constant."""
    first, second = (pd.Series(column).rank().to_numpy() for column in (one, other))
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1, 1))
