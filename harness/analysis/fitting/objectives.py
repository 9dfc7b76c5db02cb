"""What a fit minimises: the sum over points of weight x rho(value; y), and rho's derivatives by the value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, digamma, polygamma


class Objective(ABC):
    """rho of a law's value against an observed y, both on the law's scale."""

    @abstractmethod
    def rho(self, value: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The cost of each point, (b, n): least where the value is y, and >= 0 up to a constant."""

    @abstractmethod
    def derivatives(self, value: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """d rho / d value, d2 rho / d value2, and a curvature that is always positive, for Gauss-Newton steps.

        Each (b, n), or of a shape that broadcasts to it.
        """

    def rows(self, chosen: np.ndarray | slice) -> Objective:
        """The objective of some of the data sets of a batch."""
        return self

    def points(self, chosen: np.ndarray) -> Objective:
        """The objective where each data set has the points (b, m) that are chosen for it."""
        return self


@dataclass(frozen=True)
class Squares(Objective):
    """Half the squared difference: of ln y for laws on that scale, so that relative errors count alike."""

    def rho(self, value: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 0.5 * (value - y) ** 2

    def derivatives(self, value: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        one = np.ones((1, 1))
        return value - y, one, one


@dataclass(frozen=True)
class Huber(Objective):
    """Huber 1964: squared up to `delta`, then linear; delta 1e-3 on ln loss in Hoffmann et al. 2022, section 3.3."""

    delta: float = 1e-3

    def rho(self, value: np.ndarray, y: np.ndarray) -> np.ndarray:
        size = np.abs(value - y)
        inner = np.minimum(size, self.delta)
        return inner * (size - 0.5 * inner)

    def derivatives(self, value: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        residual = value - y
        slope = np.clip(residual, -self.delta, self.delta)
        size = np.abs(residual)
        return slope, (size <= self.delta).astype(float), self.delta / np.maximum(size, self.delta)


@dataclass(frozen=True)
class OneSided(Huber):
    """Huber's function, `penalty` times as costly for a run below the law as for one above.

    The law is then drawn towards the runs of least loss: badly tuned runs lie above it, and none lie far below.
    It is that of an M-quantile (Breckling and Chambers 1988), with a large `delta` of an expectile (Newey and Powell
    1987): of runs whose errors are symmetric it estimates a curve below the middle one.
    """

    penalty: float = 10.0

    def _asymmetry(self, value: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where(value > y, self.penalty, 1.0)

    def rho(self, value: np.ndarray, y: np.ndarray) -> np.ndarray:
        return super().rho(value, y) * self._asymmetry(value, y)

    def derivatives(self, value: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        slope, exact, safe = super().derivatives(value, y)
        asymmetry = self._asymmetry(value, y)
        return slope * asymmetry, exact * asymmetry, safe * asymmetry


#: Least distance of probabilities from 0 and 1, where a log likelihood and its derivatives are not finite.
_EDGE = 1e-9


@dataclass(frozen=True)
class Binomial(Objective):
    """Minus the log likelihood of y n correct answers out of n; n enters as the point's weight."""

    def rho(self, value: np.ndarray, y: np.ndarray) -> np.ndarray:
        p = np.clip(value, _EDGE, 1 - _EDGE)
        return -(y * np.log(p) + (1 - y) * np.log1p(-p))

    def derivatives(self, value: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        p = np.clip(value, _EDGE, 1 - _EDGE)
        return (p - y) / (p * (1 - p)), y / p**2 + (1 - y) / (1 - p) ** 2, 1 / (p * (1 - p))


@dataclass(frozen=True)
class BetaBinomial(Objective):
    """Minus the log likelihood where each run has a success rate of its own, Beta about the law's value.

    Attributes:
        n: (n,) or (b, n) answers of each run.
        rho_seeds: (b, 1) correlation of the answers of one run, in (0, 1): its seed's deviation. 0 would be binomial.
    """

    n: np.ndarray
    rho_seeds: np.ndarray

    def rows(self, chosen: np.ndarray | slice) -> Objective:
        return BetaBinomial(self.n[chosen] if self.n.ndim == 2 else self.n, self.rho_seeds[chosen])

    def points(self, chosen: np.ndarray) -> Objective:
        n = self.n[chosen] if self.n.ndim == 1 else np.take_along_axis(self.n, chosen, axis=1)
        return BetaBinomial(n, self.rho_seeds)

    def _shape(self, value: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
        p = np.clip(value, _EDGE, 1 - _EDGE)
        total = (1 - self.rho_seeds) / self.rho_seeds
        return total, p * total, (1 - p) * total, y * self.n, (1 - y) * self.n

    def rho(self, value: np.ndarray, y: np.ndarray) -> np.ndarray:
        _, a, b, right, wrong = self._shape(value, y)
        return betaln(a, b) - betaln(a + right, b + wrong)

    def derivatives(self, value: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        total, a, b, right, wrong = self._shape(value, y)
        slope = -total * (digamma(a + right) - digamma(a) - digamma(b + wrong) + digamma(b))
        curved = -(total**2) * (polygamma(1, a + right) - polygamma(1, a) + polygamma(1, b + wrong) - polygamma(1, b))
        p = a / total
        expected = self.n / (p * (1 - p) * (1 + (self.n - 1) * self.rho_seeds))
        return slope, curved, np.broadcast_to(expected, slope.shape)
