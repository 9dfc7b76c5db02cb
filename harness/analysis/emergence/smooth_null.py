r"""The null hypothesis of a jump: the curve is smooth, whichever smooth curve it is.

Let t_1 < ... < t_K be the sizes of a ladder in steps (a step is the median distance of neighbouring sizes in ln x). A
curve is *smooth* if none of its rises goes from 10 to 90 % of its height in less than `SMOOTH_STEPS` steps. On the
ladder such curves are a level of either sign plus a non-negative combination of the narrowest rises allowed,

    C = { a 1 + sum_j b_j g_j : a real, b_j >= 0 },        g_j in `SmoothNull.generators`,

a polyhedral convex cone. The null hypothesis is that the vector of true means lies in C; it names no parametric law, so
that no law can be blamed for fitting badly.

A *contrast* is a vector c of the polar cone, c'g_j <= 0 for all j and c'1 = 0. For any smooth mean m, c'm <= 0, so
that under the null c'y exceeds what noise alone gives with no more than its nominal probability, whatever smooth curve
m is. The contrast that is best against a given jump s, for means of covariance diag(v), is the part of s beyond the
cone:

    c = V^-1 (s - P_C s) / ||s - P_C s||_V,    P_C s = argmin_{m in C} (m - s)' V^-1 (m - s),

for P_C s satisfies the Karush-Kuhn-Tucker conditions of non-negative least squares: c'g_j <= 0, and = 0 where b_j > 0.

Source: Robertson, Wright and Dykstra 1988, *Order Restricted Statistical Inference*, chapters 2 to 4.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.optimize import nnls
from scipy.special import expit, ndtr, ndtri

from harness.analysis.emergence.bounded_cache import BoundedCache

#: Least width of a smooth rise from 10 to 90 %, in steps: what "smooth" means. A convention, stated with every result.
SMOOTH_STEPS = 4.0
#: Width of the standard logistic from 10 to 90 %: 2 ln 9.
LOGISTIC_WIDTH = 2 * np.log(9)
#: Width of the standard Gumbel distribution from 10 to 90 %: ln(ln 10 / ln(10/9)). It is the limit of a logistic raised
#: to a high power.
GUMBEL_WIDTH = float(np.log(np.log(10) / np.log(10 / 9)))
#: Tokens of the longest answer whose exact match counts as smooth. The shape of a power of a logistic hardly changes
#: beyond: its width tends to GUMBEL_WIDTH / LOGISTIC_WIDTH = .70 of the logistic's.
LONGEST_ANSWER = 30
#: Widths of the generators that are wider than the narrowest: logistics of 8 and 16 steps, exponentials of 4 and 8.
#: Sums of the narrowest rises make any wider one but for rises that begin or end far off the ladder, which these stand
#: for.
WIDE_LOGISTICS = (8.0, 16.0)
EXPONENTIALS = (4.0, 8.0)
#: Widths of the falls that may have been added to a rise.
FALL_WIDTHS = (4.0, 8.0)
#: Distance of neighbouring generators, in steps. At .5 every rise of 4 steps or more, wherever it lies, is within 1.2 %
#: of its norm of the cone.
GENERATOR_GAP = 0.5
#: Generators and falls of which less than this share of the height lies on the ladder are left out: the first for
#: rounding, the second because a fall that is not seen cannot have hidden a rise.
MIN_SHARE_OF_RISE = 1e-6
MIN_SHARE_OF_FALL = 0.05
#: Ratios of variance from the sizes below a step to those above it, for which contrasts are made, and that of the
#: steady trends (16-fold from end to end, up or down). Contrasts are valid for any variance; these only keep their
#: power.
VARIANCE_RATIOS = (1 / 16, 1 / 4, 4.0, 16.0)
VARIANCE_TREND = 16.0
#: Variance profiles by a step that contrasts are made for, about: on long ladders every second or third place of the
#: step is left out, for time.
STEP_PROFILES = 50
#: A jump that the cone follows to within this share of its norm is no evidence: its contrast is left out.
MIN_DISTANCE = 1e-2
#: Bytes of contrasts that are kept between calls.
MAX_CONTRAST_BYTES = 32 * 2**20


class SmoothNull:
    """Smooth curves on one ladder.

    Args:
        t: (K,) places of the sizes in steps, rising.
        with_powers: whether powers of smooth laws count as smooth: exact match of an answer whose tokens each improve
            by a smooth law, which takes as little as 2.8 steps from 10 to 90 %.

    Attributes:
        generators: (G, K) narrowest smooth rises, from 0 at the first size to 1 at the last.
        falls: (F, K) smooth falls, turned over: from 0 to 1. What a curve that is not monotone may have lost.
        jumps: (R, K) jumps from 0 to 1: between two sizes, or half in each of two neighbouring gaps.
    """

    def __init__(self, t: np.ndarray, with_powers: bool = True) -> None:
        self.t, self.with_powers = t, with_powers
        self.generators = _smooth_rises(t, with_powers)

    @cached_property
    def falls(self) -> np.ndarray:
        return _smooth_falls(self.t)

    @cached_property
    def jumps(self) -> np.ndarray:
        return _jumps(len(self.t))

    def project(self, values: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """(K,) the smooth curve closest to `values` (K,) in units of their standard deviations, P_C above."""
        weight = 1 / np.sqrt(variance / variance.mean())
        rows = np.concatenate([np.ones((1, len(values))), -np.ones((1, len(values))), self.generators]) * weight
        amounts, _ = nnls(rows.T, values * weight)
        return np.asarray(amounts @ rows / weight)

    def distance(self, values: np.ndarray, variance: np.ndarray) -> float:
        """Distance of `values` (K,) from the cone, in standard deviations."""
        return float(np.sqrt(np.sum((values - self.project(values, variance)) ** 2 / variance)))

    def power(self, values: np.ndarray, variance: np.ndarray, alpha: float) -> float:
        """Highest power that a test of size `alpha` can have if the true means are `values` (K,), their variance known.

        By Neyman and Pearson: the best test against the closest smooth curve, at distance d, has power
        Phi(d + Phi^-1(alpha)), and no test of the whole null has more.
        """
        return float(ndtr(self.distance(values, variance) + ndtri(alpha)))


class Contrasts:
    """The best contrast against every jump, made for a few dozen variance profiles.

    Args:
        null: the smooth curves.
        counts: (K,) runs at each size.
    """

    def __init__(self, null: SmoothNull, counts: np.ndarray) -> None:
        variances = _variance_profiles(len(null.t)) / counts
        log = np.log(variances)
        self._log_profiles = log - log.mean(axis=1, keepdims=True)
        self._contrasts = np.stack([_best_contrasts(null, variance) for variance in variances])

    def nearest(self, variance: np.ndarray) -> np.ndarray:
        """(R, K) contrasts of the profile nearest to this variance of the means (K,), up to a factor; valid for any."""
        log = np.log(variance)
        return self._contrasts[np.argmin(np.sum((self._log_profiles - (log - log.mean())) ** 2, axis=1))]

    @property
    def nbytes(self) -> int:
        return self._log_profiles.nbytes + self._contrasts.nbytes


_KEPT: BoundedCache[Contrasts] = BoundedCache(MAX_CONTRAST_BYTES)


def contrasts_of(null: SmoothNull, counts: np.ndarray) -> Contrasts:
    """Contrasts of a null, kept between calls (at most `MAX_CONTRAST_BYTES`): making them costs more than a test."""
    key = null.t.tobytes(), counts.tobytes(), null.with_powers
    return _KEPT.get(key, lambda: Contrasts(null, counts))


def logistic(t: np.ndarray, place: np.ndarray | float, width: np.ndarray | float) -> np.ndarray:
    """Logistic rise from 0 to 1, half-way at `place`, `width` steps from 10 to 90 % (0: a step)."""
    return expit(np.clip(LOGISTIC_WIDTH * (t - place) / np.maximum(width, 1e-9), -700, 700))


def _best_contrasts(null: SmoothNull, variance: np.ndarray) -> np.ndarray:
    """(R, K) contrasts of unit variance against each jump, for means of this variance (K,); 0 where there is none."""
    rows = []
    for jump in null.jumps:
        beyond = jump - null.project(jump, variance)
        norm = np.sqrt(np.sum(beyond**2 / variance))
        seen = norm > MIN_DISTANCE * np.sqrt(np.sum((jump - jump.mean()) ** 2 / variance))
        rows.append(beyond / variance / norm if seen else np.zeros_like(jump))
    return np.stack(rows)


def _centres(t: np.ndarray) -> np.ndarray:
    """(C, 1) places of rises, from `SMOOTH_STEPS` off the ladder on one side to as far on the other."""
    return np.arange(t[0] - SMOOTH_STEPS, t[-1] + SMOOTH_STEPS - 0.99, GENERATOR_GAP)[:, None]


def _from_0_to_1(rises: np.ndarray, least: float) -> np.ndarray:
    """Rises (G, K) scaled to go from 0 at the first size to 1 at the last, those lower than `least` there left out."""
    rises = rises - rises[:, :1]
    rises = rises[rises[:, -1] > least]
    return rises / rises[:, -1:]


def _smooth_rises(t: np.ndarray, with_powers: bool) -> np.ndarray:
    centres, middle, half = _centres(t), (t[0] + t[-1]) / 2, (t[-1] - t[0]) / 2
    rises = [logistic(t, centres, SMOOTH_STEPS)]
    if with_powers:
        rises.append(rises[0] ** LONGEST_ANSWER)
    # Gumbel's distribution and its mirror image: rises that begin faster than they end, or the other way round.
    u = np.clip(GUMBEL_WIDTH * (t - centres) / SMOOTH_STEPS, -30, 30)
    rises += [np.exp(-np.exp(-u)), -np.expm1(-np.exp(u))]
    rises += [logistic(t, middle + i * half, width)[None] for i, width in enumerate(WIDE_LOGISTICS)]
    # An error that falls as a power of the size; its fall by 80 % of itself, 90 to 10 %, takes `width` steps.
    rises += [-np.exp(-np.log(9) / width * (t - t[0]))[None] for width in EXPONENTIALS]
    return _from_0_to_1(np.concatenate(rises), MIN_SHARE_OF_RISE)


def _smooth_falls(t: np.ndarray) -> np.ndarray:
    falls = [logistic(t, _centres(t), width) for width in FALL_WIDTHS]
    return _from_0_to_1(np.concatenate(falls), MIN_SHARE_OF_FALL)


def _jumps(n_sizes: int) -> np.ndarray:
    steps = (np.arange(n_sizes) > np.arange(n_sizes - 1)[:, None]).astype(float)
    return np.concatenate([steps, (steps[1:] + steps[:-1]) / 2])


def _variance_profiles(n_sizes: int) -> np.ndarray:
    """(P, K) how the variance of a run may change along the ladder: not, steadily up or down, or by a step."""
    along = np.linspace(-0.5, 0.5, n_sizes)
    profiles = [np.ones(n_sizes), VARIANCE_TREND**along, VARIANCE_TREND**-along]
    every = max(1, round(len(VARIANCE_RATIOS) * n_sizes / STEP_PROFILES))
    for size in range(0, n_sizes - 1, every):
        profiles += [np.where(np.arange(n_sizes) > size, ratio, 1.0) for ratio in VARIANCE_RATIOS]
    return np.stack(profiles)
