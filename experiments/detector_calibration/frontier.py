"""The most power that any test can have against a whole set of smooth curves, the noise known.

By Neyman and Pearson a test that keeps its level at every member of a set has, against means at distance d from it in
standard deviations, at most the power Phi(d + Phi^-1(level)).
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from cells import SPREADS
from examination import ALPHA
from planted_slopes import TRENDS, Slope, plant
from scipy.special import ndtr, ndtri

from harness.analysis.emergence.rise_shapes import shapes_of
from harness.analysis.emergence.smooth_null import SmoothNull
from harness.datasets import PlantedCurves, draw_curves

#: Squared sine of the angle between two shapes below which they count as one.
MIN_SINE_SQUARED = 1e-9
#: Spreads on slopes for which the frontier is shown.
SLOPE_SPREADS = (0.02, 0.04)


def on_slopes(n_sizes: int, n: int, seed: int) -> pd.DataFrame:
    """A row a curve with a step up: highest power against every sum of two smooth shapes, and against the whole cone.

    Shapes are those that the library weighs, with heights of either sign. Falls are not in the cone.
    """
    t, parts = np.arange(float(n_sizes)), []
    for (family, trend), spread in product(TRENDS.items(), SLOPE_SPREADS):
        rng = np.random.default_rng([seed, n_sizes, round(1000 * spread), *family.encode()])
        planted = plant(Slope(trend, t, spread=spread), 1, rng, n)
        mean, variance = _known(planted, spread)
        null, about = SmoothNull(t), {"n_sizes": n_sizes, "family": family, "spread": spread}
        cone = [null.power(*each, ALPHA) for each in zip(mean, variance, strict=True)]
        pairs = ndtr(_distance_from_pairs(t, mean, variance) + ndtri(ALPHA))
        columns = {"height": planted.height, "two shapes": pairs, "cone": np.nan if family == "fall" else cone}
        parts.append(pd.DataFrame(columns).assign(**about))
    return pd.concat(parts)


def on_the_grid(n_sizes: int, n_seeds: int, n: int, seed: int) -> float:
    """Highest power on jumps of the grid, averaged over the spreads, of any test of the whole cone."""
    null, powers = SmoothNull(np.arange(float(n_sizes))), []
    for spread in SPREADS:
        planted = draw_curves("jump", n, n_sizes, n_seeds, spread, np.random.default_rng(seed))
        powers += [null.power(*each, ALPHA) for each in zip(*_known(planted, spread), strict=True)]
    return float(np.mean(powers))


def _known(planted: PlantedCurves, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """(n, K) true means, and the variances of means over seeds."""
    mean = planted.expected.mean(axis=2)
    n_seeds = planted.expected.shape[2]
    return mean, (mean * (1 - mean) / planted.n_eval[:, None] + spread**2 + 1e-9) / n_seeds


def _distance_from_pairs(t: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """(n,) distance of means (n, K) from the closest level plus two smooth shapes, in standard deviations."""
    shapes = shapes_of(t)
    stacked = np.stack([shape(t) for shape in (*shapes.combined, *shapes.single)])
    first, second = np.triu_indices(len(stacked), 1)
    distances = []
    for y, weight in zip(mean, 1 / variance, strict=True):
        # Without their level, in standard deviations; shapes of unit length.
        y, rises = (np.sqrt(weight) * (each - (each @ weight / weight.sum())[..., None]) for each in (y, stacked))
        rises /= np.linalg.norm(rises, axis=1, keepdims=True)
        along, cosine = rises @ y, np.sum(rises[first] * rises[second], axis=1)
        # Pairs that are nearly one shape explain no more than that shape but for rounding.
        free = cosine**2 < 1 - MIN_SINE_SQUARED
        a, b, cosine = along[first][free], along[second][free], cosine[free]
        explained = (a**2 + b**2 - 2 * a * b * cosine) / (1 - cosine**2)
        distances.append(np.sqrt(max(0.0, y @ y - explained.max())))
    return np.array(distances)
