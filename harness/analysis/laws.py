"""Laws in one variable as pure forms: value, gradient, parameters, bounds, source. Estimators live in `fitting`.

A law is written in coordinates theta that a solver likes, over t = ln(x / centre) with the centre chosen by the
estimator (the geometric middle of the sizes); `public` turns theta into the parameters that people quote.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

#: Steepest exponent a fit may return; beyond it the curve is a wall and a floor, not a power law.
MAX_EXPONENT = 10.0

#: A law that the runs are further from than this, as the root mean square of their ln residuals, describes nothing.
NO_LAW = 0.25


class Law(ABC):
    """One form y(x) > 0.

    Attributes:
        name: key in `LAWS`.
        formula: for people.
        source: where it is from.
        parameters: public names, in the order of `public`.
        bounds: (low, high) of each coordinate of theta.
        bound_messages: for a coordinate stuck at (low, high), what that says of the data; '' where it cannot be.
    """

    name: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]
    parameters: ClassVar[tuple[str, ...]]
    bounds: ClassVar[tuple[tuple[float, float], ...]]
    bound_messages: ClassVar[tuple[tuple[str, str], ...]]

    @property
    def min_sizes(self) -> int:
        """Distinct sizes below which the law cannot be judged: one more than its parameters."""
        return len(self.parameters) + 1

    @abstractmethod
    def log_value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """ln y at t (n,) for theta (..., p): (..., n)."""

    @abstractmethod
    def gradient(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """d ln y / d theta: (..., n, p)."""

    @abstractmethod
    def starts(self, t: np.ndarray, log_y: np.ndarray) -> np.ndarray:
        """(s, p) places for a solver to begin, given data t (n,) and log_y (n,)."""

    @abstractmethod
    def public(self, theta: np.ndarray, centre: float) -> np.ndarray:
        """(..., p) parameters in the order of `parameters`, in units of y and x."""


class Power(Law):
    """y = A x^-alpha; theta = (ln y at the centre, alpha)."""

    name = "power"
    formula = "A x^-alpha"
    source = "Hestness et al. 2017; Kaplan et al. 2020, eq. 1.1"
    parameters = ("A", "alpha")
    bounds = ((-np.inf, np.inf), (-MAX_EXPONENT, MAX_EXPONENT))
    bound_messages = (("", ""), ("y climbs like a wall", "y falls like a wall"))

    def log_value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return theta[..., :1] - theta[..., 1:] * t

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        one = np.ones((*theta.shape[:-1], len(t)))
        return np.stack([one, -t * one], axis=-1)

    def starts(self, t: np.ndarray, log_y: np.ndarray) -> np.ndarray:
        slope, level = np.polyfit(t, log_y, 1)
        return np.array([[level, np.clip(-slope, *self.bounds[1])]])

    def public(self, theta: np.ndarray, centre: float) -> np.ndarray:
        log_level, alpha = theta[..., 0], theta[..., 1]
        return np.stack([np.exp(log_level + alpha * np.log(centre)), alpha], axis=-1)


class PowerWithFloor(Law):
    """y = E + A x^-alpha with E >= 0; theta = (ln y at the centre, alpha, share of the floor E in y at the centre)."""

    name = "power_floor"
    formula = "E + A x^-alpha"
    source = "Henighan et al. 2020, eq. 1.1; Hoffmann et al. 2022, eq. 2 in one variable"
    parameters = ("E", "A", "alpha")
    bounds = ((-np.inf, np.inf), (1e-4, MAX_EXPONENT), (0.0, 1 - 1e-9))
    bound_messages = (
        ("", ""),
        ("y does not fall with x", "y falls to its floor between two sizes: sizes where it falls are lacking"),
        (
            "E = 0: the data do not bend towards a floor; larger sizes, or the pure power law",
            "y is flat: smaller sizes are lacking",
        ),
    )

    def log_value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return theta[..., :1] + np.log(self._relative(t, theta)[0])

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        value, falling = self._relative(t, theta)
        share = theta[..., 2:3]
        return np.stack([np.ones_like(value), -t * (1 - share) * falling / value, (1 - falling) / value], axis=-1)

    @staticmethod
    def _relative(t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """y over its value at the centre, and the falling power alone."""
        falling = np.exp(-theta[..., 1:2] * t)
        share = theta[..., 2:3]
        return share + (1 - share) * falling, falling

    def starts(self, t: np.ndarray, log_y: np.ndarray) -> np.ndarray:
        exponents = np.array([0.03, 0.1, 0.3, 0.6, 1.0, 2.0])
        shares = np.array([0.0, 0.3, 0.7, 0.95])
        alpha, share = (grid.ravel() for grid in np.meshgrid(exponents, shares))
        return np.stack([np.full_like(alpha, np.mean(log_y)), alpha, share], axis=-1)

    def public(self, theta: np.ndarray, centre: float) -> np.ndarray:
        log_level, alpha, share = theta[..., 0], theta[..., 1], theta[..., 2]
        level = np.exp(log_level)
        return np.stack([level * share, level * (1 - share) * centre**alpha, alpha], axis=-1)


LAWS: dict[str, Law] = {law.name: law for law in (Power(), PowerWithFloor())}
