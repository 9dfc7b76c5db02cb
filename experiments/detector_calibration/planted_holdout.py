"""Simulators that had no part in choosing anything: no constant, prior or kind of the calibration was tried on them.

Each is a kind of trend, of noise, of seeds or of ladder; a step up or down, or none, stands on it as in
`planted_slopes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from planted_slopes import HEIGHTS, TRENDS, Slope, Trend, evaluated, logistic, plant
from scipy.special import expit, logit

from harness.datasets import PlantedCurves
from harness.datasets.kinds import LOGIT_SPAN, SMOOTH_WIDTH, rise

#: (slope, step, rng, n) -> n curves, as `planted_slopes.plant`.
Plant = Callable[[Slope, int, np.random.Generator, int], PlantedCurves]
#: Most by which the places of two seeds that rise or jump apart differ, in steps.
APART = 3.0
#: Smallest and largest gap of an uneven ladder, before its median is made 1.
GAPS = (0.5, 2.0)
#: Ladders of an uneven cell; each has a calibration of its own, which takes seconds.
N_LADDERS = 10


def logit_scale(rng: np.random.Generator, expected: np.ndarray, spread: float) -> np.ndarray:
    """Normal on the logit scale, of standard deviation `spread` at a score of .5 and less towards 0 and 1."""
    score = np.clip(expected, 1e-3, 1 - 1e-3)
    return np.asarray(expit(logit(score) + 4 * spread * rng.standard_normal(expected.shape)))


def t3(rng: np.random.Generator, expected: np.ndarray, spread: float) -> np.ndarray:
    """Student's t with 3 degrees of freedom, scaled to the spread."""
    return np.asarray(expected + spread * rng.standard_t(3, expected.shape) / np.sqrt(3))


def size_dependent(rng: np.random.Generator, expected: np.ndarray, spread: float) -> np.ndarray:
    """From half to twice the spread along the ladder, or from twice to half."""
    n, n_sizes, _ = expected.shape
    along = np.linspace(-1, 1, n_sizes)[:, None] * rng.choice([-1, 1], (n, 1, 1))
    return np.asarray(expected + spread * 2.0**along * rng.standard_normal(expected.shape))


def double_logistic(rng: np.random.Generator, n: int, t: np.ndarray) -> np.ndarray:
    """Two rises of 4 to 6 steps, 4 steps or more apart: a plateau lies between them."""
    room = t[-1] - t[0]
    first = rng.uniform(t[0] - 1, t[0] + room / 3, (n, 1))
    second = np.maximum(first + 4, rng.uniform(t[0] + room / 2, t[-1] + 1, (n, 1)))
    share = rng.uniform(0.3, 0.7, (n, 1))
    widths = rng.uniform(SMOOTH_WIDTH, 1.5 * SMOOTH_WIDTH, (2, n, 1))
    return np.asarray(share * rise(t - first, widths[0]) + (1 - share) * rise(t - second, widths[1]))


def broken_power_law(rng: np.random.Generator, n: int, t: np.ndarray) -> np.ndarray:
    """The error is a power law of size whose exponent changes once, over 4 to 8 steps (Caballero et al. 2022)."""
    width = rng.uniform(SMOOTH_WIDTH, 2 * SMOOTH_WIDTH, (n, 1)) / LOGIT_SPAN
    past = (t - rng.uniform(t[1], t[-2], (n, 1))) / width
    before, after = rng.uniform(0.01, 0.2, (n, 1)), rng.uniform(0.01, np.log(9) / SMOOTH_WIDTH, (n, 1))
    return np.asarray(-np.exp(-before * (t - t[0]) - (after - before) * width * np.logaddexp(0, past)))


def gompertz(rng: np.random.Generator, n: int, t: np.ndarray) -> np.ndarray:
    """exp(-exp(-u)) or its mirror image, 4 to 8 steps from 10 to 90 %."""
    width = rng.uniform(SMOOTH_WIDTH, 2 * SMOOTH_WIDTH, (n, 1))
    u = 3.08 * (t - rng.uniform(t[0] - 1, t[-1] + 1, (n, 1))) / width
    return np.where(rng.random((n, 1)) < 0.5, np.exp(-np.exp(-u)), 1 - np.exp(-np.exp(u)))


def one_of_trends(rng: np.random.Generator, n: int, t: np.ndarray) -> np.ndarray:
    """Each curve one of the trends of `planted_slopes`, of range 1."""
    shapes = np.stack([trend(rng, n, t) for trend in TRENDS.values()])
    shapes = shapes / np.ptp(shapes, axis=2, keepdims=True)
    return np.asarray(shapes[rng.integers(len(shapes), size=n), np.arange(n)])


def uneven(rng: np.random.Generator, n_sizes: int) -> np.ndarray:
    """(K,) sizes with gaps of .5 to 2, log-uniform, of median 1."""
    gaps = np.exp(rng.uniform(*np.log(GAPS), n_sizes - 1))
    return np.concatenate([[0.0], np.cumsum(gaps / np.median(gaps))])


def plant_apart(slope: Slope, step: int, rng: np.random.Generator, n: int) -> PlantedCurves:
    """A straight trend on which each seed rises smoothly (step 0), jumps or drops at a place of its own."""
    t = slope.t
    middle = rng.uniform(t[1] + APART / 2, t[-2] - APART / 2, (n, 1, 1))
    own = middle + rng.uniform(-APART / 2, APART / 2, (n, 1, slope.n_seeds))
    width = rng.uniform(SMOOTH_WIDTH, 2 * SMOOTH_WIDTH, (n, 1, 1)) if not step else rng.uniform(0.01, 1.0, (n, 1, 1))
    share = rise(t[:, None] - own, width)
    height = rng.uniform(*HEIGHTS, (n, 1))
    trend = (rng.uniform(*slope.rises, (n, 1)) * (t - t[0]) / (t[-1] - t[0]))[:, :, None]
    expected = slope.lowest[0] + trend + height[:, :, None] * (share if step >= 0 else 1 - share)
    return evaluated(slope, expected, own.mean(axis=2), height, rng)


@dataclass(frozen=True)
class Simulator:
    """How the curves of one row are planted: what differs from a logistic trend, three seeds and an even ladder."""

    trend: Trend = logistic
    plant: Plant = plant
    changes: tuple[tuple[str, object], ...] = ()
    uneven: bool = False

    def slope(self, t: np.ndarray, spread: float) -> Slope:
        return replace(Slope(self.trend, t, spread=spread), **dict(self.changes))


SIMULATORS = {
    "spread on the logit scale": Simulator(changes=(("deviate", logit_scale),)),
    "t3 seeds": Simulator(changes=(("deviate", t3),)),
    "size-dependent spread": Simulator(changes=(("deviate", size_dependent),)),
    "seeds apart": Simulator(plant=plant_apart),
    "double logistic": Simulator(double_logistic),
    "broken power law": Simulator(broken_power_law),
    "Gompertz": Simulator(gompertz),
    "below-chance start": Simulator(
        changes=(("chance", 0.25), ("lowest", (0.08, 0.2)), ("rises", (0.2, 0.4))),
    ),
    "uneven ladder": Simulator(one_of_trends, uneven=True),
    "one seed": Simulator(one_of_trends, changes=(("n_seeds", 1),)),
}
