"""The kinds of planted curves: 15 that rise smoothly with size, and 5 that jump.

The sizes of a ladder lie at t = 0, 1, ..., K - 1: t is log size, counted in steps of the ladder. The expected score of
a curve is

    f(t) = c + h g(t),

with chance level c, height h and a share g(t) of the height in [0, 1]. Most kinds are built from the logistic rise

    s(t; m, w) = 1 / (1 + exp(-2 ln 9 (t - m) / w)),

whose midpoint is m and which takes w steps from 10 to 90 %, since logit .9 - logit .1 = 2 ln 9. A rise counts as smooth
where w is `SMOOTH_WIDTH` = 4 steps or more, and as a jump where w is at most 1 step.

A kind has two parts: its expected scores, and the deviations of the runs from them in units of the noise. What a caller
does not choose differs from curve to curve: chance level, number of evaluation items, height, midpoint, width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

#: Chance levels and numbers of evaluation items, one of each drawn for every curve.
CHANCES = np.array([0.0, 0.1, 0.25, 0.5])
N_EVALS = np.array([200, 1000, 5000])
#: Least width of a smooth rise, from 10 to 90 %, in steps of the ladder. It is the width of the null of `find_jumps`.
SMOOTH_WIDTH = 4.0
#: logit .9 - logit .1: the argument of the logistic function grows by this much over the width of a rise.
LOGIT_SPAN = 2 * np.log(9)


class CurveSampler:
    """Draws what the curves of one call have in common; arrays are (n, K, 1), or (n, K, S) where runs differ.

    Attributes:
        rng: source of all randomness, in the order in which it is asked.
        t: (1, K, 1) sizes in steps.
        chance, height: (n,) chance level, and height of the rise above it.
        n_eval: (n,) evaluation items behind a score.
        midpoint: (n,) m in steps, averaged over seeds where each has its own; NaN for kinds that have no single rise.
    """

    def __init__(self, rng: np.random.Generator, n_curves: int, n_sizes: int, n_seeds: int) -> None:
        self.rng, self.n_curves, self.n_sizes, self.n_seeds = rng, n_curves, n_sizes, n_seeds
        self.t = np.arange(float(n_sizes))[None, :, None]
        self.chance = rng.choice(CHANCES, n_curves)
        self.n_eval = rng.choice(N_EVALS, n_curves)
        self.height = rng.uniform(0.1, np.minimum(0.9, 1 - self.chance))
        self.midpoint = np.full(n_curves, np.nan)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n, K, S) of the scores."""
        return self.n_curves, self.n_sizes, self.n_seeds

    def uniform(self, low: float, high: float, runs: int = 1) -> np.ndarray:
        """(n, 1, runs) uniform draws: one a curve, or one for each of its seeds."""
        return self.rng.uniform(low, high, (self.n_curves, 1, runs))

    def scores(self, share: np.ndarray) -> np.ndarray:
        """f = c + h g, from the share g (n, K, 1 or S) of the height."""
        return self.chance[:, None, None] + self.height[:, None, None] * share

    def smooth_rise(self) -> tuple[np.ndarray, np.ndarray]:
        """s(t; m, w) and (n,) m, from -2 to K + 1 with w from 4 to 12: part of the rise may lie off the ladder."""
        midpoint = self.uniform(-2.0, self.n_sizes + 1.0)
        return rise(self.t - midpoint, self.uniform(SMOOTH_WIDTH, 3 * SMOOTH_WIDTH)), midpoint[:, 0, 0]

    def smooth_rise_on_ladder(self) -> np.ndarray:
        """s(t; m, w) with m from 0 to K - 2 and w from 4 to 8."""
        midpoint = self.uniform(0, self.n_sizes - 2.0)
        self.midpoint = midpoint[:, 0, 0]
        return rise(self.t - midpoint, self.uniform(SMOOTH_WIDTH, 2 * SMOOTH_WIDTH))

    def jump(self, runs: int = 1) -> np.ndarray:
        """s(t; m, w) with m from 1 to K - 2, so that two sizes or more lie on either side, and w at most 1 step.

        Nearly a quarter of the widths are practically 0. With `runs` = S each seed has a midpoint of its own.
        """
        midpoint = self.uniform(1, self.n_sizes - 2, runs)
        self.midpoint = midpoint.mean(axis=2)[:, 0]
        return rise(self.t - midpoint, np.maximum(self.uniform(-0.3, 1.0), 1e-6))

    def one_of(self, *choices: np.ndarray) -> np.ndarray:
        """Each curve from one of these, at random."""
        picked = self.rng.integers(len(choices), size=self.n_curves)
        return np.stack(np.broadcast_arrays(*choices))[picked, np.arange(self.n_curves)]


def rise(past_midpoint: np.ndarray, width: np.ndarray) -> np.ndarray:
    """s(t; m, w) from t - m: the logistic rise that takes `width` steps from 10 to 90 %."""
    return expit(LOGIT_SPAN * past_midpoint / width)


