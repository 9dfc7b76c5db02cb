"""The loss of a law as compute grows from a place: along the compute-optimal frontier, or at one D / N."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.planning.allocation import optimal_log_size, surface

#: Newton steps for the compute at which a loss is reached; one is exact along a frontier.
_STEPS = 40


@dataclass(frozen=True)
class Place:
    """A compute on the frontier, or N and D whose compute it is."""

    compute: float
    size: float = float("nan")
    tokens: float = float("nan")


@dataclass(frozen=True)
class Growth:
    """Loss of b fits as compute grows g times from a place: floor + sum_i amplitude_i g^-exponent_i.

    Attributes:
        floor: (b,).
        amplitudes, exponents: (b, m).
    """

    floor: np.ndarray
    amplitudes: np.ndarray
    exponents: np.ndarray

    @classmethod
    @np.errstate(over="ignore", invalid="ignore")  # of steps that are too far, and are taken back
    def of(cls, law: str, public: np.ndarray, place: Place, k: float) -> Growth:
        """From parameters (b, P): along the frontier, or from the place's N and D at one D / N."""
        if law in ("power", "power_floor"):
            floor, amplitude, alpha = (np.zeros(len(public)), *public.T) if law == "power" else public.T
            return cls(floor, (amplitude * place.compute**-alpha)[:, None], alpha[:, None])
        floor, a, b, alpha, beta = surface(law, public)
        frontier = not np.isfinite(place.size)
        log_product = np.log(place.compute / k)
        log_n = optimal_log_size((a, b, alpha, beta), log_product) if frontier else np.log(place.size)
        terms = np.stack([a * np.exp(-alpha * log_n), b * np.exp(-beta * (log_product - log_n))], axis=1)
        if frontier:
            return cls(floor, terms.sum(axis=1, keepdims=True), (alpha * beta / (alpha + beta))[:, None])
        return cls(floor, terms, np.stack([alpha, beta], axis=1) / 2)

    @property
    def above(self) -> np.ndarray:
        """(b,) loss above the floor at the place."""
        return np.maximum(self.amplitudes.sum(axis=1), 1e-300)

    @property
    def loss(self) -> np.ndarray:
        return self.floor + self.above

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def log_growth(self, loss: np.ndarray) -> np.ndarray:
        """ln g (b,) at which the loss (b,) is reached, inf where none is enough."""
        wanted = np.log(np.maximum(loss - self.floor, 1e-300))
        logs, g = np.log(np.maximum(self.amplitudes, 1e-300)), np.zeros(len(wanted))
        for _ in range(_STEPS):  # ln of a sum of exponentials is convex in g: Newton's steps cannot leave it
            terms = logs - self.exponents * g[:, None]
            total = np.logaddexp.reduce(terms, axis=1)
            slope = np.sum(self.exponents * np.exp(terms - total[:, None]), axis=1)
            step = (total - wanted) / slope
            g = g + step
            if np.all(np.abs(step) <= 1e-14 * (1 + np.abs(g))):
                break
        return np.where(loss > self.floor, g, np.inf)

    def steepness(self, log_growth: np.ndarray) -> np.ndarray:
        """(b,) -d ln(loss above the floor) / d ln g there."""
        terms = np.log(np.maximum(self.amplitudes, 1e-300)) - self.exponents * log_growth[:, None]
        return np.sum(self.exponents * np.exp(terms - np.logaddexp.reduce(terms, axis=1)[:, None]), axis=1)
