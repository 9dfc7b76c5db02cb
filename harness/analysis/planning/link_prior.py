"""What is believed of a task's link before its runs are seen.

Where a metric has not risen far, its runs do not say where the rise ends or how wide it is, and a free fit takes any
ceiling: the lowest, for accuracies that are still low. Weak priors hold such a forecast near what benchmarks do, and a
metric that has moved overrules them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

#: Standard deviation of the floor about the share of the runs of greatest loss; and about the chance level, where it is
#: known. And that of the level of a metric that does not move, about its mean.
FLOOR_SD, CHANCE_SD, LEVEL_SD = 0.05, 0.03, 0.03
#: Scale of 1 - ceiling, half normal.
CEILING_SCALE = 0.1
#: Mean and standard deviation of ln(width / standard deviation of the losses).
WIDTH, WIDTH_SD = 0.0, 1.0
#: Scale of (place - mean loss) / standard deviation of the losses: Student's t with `PLACE_FREEDOM` degrees of freedom.
PLACE_SCALE, PLACE_FREEDOM = 4.0, 3.0
#: Standard deviation of a run about its link where the number of items is not known, and the standard deviation of its
#: logarithm. The noise of items is a better guess, and too large where all models answer the same items.
NOISE, NOISE_SD = 0.015, 0.7
#: Probability that a metric does not follow the loss at all.
FLAT_SHARE = 0.4


@dataclass(frozen=True)
class LinkPrior:
    """Independent priors of one task's link; losses in units of their standard deviation about their mean.

    Attributes:
        floor, floor_sd: normal, within [0, ceiling].
        level: mean of the share of a metric that does not move; normal with `LEVEL_SD`.
        ceiling_scale: of 1 - ceiling, half normal, within [0, 1].
        width, width_sd: of ln width, normal.
        noise, noise_sd: median of the standard deviation of a run, and standard deviation of its logarithm, normal.
    """

    floor: float
    floor_sd: float
    level: float
    noise: float
    noise_sd: float = NOISE_SD
    ceiling_scale: float = CEILING_SCALE
    width: float = WIDTH
    width_sd: float = WIDTH_SD
    flat: float = FLAT_SHARE

    def spread(self, shares: np.ndarray, clustered: bool) -> np.ndarray:
        """Theta (s, 4), as `log_density` takes it, of points (s, 4) spread over the unit cube."""
        u = np.clip(shares, 1e-6, 1 - 1e-6)
        place = PLACE_SCALE * special.stdtrit(PLACE_FREEDOM, u[:, 0])
        width = self.width + self.width_sd * special.ndtri(u[:, 1])
        noise = np.log(self.noise) + self.noise_sd * special.ndtri(u[:, 2])
        shared = np.log(np.tan(np.pi / 2 * u[:, 3])) if clustered else np.zeros(len(u))
        return np.stack([place, width, noise, shared], axis=1)

    def log_density(self, theta: np.ndarray, clustered: bool) -> np.ndarray:
        """ln of the density (s,) of theta (s, 4): place, ln width, ln noise, and ln of the variance shared in a cluster
        over that of a row, half Cauchy."""
        place, width, noise, shared = theta.T
        density = _log_normal(width, self.width, self.width_sd) + _log_normal(noise, np.log(self.noise), self.noise_sd)
        density += _log_t(place)
        if clustered:
            density += np.log(2 / np.pi) + shared - np.log1p(np.exp(2 * shared))
        return np.asarray(density)


def _log_t(x: np.ndarray) -> np.ndarray:
    """Of the place: Student's t of scale `PLACE_SCALE`."""
    nu = PLACE_FREEDOM
    peak = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - np.log(nu * np.pi) / 2 - np.log(PLACE_SCALE)
    return np.asarray(peak - (nu + 1) / 2 * np.log1p((x / PLACE_SCALE) ** 2 / nu))


def _log_normal(x: np.ndarray, mean: float, spread: float) -> np.ndarray:
    return np.asarray(-(((x - mean) / spread) ** 2) / 2 - np.log(spread) - np.log(2 * np.pi) / 2)
