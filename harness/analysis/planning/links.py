"""Links: how a share of right answers rises as the loss falls, between a floor and a ceiling.

Every link is share = floor + (ceiling - floor) r(z) with z = (place - loss) / width and r rising from 0 to 1, so that
no forecast leaves [0, 1]. They differ in how the rise begins and ends:

    sigmoid      r = 1 / (1 + exp(-z))       both ends alike (Bhagia et al. 2024, step 2)
    exponential  r = 1 - exp(-exp(z))        begins as exp(z), the error of Gadre et al. 2024 (eq. 5), and ends at a
                                             ceiling instead of growing without end
    gompertz     r = exp(-exp(-z))           begins late, and nears its ceiling slowly (Gompertz 1825)
    flat         r = 0                       the metric does not move, whatever the loss
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit

#: Greatest exponent of the double exponentials: exp(-exp(6)) is 0 to rounding.
_STEEPEST = 6.0


def _exponential(z: np.ndarray) -> np.ndarray:
    return -np.expm1(-np.exp(np.minimum(z, _STEEPEST)))


def _gompertz(z: np.ndarray) -> np.ndarray:
    return np.exp(-np.exp(np.minimum(-z, _STEEPEST)))


#: The share of the rise that is reached at z, by the name that a user gives the link.
LINKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": expit,
    "exponential": _exponential,
    "gompertz": _gompertz,
}
#: The metric that does not move, weighed beside every link.
FLAT = "flat"


def risen(link: str, z: np.ndarray) -> np.ndarray:
    """The share of its rise that a link has made at z."""
    return np.zeros_like(z) if link == FLAT else np.asarray(LINKS[link](z))
