"""Planted curves on slopes: a smooth trend, alone or with a jump or drop on top of it.

A curve has K sizes t = 0, ..., K - 1 (ln size in steps of the ladder) and expected scores

    f(t) = LOWEST + r u(t) + h s(t; m, w),

with the rise r of the trend u, one of `TRENDS`, and the height h of the step s, a logistic rise of at most one step
(`harness.datasets.kinds.rise`) with two sizes or more on either side. Runs deviate from f by normal noise and are
evaluated on `n_eval` items, as in `harness.datasets`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.datasets import PlantedCurves, PlantedPairs
from harness.datasets.kinds import SMOOTH_WIDTH, rise

TRENDS = ("logistic", "power-law error", "straight", "two logistics", "fall")
#: Rise r of the trend over the ladder, and height h of the step.
RISES, HEIGHTS = (0.2, 0.5), (0.1, 0.4)
LOWEST = 0.05
#: Of pairs: token accuracy at the first size, its slope per step, height of its step, and tokens of an answer.
TOKENS_FROM, SLOPES, TOKEN_HEIGHTS, LENGTH = 0.2, (0.02, 0.05), (0.1, 0.35), 5


def draw_on_slope(
    kind: str,
    step: int,
    rng: np.random.Generator,
    n: int,
    n_sizes: int,
    n_seeds: int,
    noise: float = 0.02,
    n_eval: int = 1000,
) -> PlantedCurves:
    """`n` curves with a trend of one kind and a step up (1), a step down (-1) or no step (0)."""
    t = np.arange(float(n_sizes))[None]
    total, height = rng.uniform(*RISES, (n, 1)), rng.uniform(*HEIGHTS, (n, 1))
    midpoint, jump = _jump(rng, n, t)
    mean = LOWEST + total * trend(kind, rng, n, n_sizes)
    if step:
        mean = mean + height * (jump if step > 0 else 1 - jump)
    expected, scores = _runs(mean, noise, n_seeds, rng)
    return _curves(kind, expected, rng.binomial(n_eval, scores) / n_eval, n_eval, midpoint, height)


def draw_pairs_on_slope(
    jumps: bool,
    rng: np.random.Generator,
    n: int,
    n_sizes: int,
    n_seeds: int,
    noise: float = 0.02,
    n_eval: int = 1000,
) -> PlantedPairs:
    """Token accuracy on a straight line, with a jump or none, and the exact match of answers of five tokens."""
    t = np.arange(float(n_sizes))[None]
    slope, height = rng.uniform(*SLOPES, (n, 1)), rng.uniform(*TOKEN_HEIGHTS, (n, 1))
    midpoint, jump = _jump(rng, n, t)
    mean = TOKENS_FROM + slope * t + (height * jump if jumps else 0)
    expected, right = _runs(mean, noise, n_seeds, rng)
    n_tokens = LENGTH * n_eval
    exact, tokens = rng.binomial(n_eval, right**LENGTH) / n_eval, rng.binomial(n_tokens, right) / n_tokens
    return PlantedPairs(
        _curves("exact match", expected**LENGTH, exact, n_eval, midpoint, height),
        _curves("tokens", expected, tokens, n_tokens, midpoint, height),
        np.full(n, LENGTH),
    )


def trend(kind: str, rng: np.random.Generator, n: int, n_sizes: int) -> np.ndarray:
    """(n, K) smooth trends of one of `TRENDS`, from 0 at the first size to 1 at the last; 'fall' from 1 to 0."""
    t = np.arange(float(n_sizes))[None]

    def logistic() -> np.ndarray:
        midpoint, width = rng.uniform(-2, n_sizes + 1, (n, 1)), rng.uniform(SMOOTH_WIDTH, 3 * SMOOTH_WIDTH, (n, 1))
        return rise(t - midpoint, width)

    def power_law_error() -> np.ndarray:
        return np.asarray(1 - np.exp(-rng.uniform(0.02, np.log(9) / SMOOTH_WIDTH, (n, 1)) * t))

    def two_logistics() -> np.ndarray:
        weight = rng.uniform(0.2, 0.8, (n, 1))
        return np.asarray(weight * logistic() + (1 - weight) * logistic())

    shapes: dict[str, Callable[[], np.ndarray]] = {
        "logistic": logistic,
        "power-law error": power_law_error,
        "straight": lambda: np.broadcast_to(t, (n, n_sizes)),
        "two logistics": two_logistics,
        "fall": logistic,
    }
    share = shapes[kind]()
    share = share - share[:, :1]
    share = share / share[:, -1:]
    return 1 - share if kind == "fall" else share


def _jump(rng: np.random.Generator, n: int, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 1) midpoints and (n, K) steps from 0 to 1, nearly a quarter of which are practically vertical."""
    midpoint, width = rng.uniform(1, t.size - 2, (n, 1)), np.maximum(rng.uniform(-0.3, 1.0, (n, 1)), 1e-6)
    return midpoint, rise(t - midpoint, width)


def _runs(mean: np.ndarray, noise: float, n_seeds: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(n, K, S) expected scores of runs, and scores with noise, in [0, 1]."""
    expected = np.broadcast_to(mean[:, :, None], (*mean.shape, n_seeds))
    return expected, np.clip(expected + noise * rng.standard_normal(expected.shape), 0, 1)


def _curves(
    kind: str, expected: np.ndarray, values: np.ndarray, n_eval: int, midpoint: np.ndarray, height: np.ndarray
) -> PlantedCurves:
    n = len(values)
    return PlantedCurves(kind, values, expected, np.full(n, n_eval), np.zeros(n), midpoint[:, 0], height[:, 0])
