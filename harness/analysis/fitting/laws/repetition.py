"""Losses of runs that see their data more than once."""

from __future__ import annotations

from typing import Literal

import numpy as np

from harness.analysis.fitting.laws.base import MAX_EXPONENT, Law
from harness.analysis.fitting.laws.starts import amplitudes, best, grid

#: Least amplitude of a power, in units of y: at 0 the best size for the unique data would not be defined.
_LEAST_AMPLITUDE = 1e-6
#: Least exponent, as of every law with a floor.
_LEAST_EXPONENT = 1e-3
#: Least and most R_D and R_N: repetition counts for nothing, or in full within anyone's training.
_DECAYS = (1e-2, 1e6)
#: Starts combine these exponents and constants of decay.
_START_EXPONENTS = (0.15, 0.3, 0.5, 0.8, 1.3)
_START_DECAYS = (1.0, 5.0, 25.0, 1e3)


class Muennighoff(Law):
    """L = E + A/N'^alpha + B/D'^beta over parameters N, training tokens D and unique tokens U <= D.

    Repeated tokens and excess parameters count for less, by an exponential decay:

        D' = U   + U   R_D (1 - exp(-(D/U - 1) / R_D)),
        N' = U_N + U_N R_N (1 - exp(-(N/U_N - 1) / R_N)),    U_N = min(N, N_opt(U)),

    where N_opt(U) = (alpha A / (beta B))^(1/alpha) U^(beta/alpha) is the size that is best for U tokens seen once
    (without floor, Hoffmann's law at alpha A N^-alpha = beta B U^-beta). D/U - 1 counts repetitions, not epochs. In the
    limit of large R_D and R_N this is Hoffmann's law.

    theta = (E, A, B at the centre in units of y, alpha, beta, ln R_D, ln R_N). D and U are centred on one number.
    """

    name = "muennighoff"
    formula = "E + A/N'^alpha + B/D'^beta, D' = U + U R_D (1 - exp(-(D/U - 1)/R_D)), N' alike"
    source = "Muennighoff et al. 2023, eq. 5 and 6"
    variables = ("N", "D", "U")
    parameters = ("E", "A", "B", "alpha", "beta", "R_D", "R_N")
    log_parameters = frozenset({"A", "B", "R_D", "R_N"})
    exponents = ("alpha", "beta")

    def misplaced(self, places: np.ndarray) -> str:
        _, tokens, unique = places.T
        # Counts that are equal may differ in their last digits, as of D = epochs x U.
        wrong = np.flatnonzero(unique > tokens * (1 + 1e-6))
        if not wrong.size:
            return ""
        found = f"row {wrong[0]}: U = {unique[wrong[0]]:.4g} is above D = {tokens[wrong[0]]:.4g}"
        return f"{found}; unique tokens are at most the training tokens"

    def centre(self, places: np.ndarray) -> np.ndarray:
        size, tokens, unique = super().centre(places)
        middle = np.sqrt(tokens * unique)
        return np.array([size, middle, middle])

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return self.gradient(t, theta)[0]

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        floor, a, b, alpha, beta, decay_d, decay_n = (theta[..., i, None] for i in range(7))
        size, tokens, unique = (t[..., i, :] for i in range(3))
        best_size = (np.log(alpha * a) - np.log(beta * b) + beta * unique) / alpha
        ln_d, _, d_by_decay = _effective(unique, tokens, decay_d)
        ln_n, n_by_best, n_by_decay = _effective(np.minimum(size, best_size), size, decay_n)
        in_n, in_d = np.exp(-alpha * ln_n), np.exp(-beta * ln_d)
        total = floor + a * in_n + b * in_d
        # How A, B and both exponents move the best size, times how that moves ln N'.
        slope_n = -alpha * a * in_n
        moved = slope_n * n_by_best / alpha
        slopes = [
            np.ones_like(total),
            in_n + moved / a,
            in_d - moved / b,
            -ln_n * a * in_n + moved * (1 / alpha - best_size),
            -ln_d * b * in_d + moved * (unique - 1 / beta),
            -beta * b * in_d * d_by_decay,
            slope_n * n_by_decay,
        ]
        return np.log(total), np.stack(slopes, axis=-2) / total[..., None, :]

    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        least, most = np.log(_DECAYS)
        low = [0.0, _LEAST_AMPLITUDE, _LEAST_AMPLITUDE, _LEAST_EXPONENT, _LEAST_EXPONENT, least, least]
        high = [np.inf, np.inf, np.inf, MAX_EXPONENT, MAX_EXPONENT, most, most]
        return np.array(low), np.array(high)

    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        shapes = grid(*[_START_EXPONENTS] * 2, *[np.log(_START_DECAYS)] * 2)
        alpha, beta, decay_d, _decay_n = (shapes[:, i, None] for i in range(4))
        size, tokens, unique = (t[..., i, :] if t.ndim == 2 else t[:, None, i, :] for i in range(3))
        # Amplitudes as if every parameter counted in full; the cost is then that of the law as it is.
        basis = np.stack(
            np.broadcast_arrays(1.0, np.exp(-alpha * size), np.exp(-beta * _effective(unique, tokens, decay_d)[0])),
            axis=-2,
        )
        basis = basis if basis.ndim == 4 else basis[None]
        relative = basis * np.exp(-y)[:, None, None, :]
        scale = amplitudes(relative, np.ones((len(y), 1, y.shape[1])), weight[:, None, :], positive=True)
        scale[..., 1:] = np.maximum(scale[..., 1:], 1e3 * _LEAST_AMPLITUDE)
        theta = np.concatenate([scale, np.broadcast_to(shapes, (len(y), *shapes.shape))], axis=-1)
        value = self.value(t if t.ndim == 2 else t[:, None], theta)
        return best(theta, ((value - y[:, None]) ** 2 * weight[:, None]).sum(axis=-1), keep)

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        floor, a, b, alpha, beta, decay_d, decay_n = np.moveaxis(theta, -1, 0)
        by_size, by_tokens = a * unit * centre[0] ** alpha, b * unit * centre[1] ** beta
        return np.stack([floor * unit, by_size, by_tokens, alpha, beta, np.exp(decay_d), np.exp(decay_n)], axis=-1)

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        name = self.parameters[coordinate]
        if name in ("R_D", "R_N"):
            what = "repeated tokens" if name == "R_D" else "parameters beyond the best size for the unique tokens"
            if side == "high":
                return f"{name} at its most: {what} count as if they were not, or the runs have too few of them"
            return f"{name} at its least: {what} count for nothing"
        if name == "E":
            return "E = 0: the data do not bend towards a floor; larger sizes, or the law without one"
        if name in ("A", "B"):
            return f"{name} = 0: y does not depend on its variable; smaller sizes are lacking"
        return f"{name} at its {'least' if side == 'low' else 'most'}: y does not fall along its variable as a power"


def _effective(base: np.ndarray, spent: np.ndarray, decay: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ln of what `spent` counts for when all beyond `base` decays, and its derivatives by base and decay.

    Args:
        base, spent: ln of amounts, base <= spent.
        decay: ln R; x' = b + b R (1 - exp(-(x/b - 1) / R)).
    """
    constant = np.exp(decay)
    repeats = np.expm1(np.maximum(spent - base, 0.0))
    left = np.exp(-repeats / constant)
    gained = -constant * np.expm1(-repeats / constant)
    by_base = 1 - left * (1 + repeats) / (1 + gained)
    return base + np.log1p(gained), by_base, (gained - repeats * left) / (1 + gained)
