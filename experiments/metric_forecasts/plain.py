"""The plain two steps: curve_fit of a law of the loss, then of a sigmoid with free ends (Bhagia et al. 2024)."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.special import expit


def two_steps(x: pd.DataFrame, loss: np.ndarray, share: np.ndarray, at: pd.DataFrame) -> np.ndarray:
    """Shares at places, NaN where a fit fails; x and at have the columns N and D."""

    def surface(sizes: np.ndarray, floor: float, a: float, b: float, alpha: float, beta: float) -> np.ndarray:
        n, d = sizes
        return floor + np.exp(a) * n**-alpha + np.exp(b) * d**-beta

    def sigmoid(value: np.ndarray, rise: float, steepness: float, place: float, floor: float) -> np.ndarray:
        return floor + rise * expit(-steepness * (value - place))

    places, far = (table[["N", "D"]].to_numpy(float).T for table in (x, at))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", OptimizeWarning)
        try:
            first = curve_fit(surface, places, loss, p0=(0.6 * loss.min(), 6, 7, 0.35, 0.35), maxfev=50_000)[0]
            start = (share.max() - share.min(), 2 / max(loss.std(), 1e-9), loss.mean(), share.min())
            second = curve_fit(sigmoid, loss, share, p0=start, maxfev=50_000)[0]
        except (RuntimeError, ValueError):
            return np.full(len(at), np.nan)
    return sigmoid(surface(far, *first), *second)
