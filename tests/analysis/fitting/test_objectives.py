"""What a fit minimises: derivatives, and likelihoods as scipy has them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.analysis.fitting.objectives import BetaBinomial, Binomial, Huber, Objective, OneSided, Squares


@pytest.mark.parametrize(
    "objective",
    [Squares(), Huber(0.05), OneSided(0.05), Binomial(), BetaBinomial(np.full(9, 50.0), np.full((1, 1), 0.02))],
    ids=lambda o: type(o).__name__,
)
def test_objectives_have_their_derivatives(objective: Objective) -> None:
    value, y = np.linspace(0.1, 0.9, 9)[None], np.linspace(0.004, 1.0, 9)[None]
    first, exact, safe = objective.derivatives(value, y)
    h = 1e-5
    slope = (objective.rho(value + h, y) - objective.rho(value - h, y)) / (2 * h)
    bent = (objective.derivatives(value + h, y)[0] - objective.derivatives(value - h, y)[0]) / (2 * h)
    np.testing.assert_allclose(first, slope, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.broadcast_to(exact, value.shape), bent, rtol=1e-4, atol=1e-4)
    assert (np.asarray(safe) > 0).all()


def test_huber_is_squares_up_to_delta_and_linear_beyond() -> None:
    off = np.array([[-3.0, -0.05, 0.0, 0.1, 2.0]])
    found = Huber(0.1).rho(off, np.zeros_like(off))
    np.testing.assert_allclose(found, [[0.1 * 2.95, 0.00125, 0, 0.005, 0.1 * 1.95]])


def test_likelihoods_are_those_of_scipy_but_for_a_constant() -> None:
    n, right, p = 20, np.array([[0.0, 3.0, 19.0]]), np.array([[0.1, 0.4, 0.8]])
    binomial = n * Binomial().rho(p, right / n) + stats.binom.logpmf(right, n, p)
    np.testing.assert_allclose(binomial, stats.binom.logpmf(right, n, 0.5) - n * np.log(0.5), atol=1e-9)
    rho = 0.1
    total = (1 - rho) / rho
    beta = BetaBinomial(np.full(3, float(n)), np.full((1, 1), rho))
    found = beta.rho(p, right / n) + stats.betabinom.logpmf(right, n, p * total, (1 - p) * total)
    combinations = stats.binom.logpmf(right, n, 0.5) - n * np.log(0.5)
    np.testing.assert_allclose(found, combinations, atol=1e-9)


def test_beta_binomial_of_some_of_a_batch() -> None:
    n, rho = np.arange(6.0).reshape(2, 3) + 5, np.array([[0.1], [0.2]])
    part = BetaBinomial(n, rho).rows(np.array([1]))
    assert isinstance(part, BetaBinomial)
    np.testing.assert_array_equal(part.n, n[[1]])
    np.testing.assert_array_equal(part.rho_seeds, [[0.2]])


def test_one_sided_costs_more_below_the_law() -> None:
    y, value = np.zeros((1, 4)), np.array([[-0.3, -0.01, 0.01, 0.3]])  # the first two are runs above the law
    found = OneSided(0.1, 10).rho(value, y)
    np.testing.assert_allclose(found, Huber(0.1).rho(value, y) * [1, 1, 10, 10])


def test_one_sided_finds_the_expectile_and_the_quantile() -> None:
    """Of a sample, by a constant: Newey and Powell's with a large delta, the 1/11 quantile with a small one."""
    sample = np.sort(np.random.default_rng(0).standard_normal(4001))[None]
    grid = np.linspace(-2, 0, 2001)[:, None]
    for delta, share in ((100.0, None), (1e-4, 1 / 11)):
        cost = OneSided(delta, 10).rho(np.broadcast_to(grid, (2001, 4001)), sample).sum(axis=1)
        found = grid[np.argmin(cost), 0]
        if share is None:  # (above the expectile) = 10 x (below it), in mean
            below, above = np.sum(np.maximum(found - sample, 0)), np.sum(np.maximum(sample - found, 0))
            assert above == pytest.approx(10 * below, rel=0.02)
        else:
            assert found == pytest.approx(np.quantile(sample, share), abs=5e-3)
