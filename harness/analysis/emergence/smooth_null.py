r"""What a smooth curve is, and how far a curve is from every one of them.

Let t_1 < ... < t_K be the sizes of a ladder in steps (a step is the median distance of neighbouring sizes in ln x). A
curve is *smooth* if none of its rises goes from 10 to 90 % of its height in less than `SMOOTH_STEPS` steps. On the
ladder such curves are a level of either sign plus a non-negative combination of the narrowest rises allowed,

    C = { a 1 + sum_j b_j g_j : a real, b_j >= 0 },        g_j in `SmoothNull.generators`,

a polyhedral convex cone. By Neyman and Pearson a test of this whole null of level alpha has, against means at distance
d from the cone in standard deviations, at most the power Phi(d + Phi^-1(alpha)). The models that the test weighs
(`models`) are fewer, at most two rises or falls; the cone says what would be found whatever smooth curve there may be.

Source: Robertson, Wright and Dykstra 1988, *Order Restricted Statistical Inference*, chapters 2 to 4.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls
from scipy.special import expit, ndtr, ndtri

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
#: Distance of neighbouring generators, in steps. At .5 every rise of 4 steps or more, wherever it lies, is within 1.2 %
#: of its norm of the cone.
GENERATOR_GAP = 0.5
#: Generators of which less than this share of the height lies on the ladder are left out, for rounding.
MIN_SHARE_OF_RISE = 1e-6


class SmoothNull:
    """Smooth curves on one ladder.

    Args:
        t: (K,) places of the sizes in steps, rising.

    Attributes:
        generators: (G, K) narrowest smooth rises, from 0 at the first size to 1 at the last; powers of smooth laws,
            which the exact match of an answer of several tokens is, and their mirror images, the chance that one of
            several attempts is right, count as smooth and take as little as 2.8 steps.
    """

    def __init__(self, t: np.ndarray) -> None:
        self.t = t
        self.generators = _smooth_rises(t)

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


def logistic(t: np.ndarray, place: np.ndarray | float, width: np.ndarray | float) -> np.ndarray:
    """Logistic rise from 0 to 1, half-way at `place`, `width` steps from 10 to 90 % (0: a step)."""
    return expit(np.clip(LOGISTIC_WIDTH * (t - place) / np.maximum(width, 1e-9), -700, 700))


def _smooth_rises(t: np.ndarray) -> np.ndarray:
    # Places from `SMOOTH_STEPS` off the ladder on one side to as far on the other.
    centres = np.arange(t[0] - SMOOTH_STEPS, t[-1] + SMOOTH_STEPS - 0.99, GENERATOR_GAP)[:, None]
    middle, half = (t[0] + t[-1]) / 2, (t[-1] - t[0]) / 2
    rises = [logistic(t, centres, SMOOTH_STEPS)]
    rises += [rises[0] ** LONGEST_ANSWER, 1 - (1 - rises[0]) ** LONGEST_ANSWER]
    # Gumbel's distribution and its mirror image: rises that begin faster than they end, or the other way round.
    u = np.clip(GUMBEL_WIDTH * (t - centres) / SMOOTH_STEPS, -30, 30)
    rises += [np.exp(-np.exp(-u)), -np.expm1(-np.exp(u))]
    rises += [logistic(t, middle + i * half, width)[None] for i, width in enumerate(WIDE_LOGISTICS)]
    # An error that falls as a power of the size; its fall by 80 % of itself, 90 to 10 %, takes `width` steps.
    rises += [-np.exp(-np.log(9) / width * (t - t[0]))[None] for width in EXPONENTIALS]
    stacked = np.concatenate(rises)
    stacked = stacked - stacked[:, :1]
    stacked = stacked[stacked[:, -1] > MIN_SHARE_OF_RISE]
    return stacked / stacked[:, -1:]
