"""Laws of metrics with a floor and a ceiling: over size, and over the loss (the second step from size to metric)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from scipy.special import expit

from harness.analysis.fitting.laws.base import Law
from harness.analysis.fitting.laws.starts import amplitudes, best, grid

#: Midpoints and widths tau of a start's rise, as shares of the range of x: from a step between two sizes to a rise that
#: fills the range, with its middle inside or a tenth beyond.
_START_PLACES = np.linspace(-0.1, 1.1, 13)
_START_WIDTHS = (0.02, 0.05, 0.1, 0.2, 0.4)
#: Limits of tau as shares of the range of x: e^-7, a step at any ladder, to e^2, a straight line over the range.
_WIDTH_LIMITS = (-7.0, 2.0)

#: Rates gamma of a start, and their limits, in units of 1 / range of the losses. Below .05 the exponential is a
#: straight line over the range to a thousandth of its height; above 40 it is flat but for one end.
_START_RATES = np.geomspace(0.1, 20, 16)
_RATE_LIMITS = (0.05, 40.0)


class Logistic(Law):
    """y = floor + (ceiling - floor) / (1 + exp(-(ln x - ln x50) / tau)); theta = (floor, ceiling, ln x50, ln tau).

    Floor and ceiling lie in [0, 1]. From 10 to 90 % the rise takes 2 ln(9) tau = 4.39 tau in ln x.
    """

    name = "logistic"
    formula = "floor + (ceiling - floor) / (1 + (x/x50)^(-1/tau))"
    source = "Cox 1958, logistic regression, on ln x and between a floor and a ceiling"
    parameters = ("floor", "ceiling", "x50", "tau")
    log_parameters = frozenset({"x50", "tau"})
    scale = "linear"
    #: 1 where y rises with x from floor to ceiling, -1 where it falls.
    direction: ClassVar[float] = 1.0

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        floor, ceiling, place, log_tau = (theta[..., i, None] for i in range(4))
        return floor + (ceiling - floor) * expit(self.direction * (t[..., 0, :] - place) * np.exp(-log_tau))

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        floor, ceiling, place, log_tau = (theta[..., i, None] for i in range(4))
        z = self.direction * (t[..., 0, :] - place) * np.exp(-log_tau)
        risen = expit(z)
        slope = (ceiling - floor) * risen * (1 - risen)
        slopes = [1 - risen, risen, -self.direction * np.exp(-log_tau) * slope, -z * slope]
        return floor + (ceiling - floor) * risen, np.stack(slopes, axis=-2)

    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = t[..., 0, :]
        least, most = x.min(axis=-1), x.max(axis=-1)
        span, zero = most - least, np.zeros_like(least)
        narrow, wide = (np.log(span) + limit for limit in _WIDTH_LIMITS)
        low, high = [zero, zero, least - span, narrow], [zero + 1, zero + 1, most + span, wide]
        return np.stack(low, axis=-1), np.stack(high, axis=-1)

    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        x = np.broadcast_to(t[..., 0, :], y.shape)
        least, span = x.min(axis=1), np.ptp(x, axis=1)
        shares = grid(_START_PLACES, _START_WIDTHS)
        place, tau = least[:, None] + shares[:, 0] * span[:, None], shares[:, 1] * span[:, None]
        risen = expit(self.direction * (x[:, None] - place[..., None]) / tau[..., None])
        basis = np.stack([1 - risen, risen], axis=-2)
        ends = amplitudes(basis, y[:, None], weight[:, None], positive=False)
        ends = np.clip(ends, 0.0, 1.0)
        cost = np.sum(weight[:, None] * (np.einsum("bsk,bskn->bsn", ends, basis) - y[:, None]) ** 2, axis=-1)
        return best(np.concatenate([ends, place[..., None], np.log(tau)[..., None]], axis=-1), cost, keep)

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        floor, ceiling, place, log_tau = np.moveaxis(theta, -1, 0)
        x50 = centre[0] * np.exp(place) if self.x_scale == "log" else centre[0] + place
        return np.stack([floor, ceiling, x50, np.exp(log_tau)], axis=-1)

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        if coordinate < 2:
            return ""  # a floor of 0 or a ceiling of 1 is a finding
        if coordinate == 2:
            return "the midpoint lies off the range measured: the rise, or its end, was not seen"
        return f"the rise is {'a step between two sizes' if side == 'low' else 'too wide to have ends'}"


class SigmoidOfLoss(Logistic):
    """metric = floor + (ceiling - floor) / (1 + exp((loss - loss50) / tau)): the metric rises as the loss falls."""

    name = "sigmoid_of_loss"
    formula = "floor + (ceiling - floor) / (1 + exp((loss - loss50) / tau))"
    source = "Bhagia et al. 2024, eq. 3"
    variables = ("loss",)
    parameters = ("floor", "ceiling", "loss50", "tau")
    log_parameters = frozenset({"tau"})
    x_scale = "linear"
    direction = -1.0


class ExponentialOfLoss(Law):
    """error = epsilon - k exp(-gamma loss); theta = (epsilon, k at the middle of the losses, ln gamma)."""

    name = "exponential_of_loss"
    formula = "epsilon - k exp(-gamma loss)"
    source = "Gadre et al. 2024, eq. 5"
    variables = ("loss",)
    parameters = ("epsilon", "k", "gamma")
    log_parameters = frozenset({"k", "gamma"})
    scale = "linear"
    x_scale = "linear"

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        end, scale, log_gamma = (theta[..., i, None] for i in range(3))
        return end - scale * np.exp(np.minimum(-np.exp(log_gamma) * t[..., 0, :], 300.0))

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        end, scale, log_gamma = (theta[..., i, None] for i in range(3))
        along = np.exp(log_gamma) * t[..., 0, :]
        falling = np.exp(np.minimum(-along, 300.0))
        return end - scale * falling, np.stack([np.ones_like(falling), -falling, scale * falling * along], axis=-2)

    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        span = np.ptp(t[..., 0, :], axis=-1)
        zero = np.zeros_like(span)
        slow, fast = (np.log(limit / span) for limit in _RATE_LIMITS)
        return np.stack([zero - np.inf, zero, slow], axis=-1), np.stack([zero + np.inf, zero + np.inf, fast], axis=-1)

    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        x = np.broadcast_to(t[..., 0, :], y.shape)
        gamma = _START_RATES / np.ptp(x, axis=1)[:, None]
        falling = np.exp(-gamma[..., None] * x[:, None])
        basis = np.stack([np.ones_like(falling), -falling], axis=-2)
        found = amplitudes(basis, y[:, None], weight[:, None], positive=False)
        found[..., 1] = np.maximum(found[..., 1], 1e-6)
        cost = np.sum(weight[:, None] * (np.einsum("bsk,bskn->bsn", found, basis) - y[:, None]) ** 2, axis=-1)
        return best(np.concatenate([found, np.log(gamma)[..., None]], axis=-1), cost, keep)

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        end, scale, log_gamma = np.moveaxis(theta, -1, 0)
        gamma = np.exp(log_gamma)
        return np.stack([end * unit, scale * unit * np.exp(gamma * centre[0]), gamma], axis=-1)

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        if coordinate == 1:
            return "k = 0: the metric does not follow the loss"
        if coordinate == 2:
            return (
                f"gamma at its limit: the metric is {'linear in the loss' if side == 'low' else 'flat but for one end'}"
            )
        return ""
