"""Losses of runs from scratch and of pretrained ones together: pretraining is worth D_T further examples.

D_T = k D^alpha N^beta (Hernandez et al. 2021, "Scaling Laws for Transfer", eq. 1.1) is the effective data transferred
to a model of N parameters that is fine-tuned on D examples. A pretrained run has the loss that a run from scratch would
have on D_E = D + D_T. One law of both kinds of run gives k, alpha and beta with their intervals, without the loss ever
being turned around.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal

import numpy as np

from harness.analysis.fitting.laws.base import MAX_EXPONENT, MAX_WIDTH, Law
from harness.analysis.fitting.laws.powers import Hoffmann, Kaplan
from harness.analysis.fitting.laws.starts import best, grid

#: Starts: of the law from scratch, how many of its own; D_T / D at the centre, alpha and beta, in all combinations.
_START_FROM_SCRATCH = 4
_START_RATIOS, _START_ALPHAS, _START_BETAS = (0.1, 1.0, 10.0, 100.0), (0.0, 0.3, 0.8), (0.0, 0.35, 0.8)


class LossWithTransfer(Law):
    """The law `scratch` over N and D_E = D + pretrained k D^alpha N^beta, with `pretrained` 0 or 1.

    The published law says D_T alone where it is much larger than D; D + D_T holds for all D.

    theta = (that of the law from scratch, D_T / D at the centre, alpha, beta). The ratio is a coordinate itself, not
    its logarithm, so that it ends at exactly 0 where pretraining is worth nothing.

    Attributes:
        scratch: the law of runs from scratch, over N and D.
    """

    scratch: Law
    variables = ("N", "D", "pretrained")
    may_be_zero = frozenset({"pretrained"})
    widest: Mapping[str, float] = {"alpha": MAX_WIDTH, "beta": MAX_WIDTH}

    @abstractmethod
    def _slope_in_data(self, theta: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """d value / d ln D_E (b, n) of the law from scratch, of its theta and of the slopes (b, p, n) by that."""

    @property
    def measured(self) -> tuple[str, ...]:
        return self.variables[:2]

    def misplaced(self, places: np.ndarray) -> str:
        wrong = np.flatnonzero(~np.isin(places[:, 2], (0, 1)))
        if not wrong.size:
            return ""
        return f"row {wrong[0]}: pretrained = {places[wrong[0], 2]:g}: allowed are 0, from scratch, and 1, pretrained"

    def centre(self, places: np.ndarray) -> np.ndarray:
        return np.append(self.scratch.centre(places[:, :2]), 1.0)

    def coordinates(self, places: np.ndarray, centre: np.ndarray) -> np.ndarray:
        return np.vstack([self.scratch.coordinates(places[:, :2], centre[:2]), places[:, 2]])

    def _effective(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places (..., 2, n) over ln N and ln D_E; D_T / D at a ratio of 1; the share of D_E that is D_T."""
        ratio, alpha, beta = (theta[..., i, None] for i in (-3, -2, -1))
        size, data, pretrained = (t[..., i, :] for i in range(3))
        of_one = pretrained * np.exp(np.clip((alpha - 1) * data + beta * size, -300.0, 300.0))
        transferred = ratio * of_one
        places = np.stack(np.broadcast_arrays(size, data + np.log1p(transferred)), axis=-2)
        return places, of_one, transferred / (1 + transferred)

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return self.scratch.value(self._effective(t, theta)[0], theta[..., :-3])

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        places, of_one, share = self._effective(t, theta)
        value, slopes = self.scratch.gradient(places, theta[..., :-3])
        along = self._slope_in_data(theta, slopes)
        by_ratio = along * of_one / (1 + theta[..., -3, None] * of_one)
        further = np.stack([by_ratio, along * share * t[..., 1, :], along * share * t[..., 0, :]], axis=-2)
        return value, np.concatenate([slopes, further], axis=-2)

    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        low, high = self.scratch.limits(t[..., :2, :], y)
        end = np.array([np.inf, MAX_EXPONENT, MAX_EXPONENT])
        return np.append(low, [0.0, *-end[1:]]), np.append(high, end)

    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        from_scratch = weight * (t[..., 2, :] == 0)
        from_scratch = np.where(from_scratch.any(axis=1, keepdims=True), from_scratch, weight)
        begun = self.scratch.starts(t[..., :2, :], y, from_scratch, _START_FROM_SCRATCH)  # (b, s, p)
        rest = grid(_START_RATIOS, _START_ALPHAS, _START_BETAS)
        theta = np.concatenate(
            [
                np.repeat(begun, len(rest), axis=1),
                np.broadcast_to(np.tile(rest, (begun.shape[1], 1)), (len(y), begun.shape[1] * len(rest), 3)),
            ],
            axis=-1,
        )
        value = self.value(t if t.ndim == 2 else t[:, None], theta)
        return best(theta, np.sum(weight[:, None] * (value - y[:, None]) ** 2, axis=-1), keep)

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        ratio, alpha, beta = np.moveaxis(theta[..., -3:], -1, 0)
        k = ratio * np.exp((1 - alpha) * np.log(centre[1]) - beta * np.log(centre[0]))
        of_scratch = self.scratch.public(theta[..., :-3], centre[:2], unit)
        return np.concatenate([of_scratch, np.stack([k, alpha, beta], axis=-1)], axis=-1)

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        own = coordinate - len(self.parameters) + 3
        if own < 0:
            return self.scratch.bound_message(coordinate, side)
        if own == 0:
            return "k = 0: pretrained runs are no better than runs from scratch, or worse"
        changes = "falls" if side == "low" else "climbs"
        return f"{self.parameters[coordinate]} at its limit: D_T {changes} like a wall along {('D', 'N')[own - 1]}"


class Hernandez(LossWithTransfer):
    """L = [(Nc/N)^(alpha_N/alpha_D) + Dc/D_E]^alpha_D, D_E = D + pretrained k D^alpha N^beta: Kaplan's law with D_E."""

    name = "hernandez"
    formula = "[(Nc/N)^(alpha_N/alpha_D) + Dc/D_E]^alpha_D, D_E = D + pretrained k D^alpha N^beta"
    source = "Hernandez et al. 2021, eq. 1.1, in the law of Kaplan et al. 2020, eq. 1.5"
    scratch = Kaplan()
    parameters = (*Kaplan.parameters, "k", "alpha", "beta")
    log_parameters = Kaplan.log_parameters | {"k"}
    exponents = Kaplan.exponents

    def _slope_in_data(self, theta: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        share, alpha_d = theta[..., 1, None], theta[..., 3, None]
        return -(1 - share) * (alpha_d - share * slopes[..., 1, :])


class HernandezFloor(LossWithTransfer):
    """L = E + A/N^a + B/D_E^b, D_E = D + pretrained k D^alpha N^beta: Hoffmann's law with D_E, which has a floor."""

    name = "hernandez_floor"
    formula = "E + A/N^a + B/D_E^b, D_E = D + pretrained k D^alpha N^beta"
    source = "Hernandez et al. 2021, eq. 1.1, in the law of Hoffmann et al. 2022, eq. 2"
    scratch = Hoffmann()
    parameters = ("E", "A", "B", "a", "b", "k", "alpha", "beta")
    log_parameters = Hoffmann.log_parameters | {"k"}
    exponents = ("a", "b")

    def _slope_in_data(self, theta: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        return -theta[..., 4, None] * theta[..., 2, None] * slopes[..., 2, :]
