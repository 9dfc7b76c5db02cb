"""The curve of loss over size of one budget, and where its minimum is: a parabola's vertex, or the lowest run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from scipy.special import ndtri, stdtrit

#: Fewest sizes of a budget: with three a parabola goes through all of them, and nothing is left to judge it by.
MIN_SIZES = 4
#: Highest degree of the polynomial in ln N that stands for the curve that lowest runs were drawn from: a cubic can be
#: lopsided, as surfaces are.
_DEGREE = 3
#: Level at which residuals, resampled as they are, are widened for few degrees of freedom: by Student's t over normal.
_WIDENED_AT = 0.95


class MinimumStatus(StrEnum):
    """Whether a budget's curve has a minimum that can be quoted."""

    ACCEPTED = "accepted"
    TOO_FEW = "too few sizes"
    CURVATURE = "curves downwards"
    EDGE = "minimum beyond the sizes measured"


class Curve(ABC):
    """The runs of one budget, smoothed by a polynomial in ln N, and their minimum.

    Attributes:
        size: (n,) ln N of each run.
        residual: (n,) of the polynomial, as a share of the budget's mean loss.
        freedom: degrees of freedom that it leaves.
        status: whether there is a minimum that can be quoted.
        place: of the minimum in ln N; NaN unless accepted.
        least: loss there.
        resolution: ln N between which nothing can be told apart, however little the losses scatter; NaN for none.
    """

    status: MinimumStatus
    place: float
    least: float
    resolution: tuple[float, float] = (np.nan, np.nan)

    def __init__(self, size: np.ndarray, loss: np.ndarray, degree: int) -> None:
        self.size, self.middle, self.ends = size, size.mean(), (size.min(), size.max())
        design = np.stack([(size - self.middle) ** k for k in range(degree + 1)], axis=1)
        self.inverse = np.linalg.pinv(design)
        self.fitted = design @ (self.inverse @ loss)
        self._scale = loss.mean()
        self.residual = (loss - self.fitted) / self._scale
        self.freedom = max(len(size) - degree - 1, 0)

    @abstractmethod
    def resampled(self, noise: np.ndarray, shared: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(b,) places of the minima of resampled data, NaN where one is not accepted.

        Args:
            noise: residuals to draw from; none where nothing is known of the noise.
            shared: (b,) uniform in (-1/2, 1/2), the same at every budget.
        """

    def _drawn(self, noise: np.ndarray, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """(n_draws, n) losses about the polynomial."""
        return self.fitted + self._scale * rng.choice(noise, size=(n_draws, len(self.size)))


class Parabola(Curve):
    """loss = a + b (ln N - m) + c (ln N - m)^2 of one budget."""

    def __init__(self, size: np.ndarray, loss: np.ndarray) -> None:
        super().__init__(size, loss, degree=2)
        place, least, curvature = self._vertex(loss)
        self.least = float(least)
        self._enough = len(np.unique(size)) >= MIN_SIZES
        if not self._enough:
            self.status, self.freedom = MinimumStatus.TOO_FEW, 0
        elif curvature <= 0:
            self.status = MinimumStatus.CURVATURE
        else:
            inside = self.ends[0] < place < self.ends[1]
            self.status = MinimumStatus.ACCEPTED if inside else MinimumStatus.EDGE
        self.place = float(place) if self.status is MinimumStatus.ACCEPTED else np.nan

    def _vertex(self, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Place in ln N, least loss, and curvature, of loss (..., n)."""
        a, b, c = np.moveaxis(loss @ self.inverse.T, -1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.middle - b / (2 * c), a - b**2 / (4 * c), c

    def resampled(self, noise: np.ndarray, shared: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if not self._enough or not len(noise):
            return np.full(len(shared), np.nan)
        place, _, curvature = self._vertex(self._drawn(noise, len(shared), rng))
        inside = (curvature > 0) & (place > self.ends[0]) & (place < self.ends[1])
        return np.where(inside, place, np.nan)


class LowestRun(Curve):
    """The run of lowest loss of one budget.

    It is known to the gap between sizes at best: the minimum lies anywhere from the next smaller size to the next
    larger one.
    """

    def __init__(self, size: np.ndarray, loss: np.ndarray) -> None:
        self._sizes, self._which = np.unique(size, return_inverse=True)
        super().__init__(size, loss, degree=min(_DEGREE, max(len(self._sizes) - 2, 0)))
        best = int(np.argmin(loss))
        self.least = float(loss[best])
        if len(self._sizes) < MIN_SIZES - 1:
            self.status = MinimumStatus.TOO_FEW
        else:
            inside = self.ends[0] < size[best] < self.ends[1]
            self.status = MinimumStatus.ACCEPTED if inside else MinimumStatus.EDGE
        self.place = np.nan
        if self.status is MinimumStatus.ACCEPTED:
            at = self._which[best]
            self.place = float(self._sizes[at])
            self.resolution = (float(self._sizes[at - 1]), float(self._sizes[at + 1]))

    def resampled(self, noise: np.ndarray, shared: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The minimum of a draw lies between the neighbours of its lowest run, most likely at that run.

        Half of its distance from the run is the same at every budget, as it is where sizes are spaced alike about each
        optimum; the other half is the budget's own, as it is where all budgets have the same sizes.
        """
        drawn = self._drawn(noise if len(noise) else np.zeros(1), len(shared), rng)
        at = self._which[np.argmin(drawn, axis=1)]
        inside = (at > 0) & (at < len(self._sizes) - 1)
        if not inside.any():
            return np.full(len(shared), np.nan)
        at = np.clip(at, 1, len(self._sizes) - 2)
        off = shared + rng.uniform(-0.5, 0.5, len(shared))
        gap = np.where(off > 0, self._sizes[at + 1] - self._sizes[at], self._sizes[at] - self._sizes[at - 1])
        return np.where(inside, self._sizes[at] + off * gap, np.nan)


def pooled_residuals(curves: Sequence[Curve]) -> np.ndarray:
    """Residuals of all budgets together, widened for the parameters that each polynomial took and for few runs."""
    judged = [curve for curve in curves if curve.freedom]
    if not judged:
        return np.empty(0)
    residual = np.concatenate([curve.residual for curve in judged])
    freedom = sum(curve.freedom for curve in judged)
    tail = (1 + _WIDENED_AT) / 2
    student = stdtrit(freedom, tail) / ndtri(tail)
    return np.asarray((residual - residual.mean()) * np.sqrt(len(residual) / freedom) * student)
