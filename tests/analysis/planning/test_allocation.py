"""Optimal allocation by surface, parabolas and envelope; over-training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness import IsoFlop, ScalingLaw, allocate, overtraining
from harness.analysis.planning.allocation import optimal_exponent
from harness.analysis.planning.isoflop import group_budgets
from harness.datasets import LossSurface, make_surface
from harness.errors import SettingError, UserError

TRUTH = LossSurface()


def best_split(flops: float) -> tuple[float, float]:
    """N and loss of the planted optimum, by trying."""
    n = np.geomspace(1e6, 1e12, 200_001)
    loss = TRUTH.loss(n, flops / 6 / n)
    return float(n[loss.argmin()]), float(loss.min())


@pytest.fixture(scope="module")
def fit() -> ScalingLaw:
    runs = make_surface(random_state=0).frame
    return ScalingLaw("hoffmann", objective="squares").fit(runs[["N", "D"]], runs["loss"])


def test_noise_free_allocation_is_the_optimum() -> None:
    runs = make_surface(random_state=0, noise=0).frame
    exact = ScalingLaw("hoffmann", objective="squares", interval="delta").fit(runs[["N", "D"]], runs["loss"])
    table = allocate(exact, [1e20, 1e23])
    for row in table.to_dict("records"):
        n, loss = best_split(row["compute"])
        assert row["N"] == pytest.approx(n, rel=1e-3)
        assert row["loss"] == pytest.approx(loss, rel=1e-5)
        assert 6 * row["N"] * row["D"] == pytest.approx(row["compute"], rel=1e-9)
        assert row["tokens_per_parameter"] == pytest.approx(row["D"] / row["N"])


def test_intervals_of_an_allocation_hold_the_truth_and_widen_with_distance(fit: ScalingLaw) -> None:
    table = allocate(fit, [1e20, 1e24])
    for row in table.to_dict("records"):
        assert row["N_low"] < best_split(row["compute"])[0] < row["N_high"]
        assert row["N_low"] < row["N"] < row["N_high"]
    assert table["N_high"][1] / table["N_low"][1] > table["N_high"][0] / table["N_low"][0]
    exponent, low, high = optimal_exponent(fit)
    assert low < TRUTH.size_exponent < high and low < exponent < high


def test_a_smaller_model_costs_what_the_surface_says() -> None:
    runs = make_surface(random_state=0, noise=0).frame
    fit = ScalingLaw("hoffmann", objective="squares", interval="delta").fit(runs[["N", "D"]], runs["loss"])
    n, loss = best_split(1e21)
    table = overtraining(fit, [1.0, 0.5, 0.05])
    assert table["compute_ratio"][0] == pytest.approx(1)
    d = 1e21 / 6 / n
    assert TRUTH.loss(np.array([n / 2]), np.array([d * table["tokens_ratio"][1]]))[0] == pytest.approx(loss, rel=1e-5)
    assert table["compute_ratio"][1] == pytest.approx(table["tokens_ratio"][1] / 2)
    # A twentieth of the size: no number of tokens makes up for it.
    assert TRUTH.loss(np.array([n / 20]), np.array([1e30]))[0] > loss
    assert np.isinf(table["tokens_ratio"][2])


def test_gadre_allocates_as_hoffmann_where_exponents_are_equal() -> None:
    truth = replace(TRUTH, beta=TRUTH.alpha)
    runs = make_surface(random_state=1, noise=0, truth=truth).frame
    tables = [
        allocate(ScalingLaw(law, objective="squares", interval="delta").fit(runs[["N", "D"]], runs["loss"]), 1e22)
        for law in ("gadre", "hoffmann")
    ]
    assert tables[0]["N"][0] == pytest.approx(tables[1]["N"][0], rel=1e-4)
    assert tables[0]["loss"][0] == pytest.approx(tables[1]["loss"][0], rel=1e-5)


def test_laws_without_an_optimum_are_refused() -> None:
    runs = make_surface(random_state=2).frame
    kaplan = ScalingLaw("kaplan").fit(runs[["N", "D"]], runs["loss"])
    with pytest.raises(UserError, match="hoffmann and gadre"):
        allocate(kaplan, 1e22)


@pytest.mark.parametrize("approach", [1, 2])
def test_minima_of_each_budget(approach: int) -> None:
    runs = make_surface(random_state=3, noise=0.001).frame
    found = IsoFlop(approach=approach, n_bootstrap=500).fit(runs["N"], runs["D"], runs["loss"])
    assert (found.minima_["status"] == "accepted").all() and found.message_ == ""
    for row in found.minima_.to_dict("records"):
        assert row["N"] == pytest.approx(best_split(row["budget"])[0], rel=0.6)
        assert row["N_low"] <= row["N"] <= row["N_high"]
    low, high = found.exponent_interval_
    assert low <= found.exponent_ <= high
    # The parabola is biased on such curves (experiments/published_laws), the envelope coarse.
    assert found.exponent_ == pytest.approx(TRUTH.size_exponent, abs=0.08)


def test_a_minimum_must_lie_inside_and_curve_upwards() -> None:
    runs = make_surface(random_state=4, noise=0).frame
    one_sided = runs[runs.groupby("C")["N"].rank() <= 4]
    edges = IsoFlop().fit(one_sided["N"], one_sided["D"], one_sided["loss"])
    assert (edges.minima_["status"] == "minimum beyond the sizes measured").all()
    assert np.isnan(edges.exponent_) and "no exponent" in edges.message_ and edges.minima_["N"].isna().all()
    hump = runs.assign(loss=4 - runs["loss"])
    assert (IsoFlop().fit(hump["N"], hump["D"], hump["loss"]).minima_["status"] == "curves downwards").all()
    few = runs[runs.groupby("C")["N"].rank() <= 3]
    assert (IsoFlop().fit(few["N"], few["D"], few["loss"]).minima_["status"] == "too few sizes").all()


def test_one_budget_is_refused() -> None:
    runs = make_surface(random_state=5, n_budgets=1).frame
    with pytest.raises(UserError, match="at least two budgets"):
        IsoFlop().fit(runs["N"], runs["D"], runs["loss"])
    with pytest.raises(SettingError, match="approach=3"):
        IsoFlop(approach=3).fit(runs["N"], runs["D"], runs["loss"])


def test_budgets_are_told_apart_by_gaps() -> None:
    flops = np.array([1e18, 1.02e18, 3e18, 0.99e18, 3.1e18])
    found = group_budgets(flops)
    assert len(np.unique(found)) == 2
    assert found[0] == found[1] == found[3] == pytest.approx(1e18, rel=0.02)
    # A chain of runs is not one budget.
    chain = group_budgets(1e18 * np.exp(0.1 * np.arange(30)))
    spans = [np.ptp(np.arange(30)[chain == budget]) for budget in np.unique(chain)]
    assert len(spans) > 5 and max(spans) <= 4
