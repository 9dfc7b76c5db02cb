"""Losses of runs on mixtures of data: over the shares of each kind in training."""

from __future__ import annotations

from typing import Literal

import numpy as np

from harness.analysis.fitting.laws.base import Law
from harness.analysis.fitting.laws.starts import amplitudes, best, grid

#: Rates t of starts, of either sign, and the largest of a fit, in units of 1 / range of their share. Beyond it, y is
#: flat but for one end.
_START_RATES = (0.3, 1.0, 3.0, 9.0)
_RATE_LIMIT = 20.0
#: How far shares that should sum to 1 may miss it, as written in tables with a few digits.
_ROUNDING = 1e-6


class Mixture(Law):
    """L = c + k exp(t_1 r_1 + ... + t_(M-1) r_(M-1)) over the shares r of all kinds of data but the last.

    Ye et al. 2024 write c + k exp(sum_j t_j r_j) over all M shares. These sum to 1, so that adding one number to every
    t and dividing k by its exponential gives the same curve: here t of the last kind, whose share is no variable, is 0.
    k is then L - c of training on the last kind alone, and t_j is what they call t_j - t_M. A negative t_j says that a
    share of kind j lowers the loss more than the same share of the last kind. L is the loss on one evaluation set: one
    fit for each.

    theta = (c, k at the centre in units of y, t_1, ...); t = r - centre.

    Args:
        n_kinds: M, 2 or more.
    """

    source = "Ye et al. 2024"
    log_parameters = frozenset({"k"})
    x_scale = "linear"

    def __init__(self, n_kinds: int) -> None:
        names = range(1, n_kinds)
        self.name = f"mixture{n_kinds}"
        self.variables = tuple(f"r{j}" for j in names)
        self.parameters = ("c", "k", *(f"t{j}" for j in names))
        self.formula = (
            f"c + k exp({' + '.join(f't{j} r{j}' for j in names)}), r{n_kinds} = 1 - {' - '.join(self.variables)}"
        )
        self.widest = {f"t{j}": _RATE_LIMIT for j in names}
        self.may_be_zero = frozenset(self.variables)

    def misplaced(self, places: np.ndarray) -> str:
        for j, share in enumerate(places.T):
            if (wrong := np.flatnonzero((share < 0) | (share > 1))).size:
                return f"row {wrong[0]}: {self.variables[j]} = {share[wrong[0]]:g}: allowed are shares from 0 to 1"
        total = places.sum(axis=1)
        if (wrong := np.flatnonzero(total > 1 + _ROUNDING)).size:
            names = " + ".join(self.variables)
            return f"row {wrong[0]}: {names} = {total[wrong[0]]:.6g}: allowed are shares that sum to 1 at most"
        return ""

    @staticmethod
    def _terms(t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """k exp(...) without k, and y."""
        shape = np.exp(np.clip(np.einsum("...j,...jn->...n", theta[..., 2:], t), -300.0, 300.0))
        return shape, np.maximum(theta[..., 0, None] + theta[..., 1, None] * shape, 1e-300)

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return np.log(self._terms(t, theta)[1])

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shape, total = self._terms(t, theta)
        along = (theta[..., 1, None] * shape)[..., None, :] * t
        slopes = np.concatenate([np.ones_like(shape)[..., None, :], shape[..., None, :], along], axis=-2)
        return np.log(total), slopes / total[..., None, :]

    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rate = _RATE_LIMIT / np.ptp(t, axis=-1)
        none, most = np.zeros((*rate.shape[:-1], 2)), np.full((*rate.shape[:-1], 2), np.inf)
        return np.concatenate([none, -rate], axis=-1), np.concatenate([most, rate], axis=-1)

    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        either = [sign * rate for rate in _START_RATES for sign in (-1, 1)]
        rates = grid(*[either] * len(self.variables)) / np.ptp(t, axis=-1)[..., None, :]
        shape = np.exp(np.einsum("...sj,...jn->...sn", rates, t))
        shape, rates = (each if each.ndim == 3 else each[None] for each in (shape, rates))
        relative = np.stack([np.ones_like(shape), shape], axis=-2) * np.exp(-y)[:, None, None, :]
        scale = amplitudes(relative, np.ones((len(y), 1, y.shape[1])), weight[:, None, :], positive=True)
        cost = np.einsum("bsn,bn->bs", (np.einsum("bsk,bskn->bsn", scale, relative) - 1) ** 2, weight)
        return best(
            np.concatenate([scale, np.broadcast_to(rates, (*scale.shape[:2], rates.shape[-1]))], axis=-1), cost, keep
        )

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        floor, scale, *rates = np.moveaxis(theta, -1, 0)
        of_last = np.exp(-np.einsum("...j,j->...", theta[..., 2:], centre))
        return np.stack([floor * unit, scale * unit * of_last, *rates], axis=-1)

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        if coordinate == 0:
            return "c = 0: the losses do not bend towards a floor over these shares; a wider range of them would tell"
        if coordinate == 1:
            return "k = 0: y does not depend on the mixture"
        flat = f"y is flat but for one end of {self.variables[coordinate - 2]}"
        return f"{self.parameters[coordinate]} at its limit: {flat}; shares between are lacking"
