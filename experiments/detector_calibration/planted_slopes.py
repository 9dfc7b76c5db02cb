"""Planted curves on slopes: a smooth trend, alone or with a step up or down on top of it.

The sizes of a ladder lie at t = t_1 < ... < t_K (ln size in steps, `harness.datasets.kinds`), and a curve's expected
scores are

    f(t) = lowest + r u(t) + h s(t; m, w),

with the rise r of the trend u, which goes from 0 at the first size to 1 at the last (a fall: from 1 to 0), and the
height h of the step s: a logistic rise of at most one step (`harness.datasets.kinds.rise`) with two sizes or more on
either side. Runs deviate from f and are evaluated on `n_eval` items.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.datasets import PlantedCurves, PlantedPairs
from harness.datasets.kinds import SMOOTH_WIDTH, rise

#: Height h of the step.
HEIGHTS = (0.1, 0.4)
#: Of pairs: token accuracy at the first size, its slope a step, height of its step, and tokens of an answer.
TOKENS_FROM, SLOPES, TOKEN_HEIGHTS, LENGTH = 0.2, (0.02, 0.05), (0.1, 0.35), 5

#: (rng, n, t) -> (n, K) a smooth shape, in any unit.
Trend = Callable[[np.random.Generator, int, np.ndarray], np.ndarray]
#: (rng, expected (n, K, S), spread) -> (n, K, S) what runs would score on unlimited evaluation sets.
Deviate = Callable[[np.random.Generator, np.ndarray, float], np.ndarray]


def normal(rng: np.random.Generator, expected: np.ndarray, spread: float) -> np.ndarray:
    return np.asarray(expected + spread * rng.standard_normal(expected.shape))


@dataclass(frozen=True)
class Slope:
    """What the planted curves of one cell have in common.

    Attributes:
        trend: what the step stands on.
        t: (K,) places of the sizes, in steps.
        n_seeds: runs at each size, S.
        spread: standard deviation of a run about its expected score.
        deviate: how runs deviate.
        n_eval: evaluation items behind a score.
        lowest: range of the score from which the trend rises.
        rises: range of r.
        chance: score of a guesser.
    """

    trend: Trend
    t: np.ndarray
    n_seeds: int = 3
    spread: float = 0.02
    deviate: Deviate = normal
    n_eval: int = 1000
    lowest: tuple[float, float] = (0.05, 0.05)
    rises: tuple[float, float] = (0.2, 0.5)
    chance: float = 0.0

    @property
    def tall(self) -> Slope:
        """The same with rises as high as those of trend and step together."""
        return replace(self, rises=(self.rises[0] + HEIGHTS[0], self.rises[1] + HEIGHTS[1]))


def logistic(rng: np.random.Generator, n: int, t: np.ndarray) -> np.ndarray:
    """A rise of 4 to 12 steps, on the ladder or partly off it."""
    midpoint = rng.uniform(t[0] - 2, t[-1] + 2, (n, 1))
    return rise(t - midpoint, rng.uniform(SMOOTH_WIDTH, 3 * SMOOTH_WIDTH, (n, 1)))


def power_law_error(rng: np.random.Generator, n: int, t: np.ndarray) -> np.ndarray:
    return np.asarray(1 - np.exp(-rng.uniform(0.02, np.log(9) / SMOOTH_WIDTH, (n, 1)) * (t - t[0])))


def straight(_: np.random.Generator, n: int, t: np.ndarray) -> np.ndarray:
    return np.broadcast_to(t, (n, len(t)))


def two_logistics(rng: np.random.Generator, n: int, t: np.ndarray) -> np.ndarray:
    share = rng.uniform(0.2, 0.8, (n, 1))
    return np.asarray(share * logistic(rng, n, t) + (1 - share) * logistic(rng, n, t))


def fall(rng: np.random.Generator, n: int, t: np.ndarray) -> np.ndarray:
    return 1 - logistic(rng, n, t)


TRENDS: dict[str, Trend] = {
    "logistic": logistic,
    "power-law error": power_law_error,
    "straight": straight,
    "two logistics": two_logistics,
    "fall": fall,
}


def plant(slope: Slope, step: int, rng: np.random.Generator, n: int) -> PlantedCurves:
    """`n` curves with a step up (1), a step down (-1) or no step (0); their `height` is that of the step."""
    shape = slope.trend(rng, n, slope.t)
    share = (shape - shape.min(axis=1, keepdims=True)) / np.ptp(shape, axis=1)[:, None]
    mean = rng.uniform(*slope.lowest, (n, 1)) + rng.uniform(*slope.rises, (n, 1)) * share
    height = rng.uniform(*HEIGHTS, (n, 1)) if step else np.zeros((n, 1))
    midpoint, jump = steps(rng, n, slope.t)
    mean = mean + height * (jump if step >= 0 else 1 - jump)
    return evaluated(slope, np.repeat(mean[:, :, None], slope.n_seeds, axis=2), midpoint, height, rng)


def steps(rng: np.random.Generator, n: int, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 1) midpoints and (n, K) steps from 0 to 1, nearly a quarter of which are practically vertical."""
    midpoint, width = rng.uniform(t[1], t[-2], (n, 1)), np.maximum(rng.uniform(-0.3, 1.0, (n, 1)), 1e-6)
    return midpoint, rise(t - midpoint, width)


