"""Sums of powers: one variable with and without a floor, and surfaces over parameters, tokens, width and depth."""

from __future__ import annotations

from typing import Literal

import numpy as np

from harness.analysis.fitting.laws.base import MAX_EXPONENT, Law
from harness.analysis.fitting.laws.starts import amplitudes, best, grid

#: Amplitude of a start, in units of y, where least squares would have it at or below zero.
_LEAST_AMPLITUDE = 1e-3
#: Least exponent of a law with a floor: at a lower one the power can hardly be distinguished from the floor.
_LEAST_EXPONENT = 1e-3
#: Exponents that starts combine: of surfaces over two variables, of one variable (finer), of three (coarser).
_START_EXPONENTS = (0.05, 0.15, 0.3, 0.5, 0.8, 1.3, 2.0)
_START_EXPONENTS_OF_ONE = (0.03, 0.08, 0.15, 0.25, 0.4, 0.6, 0.9, 1.4, 2.2, 4.0)
_START_EXPONENTS_OF_THREE = (0.15, 0.35, 0.7, 1.3)
#: Starts of Kaplan's law: share of the term in N at the centre, and both exponents.
_KAPLAN_START_SHARES = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98)
_KAPLAN_START_EXPONENTS = (0.04, 0.1, 0.2, 0.4, 0.8, 1.4)
#: How near that share may come to 0 and 1, where the loss does not depend on N, or on D.
_KAPLAN_LEAST_SHARE = 1e-6


