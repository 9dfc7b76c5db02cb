"""Laws in one variable that bend: smoothly broken power laws, and M4 with its early plateau."""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import numpy as np
from scipy.special import expit

from harness.analysis.fitting.laws.base import MAX_EXPONENT, Law
from harness.analysis.fitting.laws.starts import amplitudes, best, grid

#: Limits of f, the width of a break in ln x: from a kink between two sizes to a bend over eleven decades.
_WIDTH_LIMITS = (0.02, 6.0)
#: Floors to start from, as shares of the least y: closer together near it, where the shape changes most.
_START_FLOORS = np.array([0.0, 0.3, 0.6, 0.8, 0.9, 0.96, 0.99])
#: Quantiles of ln x where breaks start, and widths they start with; a coarser grid where breaks come in pairs, whose
#: combinations are many.
_START_BREAKS, _START_BREAKS_OF_TWO = np.linspace(0.08, 0.92, 10), np.linspace(0.08, 0.92, 9)
_START_WIDTHS, _START_WIDTHS_OF_TWO = (0.1, 0.3, 0.8, 2.0), (0.12, 0.4, 1.2)
#: Starts followed to their end with no, one and two breaks: with fewer, planted curves with two breaks end in other
#: valleys (LOG.md, "Published laws", 4).
_N_STARTS = (4, 6, 32)
#: Values of y for which starts are sought together: bounds the memory.
_START_CHUNK = 200

#: Starts of M4: floors as shares of the least y, plateaus as multiples of the greatest, and alpha.
_M4_START_FLOORS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.97)
_M4_START_PLATEAUS = (1.01, 1.05, 1.2, 1.6, 3.0)
_M4_START_ALPHAS = (0.25, 0.5, 1.0, 2.0, 4.0)
#: Highest plateau of M4, as a multiple of the greatest y: one above that is none, and y is a power law with a floor.
_M4_HIGHEST_PLATEAU = 100.0
#: Least ln(y0 - a) of M4: below, the curve is flat to rounding.
_M4_LEAST_LOG_HEIGHT = -30.0
#: Limits of M4's alpha and c: outside, the approach to the plateau is not seen, or y is flat or a wall.
_M4_ALPHA_LIMITS, _M4_C_LIMITS = (0.05, 20.0), (1e-3, 4 * MAX_EXPONENT)


def softplus(z: np.ndarray) -> np.ndarray:
    """ln(1 + e^z)."""
    return np.logaddexp(0.0, z)


