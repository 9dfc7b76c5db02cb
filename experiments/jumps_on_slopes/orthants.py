"""Probability of each quadrant under a bivariate Student's t distribution, for many distributions at once.

By Plackett's identity as Genz (2004), "Numerical computation of rectangular bivariate and trivariate normal and t
probabilities", Statistics and Computing 14, equations 2 and 5, uses it: with h, k the location in units of the scale,
r the correlation and T the distribution function of Student's t with `freedom` degrees of freedom,

    P(+, +) = T(min(h, k))                 -  I(arcsin r, pi / 2)     for r >= 0
    P(+, +) = max(0, T(h) + T(k) - 1)      +  I(-pi / 2, arcsin r)    for r < 0
    I(a, b) = 1 / (2 pi) int_a^b (1 + (h^2 + k^2 - 2 h k sin u) / (freedom cos^2 u))^(-freedom / 2) du

The other three quadrants follow from the marginal distributions.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr

#: Nodes of the Gauss-Legendre rule. Absolute errors stay below 1e-3 (the tests compare with adaptive quadrature).
_NODES = 8
_X, _W = np.polynomial.legendre.leggauss(_NODES)


def quadrant_probabilities(
    h: np.ndarray, k: np.ndarray, correlation: np.ndarray, freedom: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """P(+, +), P(+, -), P(-, +), P(-, -) of (X, Y).

    Args:
        h, k: locations of X and Y over their scales.
        correlation: of X and Y, in (-1, 1).
        freedom: degrees of freedom, above 0. All arguments broadcast.
    """
    above_h, above_k = stdtr(freedom, h), stdtr(freedom, k)
    angle = np.arcsin(np.clip(correlation, -1.0, 1.0))
    positive = correlation >= 0
    # Both integrals run between the angle and pi/2 or -pi/2, near which the integrand changes steeply; the sign of
    # `product` reflects one onto the other. The substitution (distance from that end) = length x^2 crowds nodes there.
    length = np.pi / 2 - np.abs(angle)
    product = 2 * h * k * np.where(positive, 1.0, -1.0)
    square = h**2 + k**2
    integral = np.zeros(np.broadcast_shapes(square.shape, length.shape))
    for x, weight in zip((_X + 1) / 2, _W / 2, strict=True):
        u = length * x**2
        excess = (square - product * np.cos(u)) / np.maximum(freedom * np.sin(u) ** 2, 1e-300)
        integral += weight * 2 * x * np.exp(-freedom / 2 * np.log1p(excess))
    integral *= length / (2 * np.pi)
    both = np.where(
        positive, np.minimum(above_h, above_k) - integral, np.maximum(0.0, above_h + above_k - 1) + integral
    )
    both = np.clip(both, 0.0, np.minimum(above_h, above_k))
    return both, above_h - both, above_k - both, np.maximum(0.0, 1 - above_h - above_k + both)