def evaluated(
    slope: Slope, expected: np.ndarray, midpoint: np.ndarray, height: np.ndarray, rng: np.random.Generator
) -> PlantedCurves:
    """Curves with expected scores (n, K, S), their runs drawn and evaluated; midpoint and height are (n, 1)."""
    n = len(expected)
    scores = np.clip(slope.deviate(rng, expected, slope.spread), 0, 1)
    values = rng.binomial(slope.n_eval, scores) / slope.n_eval
    n_eval, chance = np.full(n, slope.n_eval), np.full(n, slope.chance)
    return PlantedCurves("slope", values, expected, n_eval, chance, midpoint[:, 0], height[:, 0])


def plant_pairs(
    jump: bool, rng: np.random.Generator, n: int, t: np.ndarray, n_seeds: int, spread: float
) -> PlantedPairs:
    """Token accuracy on a straight line, with a jump or none, and the exact match of 1,000 answers of five tokens."""
    midpoint, jumps = steps(rng, n, t)
    height = rng.uniform(*TOKEN_HEIGHTS, (n, 1)) if jump else np.zeros((n, 1))
    mean = TOKENS_FROM + rng.uniform(*SLOPES, (n, 1)) * t + height * jumps
    return pairs_of_tokens(mean, midpoint, height, n_seeds, spread, rng)


def pairs_of_tokens(
    mean: np.ndarray, midpoint: np.ndarray, height: np.ndarray, n_seeds: int, spread: float, rng: np.random.Generator
) -> PlantedPairs:
    """Token accuracies with means (n, K), midpoint and height (n, 1), and exact match: its power LENGTH."""
    n, n_answers = len(mean), 1000
    expected = np.repeat(mean[:, :, None], n_seeds, axis=2)
    right = np.clip(normal(rng, expected, spread), 0, 1)
    exact = rng.binomial(n_answers, right**LENGTH) / n_answers
    tokens = rng.binomial(n_answers * LENGTH, right) / (n_answers * LENGTH)
    chance, at, high = np.zeros(n), midpoint[:, 0], height[:, 0]
    names = {"metric": "exact_match", "paired_metric": "token_accuracy"}
    return PlantedPairs(
        PlantedCurves("slope", exact, expected**LENGTH, np.full(n, n_answers), chance, at, high, **names),
        PlantedCurves(
            "slope",
            tokens,
            expected,
            np.full(n, n_answers * LENGTH),
            chance,
            at,
            high,
            metric="token_accuracy",
            discontinuous=False,
        ),
        np.full(n, LENGTH),
    )