# -------------------------------------------------------------------------------------------- expected scores: smooth


def _logistic(c: CurveSampler) -> np.ndarray:
    """g = s(t; m, w)."""
    share, c.midpoint = c.smooth_rise()
    return c.scores(share)


def _power_error(c: CurveSampler) -> np.ndarray:
    """1 - g = exp(-a t): the error is a power of size. From 10 to 90 % takes ln 9 / a, four steps or more."""
    return c.scores(1 - np.exp(-c.uniform(0.02, np.log(9) / SMOOTH_WIDTH) * c.t))


def _exact_match(c: CurveSampler) -> np.ndarray:
    """g = s(t; m, w)^L with answers of L = 2 to 30 tokens, each right with the same probability."""
    share, _ = c.smooth_rise()
    return c.scores(share ** np.exp(c.uniform(np.log(2), np.log(30))))


def _at_chance(c: CurveSampler) -> np.ndarray:
    """g = 0."""
    return c.scores(np.zeros_like(c.t))


def _at_ceiling(c: CurveSampler) -> np.ndarray:
    """f constant: 1, or between .85 and 1."""
    return np.broadcast_to(c.one_of(np.ones_like(c.t), c.uniform(0.85, 1.0)), (c.n_curves, c.n_sizes, 1))


def _below_chance(c: CurveSampler) -> np.ndarray:
    """f constant, .3 to .95 of the chance level: a model that is worse than a guesser."""
    return np.broadcast_to(c.chance[:, None, None] * c.uniform(0.3, 0.95), (c.n_curves, c.n_sizes, 1))


def _double_logistic(c: CurveSampler) -> np.ndarray:
    """g = a s(t; m, w) + (1 - a) s(t; m', w'): two smooth rises, with or without a plateau between them."""
    share = c.uniform(0.2, 0.8)
    (first, _), (second, _) = c.smooth_rise(), c.smooth_rise()
    return c.scores(share * first + (1 - share) * second)


def _broken_power(c: CurveSampler) -> np.ndarray:
    """A broken neural scaling law of the error, its break as wide as a smooth rise; slopes from slow to fast or back.

    -ln(1 - g) = b t + (a - b) d ln(1 + exp((t - m) / d)), less its value at t = 0 (Caballero et al. 2022).
    """
    width = c.uniform(SMOOTH_WIDTH, 2 * SMOOTH_WIDTH) / LOGIT_SPAN
    u = (c.t - c.uniform(1, c.n_sizes - 2)) / width
    before, after = c.uniform(0.0, 0.2), c.uniform(0.0, np.log(9) / SMOOTH_WIDTH)
    error = np.exp(-before * c.t - (after - before) * width * np.logaddexp(0, u))
    return c.scores(1 - error / error[:, :1].max(axis=1, keepdims=True))


def _u_shape(c: CurveSampler) -> np.ndarray:
    """A smooth fall of .2 to .8 of the height, then a smooth rise to all of it, at most six steps apart."""
    fall = c.uniform(0.2, 0.8)
    valley = c.uniform(0.25, 0.75) * (c.n_sizes - 1)
    gap = c.uniform(1.0, 3.0)
    down = rise(c.t - valley + gap, c.uniform(SMOOTH_WIDTH, 2 * SMOOTH_WIDTH))
    up = rise(c.t - valley - gap, c.uniform(SMOOTH_WIDTH, 2 * SMOOTH_WIDTH))
    return c.scores(np.clip(fall * (1 - down) + up, 0, 1))


def _gompertz(c: CurveSampler) -> np.ndarray:
    """g = exp(-exp(-u)) or 1 - exp(-exp(u)) with u = 3.08 (t - m) / w: steep at its foot, or at its head.

    From 10 to 90 % u grows by ln(ln 10 / ln(10 / 9)) = 3.08.
    """
    u = 3.08 * (c.t - c.uniform(-2, c.n_sizes + 1)) / c.uniform(SMOOTH_WIDTH, 3 * SMOOTH_WIDTH)
    return c.scores(c.one_of(np.exp(-np.exp(-u)), 1 - np.exp(-np.exp(u))))


def _hump(c: CurveSampler) -> np.ndarray:
    """A smooth rise, then a smooth fall by .3 to 1 of the height."""
    top = c.uniform(0.25, 0.9) * (c.n_sizes - 1)
    gap = c.uniform(0.5, 3.0)
    up = rise(c.t - top + gap, c.uniform(SMOOTH_WIDTH, 2 * SMOOTH_WIDTH))
    down = c.uniform(0.3, 1.0) * rise(c.t - top - gap, c.uniform(SMOOTH_WIDTH, 2 * SMOOTH_WIDTH))
    return c.scores(np.clip(up - down, 0, 1))