class PowerSum(Law):
    """ln y = ln sum_k a_k x_v(k)^-e(k); theta = (amplitudes at the centre in units of y, exponents).

    Amplitudes are >= 0 and are coordinates themselves, not their logarithms, so that a term that the data do not
    support ends at exactly 0.

    Attributes:
        terms: (index of the variable, index of the exponent) of each term; None for the floor.
        exponent_limits: of all exponents.
        start_exponents: those that starts combine.
    """

    terms: tuple[tuple[int, int] | None, ...]
    curves_as_y = True
    exponent_limits: tuple[float, float] = (_LEAST_EXPONENT, MAX_EXPONENT)
    start_exponents: tuple[float, ...] = _START_EXPONENTS

    @property
    def _n_exponents(self) -> int:
        return len({term[1] for term in self.terms if term is not None})

    def _bases(self, t: np.ndarray, exponents: np.ndarray) -> list[np.ndarray | None]:
        """x^-e of each term, (..., n); None for the floor, whose basis is 1."""
        return [None if k is None else np.exp(-exponents[..., k[1], None] * t[..., k[0], :]) for k in self.terms]

    def _total(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, list[np.ndarray | None]]:
        """y (b, n), and the bases."""
        k = len(self.terms)
        bases = self._bases(t, theta[..., k:])
        total = np.zeros((*theta.shape[:-1], t.shape[-1]))
        for i, basis in enumerate(bases):
            total += theta[..., i, None] if basis is None else theta[..., i, None] * basis
        return np.maximum(total, 1e-300), bases

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return np.log(self._total(t, theta)[0])

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k = len(self.terms)
        total, bases = self._total(t, theta)
        inverse = 1 / total
        slopes = np.zeros((*theta.shape[:-1], theta.shape[-1], t.shape[-1]))
        for i, (term, basis) in enumerate(zip(self.terms, bases, strict=True)):
            if term is None or basis is None:
                slopes[..., i, :] = inverse
                continue
            relative = np.multiply(basis, inverse, out=slopes[..., i, :])
            slopes[..., k + term[1], :] -= theta[..., i, None] * t[..., term[0], :] * relative
        return np.log(total), slopes

    def curvature(self, t: np.ndarray, theta: np.ndarray, weight: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        # The slope by an amplitude is that term's basis / y.
        k = len(self.terms)
        matrix = np.zeros((*theta.shape, theta.shape[-1]))
        for i, term in enumerate(self.terms):
            if term is None:
                continue
            j, along = k + term[1], t[..., term[0], :]
            moved = weight * slopes[..., i, :] * along
            first = moved.sum(axis=-1)
            matrix[..., i, j] -= first
            matrix[..., j, i] -= first
            matrix[..., j, j] += theta[..., i] * (moved * along).sum(axis=-1)
        return matrix

    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k, m = len(self.terms), self._n_exponents
        low, high = self.exponent_limits
        return np.array([0.0] * k + [low] * m), np.array([np.inf] * k + [high] * m)

    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        exponents = grid(*[self.start_exponents] * self._n_exponents)
        spread = t if t.ndim == 2 else t[:, None]
        bases = self._bases(spread, exponents)
        one = np.ones((*np.broadcast_shapes(*(b.shape for b in bases if b is not None)),))
        basis = np.stack([one if b is None else b for b in bases], axis=-2)
        basis = basis if basis.ndim == 4 else basis[None]
        # Relative errors are minimised: each point's equation is divided by its y.
        relative = basis * np.exp(-y)[:, None, None, :]
        target = np.ones((len(y), 1, y.shape[1]))
        scale = amplitudes(relative, target, weight[:, None, :], positive=True)
        fitted = np.einsum("bsk,bskn->bsn", scale, relative)
        cost = np.einsum("bsn,bn->bs", (fitted - 1) ** 2, weight)
        theta = np.concatenate(
            [np.maximum(scale, _LEAST_AMPLITUDE), np.broadcast_to(exponents, (len(y), *exponents.shape))], axis=-1
        )
        return best(theta, cost, keep)

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        k = len(self.terms)
        columns = [
            theta[..., i] * unit * (1.0 if term is None else centre[term[0]] ** theta[..., k + term[1]])
            for i, term in enumerate(self.terms)
        ]
        return np.stack([*columns, *np.moveaxis(theta[..., k:], -1, 0)], axis=-1)

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        k = len(self.terms)
        if coordinate >= k:
            name = self.parameters[coordinate]
            if side == "high":
                return f"{name} = {MAX_EXPONENT:g}, a wall: sizes between which y falls are lacking"
            return f"{name} at its least: y does not fall along its variable, or too slowly to tell from a floor"
        name = self.parameters[coordinate]
        if self.terms[coordinate] is None:
            return "E = 0: the data do not bend towards a floor; larger sizes, or the law without one"
        return f"{name} = 0: y does not depend on its variable; smaller sizes are lacking"


class Power(PowerSum):
    """y = A x^-alpha."""

    name = "power"
    formula = "A x^-alpha"
    source = "Hestness et al. 2017; Kaplan et al. 2020, eq. 1.1"
    parameters = ("A", "alpha")
    log_parameters = frozenset({"A"})
    exponents = ()  # an exponent of either sign that is near 0 means a flat curve, not one that is not identified
    terms = ((0, 0),)
    exponent_limits = (-MAX_EXPONENT, MAX_EXPONENT)

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        return {"low": "y climbs like a wall", "high": "y falls like a wall"}[side] if coordinate else ""


class PowerWithFloor(PowerSum):
    """y = E + A x^-alpha with E >= 0."""

    name = "power_floor"
    formula = "E + A x^-alpha"
    source = "Henighan et al. 2020, eq. 1.1; Hoffmann et al. 2022, eq. 2 in one variable"
    parameters = ("E", "A", "alpha")
    log_parameters = frozenset({"A"})
    exponents = ("alpha",)
    terms = (None, (0, 0))
    start_exponents = _START_EXPONENTS_OF_ONE

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        if side == "low" and coordinate > 0:
            return "y does not fall with x"
        return super().bound_message(coordinate, side)


class Hoffmann(PowerSum):
    """L = E + A/N^alpha + B/D^beta."""

    name = "hoffmann"
    formula = "E + A/N^alpha + B/D^beta"
    source = "Hoffmann et al. 2022, eq. 2 and 3"
    variables = ("N", "D")
    parameters = ("E", "A", "B", "alpha", "beta")
    log_parameters = frozenset({"A", "B"})
    exponents = ("alpha", "beta")
    terms = (None, (0, 0), (1, 1))


class WidthDepth(PowerSum):
    """L = E + A/w^a + B/d^b + C/D^c over width w, depth d and tokens D."""

    name = "width_depth"
    formula = "E + A/w^a + B/d^b + C/D^c"
    source = "Hoffmann et al. 2022, eq. 2, with N split into width and depth"
    variables = ("w", "d", "D")
    parameters = ("E", "A", "B", "C", "a", "b", "c")
    log_parameters = frozenset({"A", "B", "C"})
    exponents = ("a", "b", "c")
    terms = (None, (0, 0), (1, 1), (2, 2))
    start_exponents = _START_EXPONENTS_OF_THREE


class Gadre(PowerSum):
    """L = E + (a M^eta + b M^-eta) C^-eta with C = 6 N D FLOPs and M = D / N tokens a parameter.

    This is Hoffmann's law with equal exponents: A = a 6^-eta and B = b 6^-eta, alpha = beta = 2 eta.
    """

    name = "gadre"
    formula = "E + (a M^eta + b M^-eta) C^-eta, C = 6 N D, M = D/N"
    source = "Gadre et al. 2024, eq. 4"
    variables = ("N", "D")
    parameters = ("E", "a", "b", "eta")
    log_parameters = frozenset({"a", "b"})
    exponents = ("eta",)
    terms = (None, (0, 0), (1, 0))
    start_exponents = _START_EXPONENTS_OF_ONE

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        floor, *scales, double = np.moveaxis(super().public(theta, centre, unit), -1, 0)
        return np.stack([floor, *(scale * 6 ** (double / 2) for scale in scales), double / 2], axis=-1)


class Kaplan(Law):
    """L = [(Nc/N)^(alpha_N/alpha_D) + Dc/D]^alpha_D.

    theta = (ln L at the centre, share of the term in N there, alpha_N, alpha_D).
    """

    name = "kaplan"
    formula = "[(Nc/N)^(alpha_N/alpha_D) + Dc/D]^alpha_D"
    source = "Kaplan et al. 2020, eq. 1.5"
    variables = ("N", "D")
    parameters = ("Nc", "Dc", "alpha_N", "alpha_D")
    log_parameters = frozenset({"Nc", "Dc"})
    exponents = ("alpha_N", "alpha_D")

    @staticmethod
    def _terms(t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, ...]:
        level, share, alpha_n, alpha_d = (theta[..., i, None] for i in range(4))
        powers = np.exp(-alpha_n / alpha_d * t[..., 0, :]), np.exp(-t[..., 1, :])
        return level, share, alpha_n, alpha_d, *powers, share * powers[0] + (1 - share) * powers[1]

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        level, _, _, alpha_d, _, _, total = self._terms(t, theta)
        return level + alpha_d * np.log(total)

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        level, share, alpha_n, alpha_d, in_n, in_d, total = self._terms(t, theta)
        log_total, along = np.log(total), share * in_n / total * t[..., 0, :]
        slopes = [
            np.ones_like(total),
            alpha_d * (in_n - in_d) / total,
            -along,
            log_total + alpha_n / alpha_d * along,
        ]
        return level + alpha_d * log_total, np.stack(slopes, axis=-2)

    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        low = np.array([-np.inf, _KAPLAN_LEAST_SHARE, _LEAST_EXPONENT, _LEAST_EXPONENT])
        return low, np.array([np.inf, 1 - _KAPLAN_LEAST_SHARE, MAX_EXPONENT, MAX_EXPONENT])

    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        rest = grid(_KAPLAN_START_SHARES, _KAPLAN_START_EXPONENTS, _KAPLAN_START_EXPONENTS)
        theta = np.concatenate([np.zeros((len(rest), 1)), rest], axis=1)
        shape = self.value(t if t.ndim == 2 else t[:, None], theta)
        shape = shape if shape.ndim == 3 else shape[None]
        share = (weight / weight.sum(axis=1, keepdims=True))[:, None]
        gap = y[:, None] - shape
        level = np.sum(share * gap, axis=-1, keepdims=True)
        cost = np.sum(share * (gap - level) ** 2, axis=-1)
        return best(np.concatenate([level, np.broadcast_to(rest, (len(y), *rest.shape))], axis=-1), cost, keep)

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        level, share, alpha_n, alpha_d = np.moveaxis(theta, -1, 0)
        root = (level + np.log(unit)) / alpha_d
        critical_n = centre[0] * np.exp((np.log(share) + root) * alpha_d / alpha_n)
        return np.stack([critical_n, centre[1] * (1 - share) * np.exp(root), alpha_n, alpha_d], axis=-1)

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        if coordinate == 1:
            return f"the loss does not depend on {'N' if side == 'low' else 'D'}"
        return f"{self.parameters[coordinate]} at its {'least' if side == 'low' else 'most'}" if coordinate > 1 else ""
