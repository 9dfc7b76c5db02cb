"""Whether residuals tell that runs err together: error rate, power, and what is taken for a grouping."""

from __future__ import annotations

import numpy as np
import pytest

from harness import ScalingLaw, fit_best
from harness.analysis.fitting.shared_errors import ALPHA, group_levels_p, groupings_of, near
from harness.datasets import LossSurface

SURFACE = LossSurface()


def isoflop(budgets: int, sizes: int) -> tuple[np.ndarray, np.ndarray]:
    budget = np.repeat(np.arange(budgets), sizes)
    flops = np.geomspace(1e18, 1e21, budgets)[budget]
    n = np.sqrt(flops / 120) * np.tile(np.geomspace(0.2, 5, sizes), budgets)
    return np.stack([n, flops / 6 / n], axis=1), budget


@pytest.mark.parametrize("degrees", [np.inf, 3])
def test_the_test_keeps_its_error_rate(degrees: float) -> None:
    """4,000 tables of 8 groups x 5 on a random design: standard error .0034, bounds at four of them."""
    rng = np.random.default_rng(0)
    labels, found = np.repeat(np.arange(8), 5), []
    for _ in range(4000):
        basis, _ = np.linalg.qr(rng.standard_normal((40, 4)))
        y = rng.standard_normal(40) if np.isinf(degrees) else rng.standard_t(degrees, 40)
        found.append(group_levels_p(basis, y - basis @ (basis.T @ y), labels))
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.014)
    if np.isinf(degrees):
        assert np.mean(np.array(found) < 0.5) == pytest.approx(0.5, abs=0.032)


def test_designs_that_groups_take_whole_and_residuals_that_are_not_there() -> None:
    labels = np.repeat(np.arange(4), 3)
    levels = np.eye(4)[labels] / np.sqrt(3)
    assert group_levels_p(levels, np.random.default_rng(0).standard_normal(12), labels) == 1
    assert group_levels_p(np.ones((4, 1)) / 2, np.zeros(4), np.arange(4)) == 1


def test_independent_runs_of_a_surface_are_left_alone() -> None:
    """120 tables at 5 %: standard error .02."""
    places, _ = isoflop(6, 7)
    exact, rng, told = SURFACE.loss(*places.T), np.random.default_rng(1), 0
    for _ in range(120):
        fit = ScalingLaw("hoffmann", interval="delta").fit(places, exact * np.exp(0.005 * rng.standard_normal(42)))
        told += fit.shared_errors_ is not None
        assert (fit.shared_errors_ is None) == (fit.n_clusters_ is None) == ("correlate" not in fit.message_)
    assert told / 120 < ALPHA + 4 * 0.02


def test_budgets_that_err_together_are_found_and_carry_the_intervals() -> None:
    places, budget = isoflop(10, 8)
    exact, rng = SURFACE.loss(*places.T), np.random.default_rng(2)
    found, wider = [], []
    for _ in range(20):
        errors = 0.005 * rng.standard_normal(10)[budget] + 0.003 * rng.standard_normal(80)
        told = ScalingLaw("hoffmann").fit(places, exact * np.exp(errors))
        given = ScalingLaw("hoffmann").fit(places, exact * np.exp(errors), clusters=budget)
        apart = ScalingLaw("hoffmann").fit(places, exact * np.exp(errors), clusters=np.arange(80))
        found.append(told.shared_errors_ is not None and told.shared_errors_.what == "a budget of compute")
        if found[-1]:
            assert told.intervals_ == given.intervals_ and told.n_clusters_ == 10
            assert "runs that share a budget of compute correlate by 0." in told.message_
            assert "intervals rest on their 10 groups, not on 80 runs" in told.message_
            wider.append(np.ptp(told.intervals_["alpha"]) / np.ptp(apart.intervals_["alpha"]))
    assert np.mean(found) >= 0.8 and np.median(wider) > 1.2


def test_checkpoints_of_a_model_share_its_n() -> None:
    model = np.repeat(np.arange(12), 10)
    n = np.geomspace(2e7, 3e9, 12)[model]
    places = np.stack([n, n * np.tile(np.geomspace(3, 300, 10), 12)], axis=1)
    rng = np.random.default_rng(3)
    y = SURFACE.loss(*places.T) * np.exp(0.01 * rng.standard_normal(12)[model] + 0.003 * rng.standard_normal(120))
    fit = ScalingLaw("hoffmann").fit(places, y)
    assert fit.shared_errors_ is not None and fit.shared_errors_.what == "N" and fit.n_clusters_ == 12
    assert fit_best(places, y, rolling=False).fits["hoffmann"].intervals_ == fit.intervals_


def test_a_column_of_labels_may_tell_over_one_variable() -> None:
    run = np.repeat(np.arange(10), 8)
    x = 10 ** (3 + 0.02 * run + 3 * np.tile(np.linspace(0, 1, 8), 10))
    rng = np.random.default_rng(4)
    y = (1.5 + 100 * x**-0.5) * np.exp(0.01 * rng.standard_normal(10)[run] + 0.003 * rng.standard_normal(80))
    suspects = {"run": run, "corpus": run % 2, "row": np.arange(80)}
    fit = ScalingLaw("power_floor").fit(x, y, suspects=suspects)
    assert fit.shared_errors_ is not None and fit.shared_errors_.what == "run"
    assert ScalingLaw("power_floor").fit(x, y).shared_errors_ is None
    assert ScalingLaw("power_floor").fit(x, y, suspects={"corpus": run % 2}).shared_errors_ is None, "two conditions"
    parts = np.tile([0, 1], 80)
    rows = ScalingLaw("power_floor").fit(np.repeat(x, 2), np.repeat(y, 2), np.zeros(160), suspects={"part": parts})
    assert rows.shared_errors_ is None and rows.n_runs_ == 80, "a column that varies within runs is none of theirs"


def test_groupings_that_places_show() -> None:
    places, budget = isoflop(5, 4)
    found = groupings_of(("N", "D"), places * np.exp(np.random.default_rng(0).uniform(-0.01, 0.01, (20, 2))))
    assert set(found) == {"N", "D", "a budget of compute"}
    np.testing.assert_array_equal(found["a budget of compute"], budget)
    assert set(groupings_of(("w", "d", "D"), np.ones((3, 3)))) == {"w", "d", "D", "w and d", "w and D", "d and D"}
    assert groupings_of(("x",), np.ones((3, 1))) == {}


def test_near_values_are_one_group_but_a_chain_is_not() -> None:
    np.testing.assert_array_equal(near(np.array([0.0, 5.0, 0.1, 5.1]), 0.2, 1.0), [0, 1, 0, 1])
    assert near(np.arange(0, 3, 0.1), 0.2, 1.0).max() == 2