class BrokenPower(Law):
    """y = a + b x^-c0 prod_i (1 + (x/d_i)^(1/f_i))^(-c_i f_i); theta = (a, ln b, c0, then c_i, ln d_i, ln f_i).

    Args:
        n_breaks: 0, 1 or 2; without a break this is the power law with a floor.
    """

    formula = "a + b x^-c0 prod_i (1 + (x/d_i)^(1/f_i))^(-c_i f_i)"
    source = "Caballero et al. 2023, eq. 1"

    def __init__(self, n_breaks: int) -> None:
        self.n_breaks = n_breaks
        self.name = f"bnsl{n_breaks}"
        breaks = [f"{letter}{i + 1}" for i in range(n_breaks) for letter in "cdf"]
        self.parameters = ("a", "b", "c0", *breaks)
        self.log_parameters = frozenset({"b", *(name for name in breaks if name[0] in "df")})
        self.exponents = ("c0",)
        self.n_starts = _N_STARTS[n_breaks]

    def _logs(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, ...]]]:
        """ln of the part that falls, (b, n), and (c, f, (ln x - ln d) / f, softplus of that) of each break."""
        x = t[..., 0, :]
        breaks: list[tuple[np.ndarray, ...]] = []
        falling = theta[..., 1, None] - theta[..., 2, None] * x
        for i in range(self.n_breaks):
            c, place, log_f = (theta[..., 3 + 3 * i + j, None] for j in range(3))
            f = np.exp(log_f)
            z = (x - place) / f
            soft = softplus(z)
            falling = falling - c * f * soft
            breaks.append((c, f, z, soft))
        return falling, breaks

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        falling, _ = self._logs(t, theta)
        return np.log(np.maximum(theta[..., 0, None] + np.exp(np.minimum(falling, 300.0)), 1e-300))

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        falling, breaks = self._logs(t, theta)
        part = np.exp(np.minimum(falling, 300.0))
        total = np.maximum(theta[..., 0, None] + part, 1e-300)
        share = part / total
        slopes = [1 / total, share, -share * t[..., 0, :]]
        for c, f, z, soft in breaks:
            rising = expit(z)
            slopes += [-share * f * soft, share * c * rising, share * c * f * (rising * z - soft)]
        return np.log(total), np.stack(slopes, axis=-2)

    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        least, most = t[..., 0, :].min(axis=-1), t[..., 0, :].max(axis=-1)
        one = np.ones_like(least)
        log_f = np.log(_WIDTH_LIMITS)
        low, high = [0 * one, -np.inf * one, -MAX_EXPONENT * one], [np.inf * one, np.inf * one, MAX_EXPONENT * one]
        for _ in range(self.n_breaks):
            low += [-MAX_EXPONENT * one, least, log_f[0] * one]
            high += [MAX_EXPONENT * one, most, log_f[1] * one]
        return np.stack(low, axis=-1), np.stack(high, axis=-1)

    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        """For every floor, and place and width of the breaks, the rest is linear in ln(y - a)."""
        size = max(1, _START_CHUNK // y.shape[1])
        chunks = [slice(i, i + size) for i in range(0, len(y), size)]
        return np.concatenate([self._starts(t if t.ndim == 2 else t[c], y[c], weight[c], keep) for c in chunks])

    def _starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        x = t[..., 0, :].reshape(-1, 1, y.shape[1])  # (1 or b, 1, n)
        shares = _START_BREAKS if self.n_breaks < 2 else _START_BREAKS_OF_TWO
        widths = _START_WIDTHS if self.n_breaks < 2 else _START_WIDTHS_OF_TWO
        choice = np.array(list(combinations(range(len(shares)), self.n_breaks)), dtype=int)
        how = grid(*[widths] * self.n_breaks) if self.n_breaks else np.zeros((1, 0))
        # s = (places, widths) of the breaks, widths fastest.
        place = np.moveaxis(np.quantile(x[:, 0], shares, axis=-1), 0, -1)[:, np.repeat(choice, len(how), axis=0)]
        f = np.tile(how, (len(choice), 1))
        bends = [-f[:, i, None] * softplus((x - place[..., i, None]) / f[:, i, None]) for i in range(self.n_breaks)]
        full = (len(x), len(f), y.shape[1])
        basis = np.stack([np.ones(full), np.broadcast_to(-x, full), *bends], axis=-2)[:, None]
        floor = np.exp(y.min(axis=1, keepdims=True)) * _START_FLOORS  # (b, a)
        above = np.exp(y)[:, None] - floor[..., None]
        trust = (weight[:, None] * (above / np.exp(y)[:, None]) ** 2)[:, :, None]
        target = np.log(above)[:, :, None]
        shape = (*floor.shape, len(f), y.shape[1])
        linear = amplitudes(basis, np.broadcast_to(target, shape), np.broadcast_to(trust, shape), positive=False)
        off = np.einsum("...k,...kn->...n", linear, np.broadcast_to(basis, (*shape[:3], *basis.shape[-2:]))) - target
        cost = np.sum(trust * off**2, axis=-1)  # (b, a, s)
        columns = [np.broadcast_to(floor[..., None], cost.shape), linear[..., 0], linear[..., 1]]
        for i in range(self.n_breaks):
            at = np.broadcast_to(place[:, None, :, i], cost.shape)
            columns += [linear[..., 2 + i], at, np.broadcast_to(np.log(f[:, i]), cost.shape)]
        theta = np.stack(columns, axis=-1)
        # The best width for each floor and choice of places: starts side by side would find the same valley.
        one = (len(y) * len(_START_FLOORS) * len(choice), len(how))
        first = best(theta.reshape(*one, -1), cost.reshape(one), 1)[:, 0]
        return best(first.reshape(len(y), -1, theta.shape[-1]), cost.reshape(one).min(axis=1).reshape(len(y), -1), keep)

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        columns = [
            theta[..., 0] * unit,
            np.exp(theta[..., 1] + theta[..., 2] * np.log(centre[0])) * unit,
            theta[..., 2],
        ]
        for i in range(self.n_breaks):
            c, place, log_f = (theta[..., 3 + 3 * i + j] for j in range(3))
            columns += [c, np.exp(place) * centre[0], np.exp(log_f)]
        return np.stack(columns, axis=-1)

    def canonical(self, theta: np.ndarray) -> np.ndarray:
        if self.n_breaks < 2:
            return theta
        order = np.argsort(theta[..., 4::3], axis=-1)[..., None]
        breaks = theta[..., 3:].reshape(*theta.shape[:-1], self.n_breaks, 3)
        breaks = np.take_along_axis(breaks, order, axis=-2).reshape(*theta.shape[:-1], -1)
        return np.concatenate([theta[..., :3], breaks], axis=-1)

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        if coordinate == 0:
            return "a = 0: the data do not bend towards a floor"
        if coordinate == 2:
            return "c0 at its limit: y climbs or falls like a wall"
        name = self.parameters[coordinate]
        about = {"c": "a wall", "d": "the break lies off the sizes measured", "f": "its sharpness is not told"}
        return f"{name} at its limit: {about[name[0]]}" if coordinate > 2 else ""


class M4(Law):
    """(y - a) / (y0 - y)^alpha = beta x^-c: a plateau y0 at small x, then a power law to the floor a.

    theta = (a, ln(y0 - a), ln alpha, zeta, c), where with u = (y - a) / (y0 - a): ln u - alpha ln(1 - u) = zeta - c t.
    """

    name = "m4"
    formula = "(y - a) / (y0 - y)^alpha = beta x^-c"
    source = "Alabdulmohsin et al. 2022, section 3 (M4)"
    parameters = ("a", "y0", "alpha", "beta", "c")
    log_parameters = frozenset({"beta", "alpha", "y0"})
    exponents = ("c",)

    @staticmethod
    def _columns(theta: np.ndarray) -> tuple[np.ndarray, ...]:
        floor, log_height, *rest = (theta[..., i, None] for i in range(5))
        return floor, np.exp(log_height), *rest

    @staticmethod
    def _logit(right: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """s = logit(u) where ln u - alpha ln(1 - u) = right, by Newton's method.

        It converges from any start on the right side, for in s the left side is convex, or concave, throughout.
        """
        s = np.where(right < 0, right, right / alpha)
        for _ in range(60):
            gap = alpha * softplus(s) - softplus(-s) - right
            step = gap / (expit(-s) + alpha * expit(s))
            s = s - step
            if np.all(np.abs(step) < 1e-14 * (1 + np.abs(s))):
                break
        return s

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        floor, height, log_alpha, zeta, c = self._columns(theta)
        s = self._logit(zeta - c * t[..., 0, :], np.exp(log_alpha))
        return np.log(np.maximum(floor + height * expit(s), 1e-300))

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        floor, height, log_alpha, zeta, c = self._columns(theta)
        x, alpha = t[..., 0, :], np.exp(log_alpha)
        s = self._logit(zeta - c * x, alpha)
        u = expit(s)
        total = np.maximum(floor + height * u, 1e-300)
        # s solves F(s, alpha) = right: ds/dright = 1 / F_s, ds/dalpha = -softplus(s) / F_s.
        moved = height * u * (1 - u) / (1 - u + alpha * u) / total
        slopes = [1 / total, height * u / total, -moved * alpha * softplus(s), moved, -moved * x]
        return np.log(total), np.stack(slopes, axis=-2)

    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        low = np.array([0.0, _M4_LEAST_LOG_HEIGHT, np.log(_M4_ALPHA_LIMITS[0]), -np.inf, _M4_C_LIMITS[0]])
        highest = np.log(_M4_HIGHEST_PLATEAU) + y.max(axis=-1)
        rest = (np.inf, np.log(_M4_ALPHA_LIMITS[1]), np.inf, _M4_C_LIMITS[1])
        high = [np.full_like(highest, limit) for limit in rest]
        return np.broadcast_to(low, (*highest.shape, 5)), np.stack([high[0], highest, *high[1:]], axis=-1)

    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        x = np.broadcast_to(t[..., 0, :], y.shape)[:, None]
        shares, above, alphas = grid(_M4_START_FLOORS, _M4_START_PLATEAUS, _M4_START_ALPHAS).T
        floor = shares * np.exp(y.min(axis=1, keepdims=True))  # (b, s)
        height = above * np.exp(y.max(axis=1, keepdims=True)) - floor
        alpha = alphas[:, None]
        u = (np.exp(y)[:, None] - floor[..., None]) / height[..., None]
        right = np.log(u) - alpha * np.log1p(-u)
        trust = weight[:, None] * (u * (1 - u) / (1 - u + alpha * u)) ** 2
        basis = np.broadcast_to(np.stack([np.ones_like(x), -x], axis=-2), (*floor.shape, 2, y.shape[1]))
        zeta, c = np.moveaxis(amplitudes(basis, right, trust, positive=False), -1, 0)
        logs = np.broadcast_to(np.log(alphas), floor.shape)
        theta = np.stack([floor, np.log(height), logs, zeta, np.maximum(c, 0.01)], axis=-1)
        cost = np.sum(
            weight[:, None] * (self.value(t if t.ndim == 2 else t[:, None], theta) - y[:, None]) ** 2, axis=-1
        )
        return best(theta, cost, keep)

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        floor, log_height, log_alpha, zeta, c = np.moveaxis(theta, -1, 0)
        height, alpha = np.exp(log_height), np.exp(log_alpha)
        log_beta = zeta + (1 - alpha) * np.log(height * unit) + c * np.log(centre[0])
        return np.stack([floor * unit, (floor + height) * unit, alpha, np.exp(log_beta), c], axis=-1)

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        plateau = "y0 at its limit: no plateau is seen at small sizes"
        about = (
            "a = 0: the data do not bend towards a floor",
            plateau if side == "high" else "y0 = a: y is flat",
            "alpha at its limit: the approach to the plateau is not seen",
            "",
            "c at its limit: y does not fall, or falls like a wall",
        )
        return about[coordinate]
