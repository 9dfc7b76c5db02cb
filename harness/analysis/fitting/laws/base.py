"""What a law is: value, gradient, parameters, bounds, starts and source. Estimators live in `analysis.fitting`.

A law is written in coordinates theta that a solver likes, over t = ln(x / centre) (or x - centre), with the centre
chosen by the estimator; `public` turns theta into the parameters that people quote. Arrays are batched: theta (..., p),
t (d, n) or (b, d, n) for d variables, values (..., n).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

#: Steepest exponent a fit may return; beyond it the curve is a wall and a floor, not a power law.
MAX_EXPONENT = 10.0

#: A law that the runs are further from than this, as the root mean square of their ln residuals, describes nothing.
NO_LAW = 0.25

#: Step of differences where a law gives no second derivatives of its own.
_STEP = 1e-5


class Law(ABC):
    """One form y(x).

    A new law is a subclass with the five abstract methods and an entry in `LAWS`; tests of its gradient and of the
    recovery of planted truth then run on it without more.

    Attributes:
        name: key in `LAWS`.
        formula: for people.
        source: where it is from.
        variables: of x, in order.
        parameters: public names, in the order of `public`.
        log_parameters: those among them that are positive and have wide intervals, better judged by their logarithm.
        scale: what `value` returns: 'log' for ln y (y > 0), 'linear' for y.
        x_scale: what t is: 'log' for ln(x / centre) (x > 0), 'linear' for x - centre.
        objective: what its source fits it by, a name of `fitting.OBJECTIVES`.
        n_starts: that a fit follows to their end.
        exponents: parameters without unit whose interval tells whether the law is identified.
    """

    name: str
    formula: ClassVar[str]
    source: ClassVar[str]
    variables: ClassVar[tuple[str, ...]] = ("x",)
    parameters: tuple[str, ...]
    log_parameters: frozenset[str] = frozenset()
    scale: ClassVar[Literal["log", "linear"]] = "log"
    x_scale: ClassVar[Literal["log", "linear"]] = "log"
    exponents: tuple[str, ...] = ()
    objective: ClassVar[str] = "squares"
    n_starts: int = 6

    @property
    def min_points(self) -> int:
        """Distinct places of x below which the law cannot be judged: one more than its parameters."""
        return len(self.parameters) + 1

    @abstractmethod
    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """ln y, or y where the scale is linear: (b, n) for theta (b, p)."""

    @abstractmethod
    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The value (b, n) and its derivatives by theta (b, p, n)."""

    @abstractmethod
    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Low and high bound of each coordinate, (p,) or (b, p); y on the law's scale."""

    @abstractmethod
    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        """(b, keep, p) places for a solver to begin; y, weight (b, n), y on the law's scale."""

    @abstractmethod
    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        """(..., P) parameters in the order of `parameters`; centre (d,) in units of x, y in multiples of `unit`."""

    @abstractmethod
    def planted(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """(n, p) theta of laws as they occur, told apart by data over t in [-3, 3]; for tests of recovery."""

    def curvature(self, t: np.ndarray, theta: np.ndarray, weight: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """sum_i weight_i d2 value_i / d theta2: (b, p, p); here by differences of the gradient.

        Args:
            weight: (b, n).
            slopes: (b, p, n), the gradient at theta, which a law may know how to use.
        """
        columns = []
        for j in range(theta.shape[-1]):
            step = np.zeros_like(theta)
            step[..., j] = _STEP * (1 + np.abs(theta[..., j]))
            ahead = np.einsum("bpn,bn->bp", self.gradient(t, theta + step)[1], weight)
            behind = np.einsum("bpn,bn->bp", self.gradient(t, theta - step)[1], weight)
            columns.append((ahead - behind) / (2 * step[..., j : j + 1]))
        matrix = np.stack(columns, axis=-1)
        return (matrix + np.swapaxes(matrix, -1, -2)) / 2

    def judged(self, theta: np.ndarray, index: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        """(b,) the public parameter `index` (b,) of each theta (b, p); its logarithm for `log_parameters`."""
        logarithm = np.array([name in self.log_parameters for name in self.parameters])[index]
        public = self.public(theta, centre, unit)[np.arange(len(theta)), index]
        return np.where(logarithm, np.log(np.maximum(public, 1e-300)), public)

    def canonical(self, theta: np.ndarray) -> np.ndarray:
        """theta (..., p) as it is told, where several say the same: breaks in the order of their places."""
        return theta

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        """What a fit that stands at this bound says of the data; '' where it says nothing."""
        return ""


def grid(*axes: Sequence[float] | np.ndarray) -> np.ndarray:
    """(s, len(axes)) all combinations."""
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=-1)


def within(rng: np.random.Generator, n: int, limits: Sequence[tuple[float, float]]) -> np.ndarray:
    """(n, len(limits)) numbers drawn evenly between the limits of each column."""
    low, high = np.array(limits, dtype=float).T
    return rng.uniform(low, high, (n, len(limits)))


def amplitudes(basis: np.ndarray, target: np.ndarray, weight: np.ndarray, positive: bool) -> np.ndarray:
    """Linear least squares, the inner step of variable projection (Golub and Pereyra 1973), batched.

    Args:
        basis: (..., K, n).
        target, weight: (..., n).
        positive: whether amplitudes that come out negative are held at 0 and the others solved again.

    Returns:
        (..., K) amplitudes.
    """
    weighted = basis * weight[..., None, :]
    normal = weighted @ np.swapaxes(basis, -1, -2)
    right = np.einsum("...kn,...n->...k", weighted, target)
    size = np.sqrt(np.maximum(np.einsum("...kk->...k", normal), 1e-300))
    normal = normal / (size[..., :, None] * size[..., None, :])
    right = right / size
    free = np.ones(right.shape, dtype=bool)
    eye = np.eye(right.shape[-1])
    solution = np.zeros_like(right)
    for _ in range(right.shape[-1] if positive else 1):
        matrix = np.where(free[..., :, None] & free[..., None, :], normal, 0.0)
        matrix = matrix + eye * np.where(free, 1e-12, 1.0)[..., None, :]
        solution = np.where(free, np.linalg.solve(matrix, np.where(free, right, 0.0)[..., None])[..., 0], 0.0)
        negative = free & (solution < 0)
        if not positive or not negative.any():
            break
        free &= ~negative
    return solution / size if not positive else np.maximum(solution, 0.0) / size


def best(candidates: np.ndarray, cost: np.ndarray, keep: int) -> np.ndarray:
    """(b, keep, p) of candidates (b, s, p): those of lowest cost (b, s), the lowest first."""
    keep = min(keep, cost.shape[1])
    cost = np.where(np.isfinite(cost), cost, np.inf)
    order = np.argsort(cost, axis=1, kind="stable")[:, :keep]
    return np.take_along_axis(candidates, order[..., None], axis=1)
