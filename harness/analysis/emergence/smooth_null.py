"""The null of a jump: every smooth curve, defined by what it forbids.

A curve is smooth on a ladder if none of its rises goes from 10 to 90 % in less than `SMOOTH_STEPS` steps. Such curves
are a level plus non-negative sums of the narrowest rises allowed: a convex cone, here the *hull*, so that no choice of
a law can be blamed. Contrasts are vectors c with c'g <= 0 for every g of the hull: then the largest of some c'(means)
can exceed what noise alone gives only if the curve lies outside, whatever smooth curve it is (the polar of a cone;
Robertson, Wright and Dykstra 1988, Order Restricted Statistical Inference, chapter 4).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.optimize import nnls
from scipy.special import expit, ndtr, ndtri

#: Least width of a smooth rise, from 10 to 90 %, in ladder steps.
SMOOTH_STEPS = 4.0
#: Width of a logistic from 10 to 90 %, in units of its scale.
LOGISTIC_WIDTH = 2 * np.log(9)
#: The same of a Gumbel distribution, the limit of a logistic raised to a high power.
GUMBEL_WIDTH = float(np.log(np.log(10) / np.log(10 / 9)))
#: Answer length of the sharpest all-or-nothing score of a smooth per-token law; beyond, its shape hardly changes.
LONG_ANSWER = 30
#: Ratios of variance between rungs that contrasts are made for.
_VARIANCE_RATIOS = (1 / 16, 1 / 4, 4, 16)
_MOST_PROFILES = 50
#: A shape that the hull follows this closely (share of its norm) is no evidence of anything.
_NO_CONTRAST = 1e-2


class SmoothNull:
    """Smooth curves and contrasts on one ladder.

    Args:
        t: (K,) places of the sizes in steps, rising.
        counts: (K,) runs at each size.
        all_or_nothing: whether scores that need all tokens of an answer right, each by a smooth law, count as smooth:
            their rise may take 2.8 steps.

    Attributes:
        generators: (G, K) narrowest smooth rises, from 0 at the first size to 1 at the last.
        falls: (F, K) the same downwards, from 0 to 1; what a non-monotone curve may have lost.
        shapes: (R, K) jumps: between two sizes, or half in each of two neighbouring intervals.
    """

    def __init__(self, t: np.ndarray, counts: np.ndarray, all_or_nothing: bool = True) -> None:
        self.t = t
        self.generators = _smooth_rises(t, all_or_nothing)
        self.falls = _logistic_falls(t)
        self.shapes = _jumps(len(t))
        self._counts = counts

    def contrasts(self, variance: np.ndarray) -> np.ndarray:
        """(R, K) contrasts for means with this variance (K,); those of the nearest profile, valid for any."""
        log_profiles, contrasts = self._prepared
        log = np.log(variance)
        return contrasts[np.argmin(np.sum((log_profiles - (log - log.mean())) ** 2, axis=1))]

    def project(self, values: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """(K,) the smooth curve closest to `values` (K,), in units of their standard deviations."""
        weight = 1 / np.sqrt(variance / variance.mean())
        rows = np.concatenate([np.ones((1, len(values))), -np.ones((1, len(values))), self.generators]) * weight
        amounts, _ = nnls(rows.T, values * weight)
        return np.asarray(amounts @ rows / weight)

    def distance(self, values: np.ndarray, variance: np.ndarray) -> float:
        """From `values` (K,) to the closest smooth curve, in standard deviations; no test sees more than that."""
        return float(np.sqrt(np.sum((values - self.project(values, variance)) ** 2 / variance)))

    def power(self, values: np.ndarray, variance: np.ndarray, alpha: float) -> float:
        """Highest power that any test at error rate `alpha` can have against the curve `values` (K,)."""
        return float(ndtr(self.distance(values, variance) + ndtri(alpha)))

    @cached_property
    def _prepared(self) -> tuple[np.ndarray, np.ndarray]:
        """(P, K) logarithms of variance profiles, about their mean, and (P, R, K) their contrasts."""
        variances = _variance_profiles(len(self.t)) / self._counts
        log = np.log(variances)
        return log - log.mean(axis=1, keepdims=True), np.stack([self._contrasts_for(each) for each in variances])

    def _contrasts_for(self, variance: np.ndarray) -> np.ndarray:
        rows = []
        for shape in self.shapes:
            beyond = shape - self.project(shape, variance)
            norm = np.sqrt(np.sum(beyond**2 / variance))
            seen = norm > _NO_CONTRAST * np.sqrt(np.sum((shape - shape.mean()) ** 2 / variance))
            rows.append(beyond / variance / norm if seen else np.zeros_like(shape))
        return np.stack(rows)


def logistic(t: np.ndarray, place: np.ndarray | float, width: np.ndarray | float) -> np.ndarray:
    """Rise from 0 to 1 at `place`, `width` steps from 10 to 90 % (0: a step)."""
    return expit(np.clip(LOGISTIC_WIDTH * (t - place) / np.maximum(width, 1e-9), -700, 700))


def _centres(t: np.ndarray) -> np.ndarray:
    """(C, 1) places of rises, from off the ladder on one side to off it on the other."""
    return np.arange(t[0] - SMOOTH_STEPS, t[-1] + SMOOTH_STEPS - 0.99, 0.5)[:, None]


def _from_0_to_1(rises: np.ndarray, least: float) -> np.ndarray:
    """Rises (G, K) scaled to the ladder; those with less than `least` of their height on it are left out."""
    rises = rises - rises[:, :1]
    rises = rises[rises[:, -1] > least]
    return rises / rises[:, -1:]


def _smooth_rises(t: np.ndarray, all_or_nothing: bool) -> np.ndarray:
    centres, middle, half = _centres(t), (t[0] + t[-1]) / 2, (t[-1] - t[0]) / 2
    rises = [logistic(t, centres, SMOOTH_STEPS)]
    if all_or_nothing:
        rises.append(rises[0] ** LONG_ANSWER)
    # Gumbel's rise begins faster than it ends, or the other way round.
    u = np.clip(GUMBEL_WIDTH * (t - centres) / SMOOTH_STEPS, -30, 30)
    rises += [np.exp(-np.exp(-u)), -np.expm1(-np.exp(u))]
    rises += [logistic(t, place, width)[None] for place, width in ((middle, 8.0), (middle + half, 16.0))]
    rises += [-np.exp(-np.log(9) / width * (t - t[0]))[None] for width in (SMOOTH_STEPS, 2 * SMOOTH_STEPS)]
    return _from_0_to_1(np.concatenate(rises), 1e-6)


def _logistic_falls(t: np.ndarray) -> np.ndarray:
    return _from_0_to_1(np.concatenate([logistic(t, _centres(t), k * SMOOTH_STEPS) for k in (1, 2)]), 0.05)


def _jumps(n_sizes: int) -> np.ndarray:
    steps = (np.arange(n_sizes) > np.arange(n_sizes - 1)[:, None]).astype(float)
    return np.concatenate([steps, (steps[1:] + steps[:-1]) / 2])


def _variance_profiles(n_sizes: int) -> np.ndarray:
    """(P, K) how the variance of a run may go along the ladder: constant, a step, or steadily up or down."""
    along = np.linspace(-1, 1, n_sizes)
    profiles = [np.ones(n_sizes), 4.0**along, 4.0**-along]
    every = max(1, round(4 * n_sizes / _MOST_PROFILES))
    for size in range(0, n_sizes - 1, every):
        profiles += [np.where(np.arange(n_sizes) > size, ratio, 1.0) for ratio in _VARIANCE_RATIOS]
    return np.stack(profiles)
