"""Single curves that the method was asked to get right: steps that stand on slopes, and the slopes without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from planted_slopes import Slope, evaluated, pairs_of_tokens, straight

from harness.datasets import PlantedCurves, PlantedPairs
from harness.datasets.kinds import rise


@dataclass(frozen=True)
class Example:
    """A smooth mean and a step on top of it.

    Attributes:
        smooth: (K,) sizes in steps -> (K,) expected scores without the step.
        n_sizes, n_seeds: of the ladder.
        height, place: of the step, in units of the score and in steps.
    """

    smooth: Callable[[np.ndarray], np.ndarray]
    n_sizes: int
    n_seeds: int
    height: float
    place: float

    def plant(self, step: int, rng: np.random.Generator, n: int) -> PlantedCurves:
        """`n` curves with the step (1) or without it (0): spread .02, 1,000 items."""
        mean, midpoint, height = self._truth(step, n)
        slope = Slope(straight, np.arange(float(self.n_sizes)), n_seeds=self.n_seeds)
        return evaluated(slope, np.repeat(mean[:, :, None], self.n_seeds, axis=2), midpoint, height, rng)

    def plant_pairs(self, step: int, rng: np.random.Generator, n: int) -> PlantedPairs:
        """`n` pairs whose token accuracy is the curve, and whose exact match is its fifth power."""
        return pairs_of_tokens(*self._truth(step, n), self.n_seeds, 0.02, rng)

    def _truth(self, step: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        z = np.arange(float(self.n_sizes))
        mean = self.smooth(z) + step * self.height * (z > self.place)
        return np.tile(mean, (n, 1)), np.full((n, 1), self.place), np.full((n, 1), self.height)


#: Judged as a pair.
PAIR = ".2 + .05 z + .3 [z > 3.5], and its fifth power"
EXAMPLES = {
    PAIR: Example(lambda z: 0.2 + 0.05 * z, 8, 3, 0.3, 3.5),
    ".02 + .05 z + .2 [z > 5.5]": Example(lambda z: 0.02 + 0.05 * z, 12, 3, 0.2, 5.5),
    ".05 + .04 z + .3 [z > 3.1]": Example(lambda z: 0.05 + 0.04 * z, 8, 5, 0.3, 3.1),
    "plateau after a rise + .15 [z > 5.5]": Example(lambda z: 0.1 + 0.5 * rise(z - 1, 4), 8, 3, 0.15, 5.5),
    "plateau after a rise + .15 [z > 8.5]": Example(lambda z: 0.1 + 0.5 * rise(z - 1, 4), 12, 3, 0.15, 8.5),
}
