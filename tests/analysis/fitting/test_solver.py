"""The solver: bounds, robust starts, batches and the thinning of large tables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from harness.analysis.fitting.laws import LAWS
from harness.analysis.fitting.objectives import BetaBinomial, Huber, Squares
from harness.analysis.fitting.solver import Problem, minimise, optimum

TRUTH = np.array([[0.6, 0.4, 0.5]])


def noisy(n: int = 40, noise: float = 0.02, data_sets: int = 3, seed: int = 0) -> Problem:
    law, rng = LAWS["power_floor"], np.random.default_rng(seed)
    t = np.linspace(-3, 3, n)[None]
    y = law.value(t, TRUTH) + noise * rng.standard_normal((data_sets, n))
    return Problem.of(law, Squares(), t, y, np.ones_like(y))


def test_the_end_is_that_of_scipy() -> None:
    problem = noisy()
    found = optimum(problem)
    assert found.converged.all()
    for i in range(len(problem.y)):
        theirs = least_squares(lambda p, i=i: problem.law.value(problem.t, p[None])[0] - problem.y[i], TRUTH[0])
        np.testing.assert_allclose(found.theta[i], theirs.x, rtol=1e-5)
        assert found.cost[i] <= theirs.cost * (1 + 1e-9)


def test_bounds_hold_and_a_coordinate_between_equal_bounds_stays() -> None:
    problem = noisy()
    low, high = problem.low.copy(), problem.high.copy()
    low[:, 0], high[:, 0] = 0.7, 0.7
    low[:, 2] = 0.55
    held = Problem(problem.law, problem.objective, problem.t, problem.y, problem.weight, low, high)
    found = minimise(held, np.tile([0.2, 0.3, 0.6], (3, 1)))
    assert found.converged.all()
    np.testing.assert_array_equal(found.theta[:, 0], 0.7)
    assert (found.theta[:, 2] >= 0.55).all() and (found.cost > optimum(problem).cost).all()


def test_weights_count_as_repeated_points() -> None:
    problem = noisy()
    weight = np.ones_like(problem.y)
    weight[:, :7] = 3.0
    weighted = optimum(Problem.of(problem.law, Squares(), problem.t, problem.y, weight))
    order = np.concatenate([np.arange(40), np.repeat(np.arange(7), 2)])
    repeated = optimum(
        Problem.of(problem.law, Squares(), problem.t[:, order], problem.y[:, order], np.ones((3, len(order))))
    )
    np.testing.assert_allclose(weighted.theta, repeated.theta, rtol=1e-7)
    np.testing.assert_allclose(weighted.cost, repeated.cost, rtol=1e-9)


@pytest.mark.parametrize("law", ["hoffmann", "sigmoid_of_loss"])
def test_points_without_weight_may_be_left_out(law: str) -> None:
    """As refits of a bootstrap do, each with points of its own."""
    form, rng = LAWS[law], np.random.default_rng(3)
    t = rng.uniform(-1, 1, (len(form.variables), 12))
    theta = np.tile([[0.5, 0.3, 0.4, 0.35, 0.6] if law == "hoffmann" else [0.1, 0.9, 0.2, -0.5]], (5, 1))
    y = form.value(t, theta) + 0.01 * rng.standard_normal((5, 12))
    objective = Huber(1e-3) if law == "hoffmann" else BetaBinomial(rng.integers(20, 90, 12), np.full((5, 1), 0.01))
    weight = rng.permuted(np.tile(np.arange(12) // 4, (5, 1)), axis=1).astype(float)
    whole = Problem.of(form, objective, t, y, weight)
    few = whole.points(np.argsort(weight == 0, axis=1, kind="stable")[:, :8])
    assert few.y.shape == (5, 8) and (few.weight > 0).all()
    again = few.points(np.tile(np.arange(8)[::-1], (5, 1)))
    for trust in (0.0, 1.0):
        expected = (whole.cost(theta), *whole.derivatives(theta, np.full(5, trust)))
        for problem in (few, again):
            found = (problem.cost(theta), *problem.derivatives(theta, np.full(5, trust)))
            for ours, theirs in zip(found, expected, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_an_extra_term_is_minimised_along() -> None:
    """A strong pull of the exponent to .8 brings it there, whatever the data say."""
    problem = noisy()

    def extra(theta: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        off, matrix, push = theta[:, 2] - 0.8, np.zeros((len(theta), 3, 3)), np.zeros_like(theta)
        push[:, 2], matrix[:, 2, 2] = 1e6 * off, 1e6
        return 5e5 * off**2, push, matrix

    found = optimum(problem, extra)
    assert found.converged.all()
    np.testing.assert_allclose(found.theta[:, 2], 0.8, atol=1e-4)


def test_more_points_than_starts_need_are_thinned_and_all_are_fitted() -> None:
    """Starts of 3,000 points are sought on 500 of them; the end is the optimum of all."""
    law, rng = LAWS["hoffmann"], np.random.default_rng(1)
    t = rng.uniform(-3, 3, (2, 3000))
    truth = np.array([[0.5, 0.3, 0.4, 0.35, 0.6]])
    y = law.value(t, truth) + 0.01 * rng.standard_normal((1, 3000))
    problem = Problem.of(law, Huber(1e-3), t, y, np.ones_like(y))
    found, from_truth = optimum(problem), minimise(problem, truth)
    assert found.converged[0] and found.cost[0] <= from_truth.cost[0] * (1 + 1e-9)


def test_what_does_not_converge_says_so() -> None:
    problem = noisy()
    assert not minimise(problem, np.tile([5.0, 5.0, 5.0], (3, 1)), max_iterations=2).converged.any()