def _separate_rises(c: CurveSampler, n_sizes: int) -> np.ndarray:
    """Smooth rises whose midpoints differ from seed to seed, or (`n_sizes` = K) from run to run, by .5 to 2 steps."""
    midpoint = c.uniform(0, c.n_sizes - 1)
    c.midpoint = midpoint[:, 0, 0]
    own = midpoint + c.uniform(0.5, 2.0) * c.rng.standard_normal((c.n_curves, n_sizes, c.n_seeds))
    return c.scores(rise(c.t - own, c.uniform(SMOOTH_WIDTH, 2 * SMOOTH_WIDTH)))


def _seeds_rise_apart(c: CurveSampler) -> np.ndarray:
    return _separate_rises(c, 1)


def _runs_rise_apart(c: CurveSampler) -> np.ndarray:
    return _separate_rises(c, c.n_sizes)


# --------------------------------------------------------------------------------------------- expected scores: jumps


def _jump(c: CurveSampler) -> np.ndarray:
    """All seeds jump between the same two sizes."""
    return c.scores(c.jump())


def _jump_at_own_midpoints(c: CurveSampler) -> np.ndarray:
    """Each seed jumps at a size of its own, from the second to the last but one."""
    return c.scores(c.jump(c.n_seeds))


def _jump_of_some_runs(c: CurveSampler) -> np.ndarray:
    """From the jump on each run has the ability with a probability of .35 to .85, whatever its seed."""
    able = c.rng.random(c.shape) < c.uniform(0.35, 0.85)
    return c.scores(c.jump() * able)


def _jump_of_some_seeds(c: CurveSampler) -> np.ndarray:
    """A seed has the ability at all sizes from the jump on, or at none; at least one seed has it."""
    able = c.rng.random((c.n_curves, 1, c.n_seeds)) < c.uniform(0.35, 0.85)
    able[:, :, 0] = True
    return c.scores(c.jump() * able)


def _break(c: CurveSampler) -> np.ndarray:
    """-ln(1 - g) = a d ln(1 + exp((t - m) / d)): within a step the slope of the error's law grows from 0 to a.

    The midpoint is that of the break, m.
    """
    midpoint = c.uniform(1, c.n_sizes - 2)
    c.midpoint = midpoint[:, 0, 0]
    width = np.maximum(c.uniform(0.0, 1.0), 0.05) / LOGIT_SPAN
    after = c.uniform(0.3, 2.0)
    error = np.exp(-after * width * np.logaddexp(0, (c.t - midpoint) / width))
    return c.scores(1 - error)


# ------------------------------------------------------------------------------------------------- deviations of runs


def _normal(c: CurveSampler) -> np.ndarray:
    return c.rng.standard_normal(c.shape)


def _heavy_tailed(c: CurveSampler) -> np.ndarray:
    """Student's t with 3 degrees of freedom, scaled to a variance of 1."""
    return c.rng.standard_t(3, c.shape) / np.sqrt(3)


def _changing_with_size(c: CurveSampler) -> np.ndarray:
    """Normal, from half to twice the noise along the ladder, or from twice to half."""
    along = c.t / (c.n_sizes - 1)
    factor = np.where(c.rng.random((c.n_curves, 1, 1)) < 0.5, 4.0**along, 4.0 ** (1 - along)) / 2
    return factor * c.rng.standard_normal(c.shape)


@dataclass(frozen=True)
class Kind:
    """A kind of curve.

    Attributes:
        expected: draws the expected scores of all runs, (n, K, 1) or (n, K, S).
        deviation: draws the deviations of the runs from them, (n, K, S), in units of the noise.
    """

    expected: Callable[[CurveSampler], np.ndarray]
    deviation: Callable[[CurveSampler], np.ndarray] = _normal


SMOOTH_KINDS = {
    "logistic": Kind(_logistic),
    "power-law error": Kind(_power_error),
    "exact match": Kind(_exact_match),
    "flat at chance": Kind(_at_chance),
    "flat at ceiling": Kind(_at_ceiling),
    "below chance": Kind(_below_chance),
    "double logistic": Kind(_double_logistic),
    "broken power law": Kind(_broken_power),
    "u-shape": Kind(_u_shape),
    "gompertz": Kind(_gompertz),
    "heavy-tailed seeds": Kind(_logistic, _heavy_tailed),
    "size-dependent spread": Kind(_logistic, _changing_with_size),
    "seeds rise apart": Kind(_seeds_rise_apart),
    "runs rise apart": Kind(_runs_rise_apart),
    "hump": Kind(_hump),
}
JUMP_KINDS = {
    "jump": Kind(_jump),
    "own places": Kind(_jump_at_own_midpoints),
    "bimodal runs": Kind(_jump_of_some_runs),
    "bimodal seeds": Kind(_jump_of_some_seeds),
    "break": Kind(_break),
}
