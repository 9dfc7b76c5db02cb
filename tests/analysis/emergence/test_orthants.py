"""Quadrant probabilities against one-dimensional adaptive quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gammaln, stdtr
from scipy.stats import norm
from scipy.stats import t as student

from harness.analysis.emergence.orthants import quadrant_probabilities


def by_quadrature(h: float, k: float, r: float, freedom: float) -> float:
    """P(X > 0, Y > 0): the integral over x > 0 of the density of X times P(Y > 0 | x)."""

    of_0 = np.exp(gammaln((freedom + 1) / 2) - gammaln(freedom / 2)) / np.sqrt(np.pi * freedom)

    def density(x: float) -> float:
        scale = np.sqrt((freedom + x**2) / (freedom + 1) * (1 - r**2))
        of_x = of_0 * (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
        return float(of_x * stdtr(freedom + 1, (k + r * x) / scale))

    turn = -k / r if abs(r) > 1e-6 else 0.0
    return float(quad(density, -h, 60, points=[turn] if -h < turn < 60 else None, limit=200)[0])


def test_quadrants_agree_with_quadrature() -> None:
    rng = np.random.default_rng(0)
    h, k = 2 * rng.normal(size=(2, 60))
    k[::4] = h[::4] + 0.05 * rng.normal(size=len(k[::4]))
    r, freedom = np.tanh(1.8 * rng.normal(size=60)), rng.choice([3.0, 6.0, 23.0, 200.0], 60)
    both, first, second, neither = quadrant_probabilities(h, k, r, freedom)
    expected = np.array([by_quadrature(*each) for each in zip(h, k, r, freedom, strict=True)])
    assert np.abs(both - expected).max() < 1e-3
    assert both + first == pytest.approx(student.cdf(h, freedom), abs=1e-3)
    assert both + second == pytest.approx(student.cdf(k, freedom), abs=1e-3)
    assert both + first + second + neither == pytest.approx(np.ones(60), abs=2e-3)
    assert min(part.min() for part in (both, first, second, neither)) >= 0


def test_uncorrelated_with_many_degrees_of_freedom_is_a_product_of_normals() -> None:
    h, k = np.meshgrid(np.linspace(-3, 3, 7), np.linspace(-3, 3, 7))
    both = quadrant_probabilities(h, k, np.zeros_like(h), np.full_like(h, 1e6))[0]
    assert np.abs(both - norm.cdf(h) * norm.cdf(k)).max() < 1e-3


def test_at_a_correlation_near_minus_1_the_quadrant_is_an_interval() -> None:
    """Then Y = k - (X - h): both are above 0 where 0 < X < h + k, which is empty where h + k < 0."""
    both = quadrant_probabilities(np.array([1.0, -1.0]), np.array([0.5, 0.5]), np.full(2, -0.99999), np.full(2, 30.0))[
        0
    ]
    assert both[0] == pytest.approx(student.cdf(1.0, 30) - student.cdf(-0.5, 30), abs=2e-3)
    assert both[1] < 1e-3
