"""Optimal allocation by the surface, and what a smaller model costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness import ScalingLaw, allocate, overtraining
from harness.analysis.fitting import intervals
from harness.analysis.planning.allocation import optimal_exponent
from harness.datasets import LossSurface, make_surface
from harness.errors import UserError

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


def test_intervals_are_profiles_that_hold_their_estimates(fit: ScalingLaw) -> None:
    for table in (allocate(fit, [1e20, 1e24]), overtraining(fit, [0.5, 0.25])):
        assert (table["status"] == "converged").all() and (table["message"] == "").all()
    table = overtraining(fit, [0.5, 0.25])
    low, high = table["tokens_ratio_low"], table["tokens_ratio_high"]
    assert ((low < table["tokens_ratio"]) & (table["tokens_ratio"] < high)).all()


def test_an_interval_that_does_not_hold_its_estimate_is_told(fit: ScalingLaw, monkeypatch: pytest.MonkeyPatch) -> None:
    """A solver that fails for the second of every four quantities: D of an allocation."""

    def profile(problem: object, theta: np.ndarray, cost: object, quantity: intervals.Quantity, drop: object):
        value, _ = quantity(theta, np.arange(len(theta)))
        off = np.where(np.arange(len(theta)) % 4 == 1, 0.1, -0.1)
        return intervals.Interval(value + off, value + 0.2)

    monkeypatch.setattr(intervals, "profile", profile)
    table = allocate(fit, [1e20, 1e24])
    assert table["status"].tolist() == ["interval failed"] * 2
    assert table["message"].str.startswith("D: the interval found does not hold its estimate").all()
    np.testing.assert_allclose(table["D_low"], table["D"])
    assert (table["N_low"] < table["N"]).all()
    dearer = overtraining(fit, [1.0, 0.5, 0.05])
    assert dearer["status"].tolist() == ["converged", "interval failed", "converged"]
    assert dearer["message"][1].startswith("tokens_ratio: ")


def test_a_law_without_a_part_for_n_allocates_nothing() -> None:
    runs = make_surface(random_state=6).frame
    rising_in_n = (2 + 2100 * runs["D"] ** -0.37) * runs["N"] ** 0.01
    flat = ScalingLaw("hoffmann", objective="squares").fit(runs[["N", "D"]], rising_in_n)
    assert flat.status_ == "at a bound" and "A = 0" in flat.message_
    with pytest.raises(UserError, match="no optimal split of compute: A = 0"):
        allocate(flat, 1e22)
