"""Laws of fine-tuning in which powers multiply: of losses, and of the data that pretraining is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from harness.analysis.fitting.laws.base import MAX_EXPONENT, MAX_WIDTH, Law
from harness.analysis.fitting.laws.starts import amplitudes, best, grid

#: Least exponent of the data of fine-tuning, as of every law with a floor.
_LEAST_EXPONENT = 1e-3
#: Exponents that starts combine: of the data of fine-tuning, and of the other factors, which may be of no use.
_START_EXPONENTS = (0.05, 0.15, 0.35, 0.7, 1.3)
_START_OTHER_EXPONENTS = (-0.1, 0.02, 0.15, 0.4, 0.9)


class Zhang(Law):
    """L = E + A / (X^alpha D_f^beta), X the size of the model, of its pretraining data, or of its new parameters.

    The exponent of X may be near 0 or negative, which is a finding: as of new parameters (adapters, prompts) in the
    paper. Only that of D_f tells the product from the floor.

    theta = (E, A at the centre in units of y, exponents).
    """

    name = "zhang"
    formula = "E + A/(X^alpha D_f^beta)"
    source = "Zhang et al. 2024, eq. 1"
    variables: tuple[str, ...] = ("X", "D_f")
    parameters: tuple[str, ...] = ("E", "A", "alpha", "beta")
    log_parameters = frozenset({"A"})
    exponents = ("beta",)
    widest: Mapping[str, float] = {"alpha": MAX_WIDTH}

    @staticmethod
    def _terms(t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A, the product of powers, and y."""
        falling = np.exp(np.minimum(-np.einsum("...j,...jn->...n", theta[..., 2:], t), 300.0))
        scale = theta[..., 1, None]
        return scale, falling, np.maximum(theta[..., 0, None] + scale * falling, 1e-300)

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return np.log(self._terms(t, theta)[2])

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scale, falling, total = self._terms(t, theta)
        along = -(scale * falling)[..., None, :] * t
        slopes = np.concatenate([np.ones_like(falling)[..., None, :], falling[..., None, :], along], axis=-2)
        return np.log(total), slopes / total[..., None, :]

    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        others = len(self.variables) - 1
        low = [0.0, 0.0, *[-MAX_EXPONENT] * others, _LEAST_EXPONENT]
        return np.array(low), np.array([np.inf, np.inf, *[MAX_EXPONENT] * (others + 1)])

    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        exponents = grid(*[_START_OTHER_EXPONENTS] * (len(self.variables) - 1), _START_EXPONENTS)
        falling = np.exp(-exponents @ t)  # (s, n) or (b, s, n)
        falling = falling if falling.ndim == 3 else falling[None]
        # Relative errors are minimised: each point's equation is divided by its y.
        relative = np.stack([np.ones_like(falling), falling], axis=-2) * np.exp(-y)[:, None, None, :]
        scale = amplitudes(relative, np.ones((len(y), 1, y.shape[1])), weight[:, None, :], positive=True)
        cost = np.einsum("bsn,bn->bs", (np.einsum("bsk,bskn->bsn", scale, relative) - 1) ** 2, weight)
        return best(
            np.concatenate([scale, np.broadcast_to(exponents, (len(y), *exponents.shape))], axis=-1), cost, keep
        )

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        floor, scale, *exponents = np.moveaxis(theta, -1, 0)
        at_one = np.exp(np.einsum("...j,j->...", theta[..., 2:], np.log(centre)))
        return np.stack([floor * unit, scale * unit * at_one, *exponents], axis=-1)

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        name = self.parameters[coordinate]
        if name == "E":
            return "E = 0: the data do not bend towards a floor; more data of fine-tuning, or the law without one"
        if name == "A":
            return "A = 0: y depends on no variable"
        variable = self.variables[coordinate - 2]
        if name == "beta" and side == "low":
            return f"beta at its least: y does not fall with {variable}, or too slowly to tell from a floor"
        return f"{name} = {MAX_EXPONENT if side == 'high' else -MAX_EXPONENT:g}, a wall along {variable}"


class ZhangJoint(Zhang):
    """L = E + A / (N^alpha P^gamma D_f^beta), over size, pretraining data and fine-tuning data together.

    Zhang et al. 2024 fit size and pretraining data one at a time, each with D_f (`Zhang`). The product of all three is
    this project's extension of their form, not theirs.
    """

    name = "zhang_joint"
    formula = "E + A/(N^alpha P^gamma D_f^beta)"
    source = "the product form of Zhang et al. 2024, eq. 1, extended to three factors"
    variables = ("N", "P", "D_f")
    parameters = ("E", "A", "alpha", "gamma", "beta")
    widest: Mapping[str, float] = {"alpha": MAX_WIDTH, "gamma": MAX_WIDTH}


class Transferred(Law):
    """D_T = k D_F^alpha N^beta, the effective data transferred, where it has been computed (`data_transferred`).

    theta = (ln k at the centre in units of y, alpha, beta).
    """

    name = "transferred"
    formula = "k D_F^alpha N^beta"
    source = "Hernandez et al. 2021, eq. 1.1"
    variables = ("N", "D_F")
    parameters = ("k", "alpha", "beta")
    log_parameters = frozenset({"k"})
    widest: Mapping[str, float] = {"alpha": MAX_WIDTH, "beta": MAX_WIDTH}
    n_starts = 1

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        level, alpha, beta = (theta[..., i, None] for i in range(3))
        return level + alpha * t[..., 1, :] + beta * t[..., 0, :]

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value = self.value(t, theta)
        slopes = [
            np.ones_like(value),
            np.broadcast_to(t[..., 1, :], value.shape),
            np.broadcast_to(t[..., 0, :], value.shape),
        ]
        return value, np.stack(slopes, axis=-2)

    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        high = np.array([np.inf, MAX_EXPONENT, MAX_EXPONENT])
        return -high, high

    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        size, data = (np.broadcast_to(t[..., i, :], y.shape) for i in range(2))
        basis = np.stack([np.ones_like(y), data, size], axis=-2)
        # The law is linear in theta: any start would do.
        return np.repeat(amplitudes(basis, y, weight, positive=False)[:, None], keep, axis=1)

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        level, alpha, beta = np.moveaxis(theta, -1, 0)
        k = np.exp(level - alpha * np.log(centre[1]) - beta * np.log(centre[0])) * unit
        return np.stack([k, alpha, beta], axis=-1)

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        variable = ("", "D_F", "N")[coordinate]
        return f"D_T {'falls' if side == 'low' else 'climbs'} like a wall along {variable}" if coordinate else ""
