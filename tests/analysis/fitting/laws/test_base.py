"""What a law need not define: derivatives, limits, starts and parameters have defaults."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.fitting.laws import LAWS, Law
from harness.analysis.fitting.objectives import Huber, Squares
from harness.analysis.fitting.solver import Problem, optimum
from harness.errors import UserError


class Saturating(Law):
    """y = E + A exp(-x / x0): attributes and one method."""

    name = "saturating"
    formula = "E + A exp(-x / x0)"
    parameters = ("E", "A", "x0")
    log_parameters = frozenset({"A", "x0"})
    ranges = {"E": (0, 10), "A": (1e-2, 1e2), "x0": (1e3, 1e9)}

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        floor, log_a, log_x0 = (theta[..., i, None] for i in range(3))
        return np.log(floor + np.exp(log_a - np.exp(t[..., 0, :] - log_x0)))


LAW = Saturating()
TRUTH = np.array([[1.5, np.log(2.0), np.log(3e5)], [0.4, np.log(0.5), np.log(5e4)]])


def data(n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    t = np.linspace(np.log(1e4), np.log(3e6), n)[None]
    return t, LAW.value(t, TRUTH)


def test_value_is_the_only_method_that_a_law_must_define() -> None:
    assert Law.__abstractmethods__ == {"value"}


def test_limits_are_the_ranges_in_the_laws_coordinates() -> None:
    low, high = LAW.limits(*data())
    np.testing.assert_allclose(low, [0, np.log(1e-2), np.log(1e3)])
    np.testing.assert_allclose(high, [10, np.log(1e2), np.log(1e9)])


def test_it_has_neither_centre_nor_unit_and_its_coordinates_are_its_parameters() -> None:
    places = np.array([[10.0], [1000.0]])
    assert not LAW.centred and LAW.unit(np.array([3.0, 5.0])) == 1
    np.testing.assert_array_equal(LAW.centre(places), [1.0])
    np.testing.assert_allclose(LAW.coordinates(places, LAW.centre(places)), np.log(places.T))
    np.testing.assert_allclose(LAW.public(TRUTH, np.ones(1), 1.0), [[1.5, 2.0, 3e5], [0.4, 0.5, 5e4]])
    np.testing.assert_allclose(LAW.judged(TRUTH, np.array([0, 2]), np.ones(1), 1.0), [1.5, np.log(5e4)])

    class OverLoss(Saturating):
        x_scale = "linear"

    assert OverLoss().centre(places) == [0.0]
    np.testing.assert_array_equal(OverLoss().coordinates(places, np.zeros(1)), places.T)


def test_starts_are_spread_over_the_limits_the_nearest_to_the_data_first() -> None:
    t, y = data()
    starts = LAW.starts(t, y, np.ones_like(y), 6)
    low, high = LAW.limits(t, y)
    assert starts.shape == (2, 6, 3) and ((starts > low) & (starts < high)).all()
    cost = np.stack([np.sum((LAW.value(t, starts[i]) - y[i]) ** 2, axis=1) for i in range(2)])
    # The first is off by .13 at most: the root mean square of ln y over 30 points.
    assert (np.diff(cost, axis=1) >= 0).all() and (cost[:, 0] < 0.5).all()
    by_fit = LAW.starts(np.stack([t, t]), y, np.ones_like(y), 6)
    np.testing.assert_array_equal(by_fit, starts)


@pytest.mark.parametrize("objective", [Squares(), Huber(0.01)], ids=["squares", "huber"])
def test_planted_parameters_come_back_through_the_defaults(objective: Squares | Huber) -> None:
    t, y = data()
    found = optimum(Problem.of(LAW, objective, t, y, np.ones_like(y)))
    assert found.converged.all()
    np.testing.assert_allclose(found.theta, TRUTH, rtol=1e-6)


def test_differences_are_one_sided_where_the_value_ends() -> None:
    class Root(Law):
        name, formula, parameters, ranges = "root", "a - (b x)^.5", ("a", "b"), {"a": (0, 1), "b": (0, 1)}

        def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
            return theta[..., 0, None] - np.where(theta[..., 1, None] < 0, np.nan, theta[..., 1, None]) * t[..., 0, :]

    _, slopes = Root().gradient(np.array([[1.0, 2.0]]), np.array([[0.5, 0.0]]))
    np.testing.assert_allclose(slopes[0], [[1, 1], [-1, -2]], rtol=1e-6)


def test_starts_need_finite_limits() -> None:
    class Open(Saturating):
        def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.array([0.0, -np.inf, 0.0]), np.full(3, np.inf)

    with pytest.raises(UserError, match="saturating: starts are spread over its limits, which must be finite"):
        Open().starts(*data(), np.ones((2, 30)), 4)


def test_a_bound_is_told_by_name() -> None:
    assert LAW.bound_message(2, "high").startswith("x0 stands at the high end of its range")


def test_laws_of_the_registry_keep_their_analytic_gradients() -> None:
    for law in LAWS.values():
        assert type(law).gradient is not Law.gradient and type(law).starts is not Law.starts
