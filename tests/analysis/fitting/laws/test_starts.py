"""Where fits begin."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from harness.analysis.fitting.laws.starts import amplitudes, best, grid, spread


def test_amplitudes_are_weighted_least_squares() -> None:
    rng = np.random.default_rng(0)
    basis, target, weight = rng.standard_normal((4, 3, 20)), rng.standard_normal((4, 20)), rng.uniform(0.1, 2, (4, 20))
    found = amplitudes(basis, target, weight, positive=False)
    for i in range(4):
        root = np.sqrt(weight[i])
        expected = np.linalg.lstsq((basis[i] * root).T, target[i] * root, rcond=None)[0]
        np.testing.assert_allclose(found[i], expected, atol=1e-8)


def test_positive_amplitudes_are_feasible_and_near_the_best() -> None:
    """Negative ones are held at 0 one after the other: never better than non-negative least squares, seldom worse."""
    rng = np.random.default_rng(1)
    basis, target = rng.uniform(0, 1, (200, 3, 20)), rng.standard_normal((200, 20))
    found = amplitudes(basis, target, np.ones((200, 20)), positive=True)
    off = np.linalg.norm(np.einsum("sk,skn->sn", found, basis) - target, axis=1)
    least = np.array([nnls(basis[i].T, target[i])[1] for i in range(200)])
    assert (found >= 0).all() and (off >= least - 1e-9).all()
    assert np.mean(off < least * 1.001) > 0.9


def test_the_best_are_those_of_lowest_cost_in_order() -> None:
    candidates = np.arange(8.0).reshape(2, 4, 1)
    cost = np.array([[3, 1, np.nan, 2], [0, np.inf, 5, 4]])
    np.testing.assert_array_equal(best(candidates, cost, 2)[..., 0], [[1, 3], [4, 7]])
    assert best(candidates, cost, 9).shape == (2, 4, 1)


def test_spread_points_fill_the_cube_and_are_always_the_same() -> None:
    points = spread(2048, 3)
    np.testing.assert_array_equal(points, spread(2048, 3))
    counts, _ = np.histogramdd(points, bins=4, range=[(0, 1)] * 3)
    # 32 in each of 64 cells; random points would have 16 in the emptiest.
    assert counts.min() >= 24 and counts.max() <= 40 and (points > 0).all() and (points < 1).all()


def test_a_grid_has_every_combination() -> None:
    np.testing.assert_array_equal(grid((1, 2), (3, 4)), [[1, 3], [1, 4], [2, 3], [2, 4]])
