"""IsoFLOP minima: parabolas and envelope, what is accepted, and how runs are grouped by budget."""

from __future__ import annotations

import numpy as np
import pytest

from harness import IsoFlop
from harness.analysis.planning import isoflop
from harness.analysis.planning.isoflop import group_budgets
from harness.datasets import LossSurface, make_surface
from harness.errors import DataError, SettingError, UserError

TRUTH = LossSurface()


def best_split(flops: float) -> tuple[float, float]:
    """N and loss of the planted optimum, by trying."""
    n = np.geomspace(1e6, 1e12, 200_001)
    loss = TRUTH.loss(n, flops / 6 / n)
    return float(n[loss.argmin()]), float(loss.min())


@pytest.mark.parametrize("approach", [1, 2])
def test_minima_of_each_budget(approach: int) -> None:
    runs = make_surface(random_state=3, noise=0.001).frame
    found = IsoFlop(approach=approach, n_bootstrap=500).fit(runs["N"], runs["D"], runs["loss"])
    assert (found.minima_["status"] == "accepted").all() and found.message_ == ""
    for row in found.minima_.to_dict("records"):
        assert row["N"] == pytest.approx(best_split(row["budget"])[0], rel=0.6)
        assert row["N_low"] < row["N"] < row["N_high"] and row["message"] == ""
    low, high = found.exponent_interval_
    assert low < found.exponent_ < high
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


def test_budgets_are_separated_by_gaps() -> None:
    flops = np.array([1e18, 1.02e18, 3e18, 0.99e18, 3.1e18])
    found = group_budgets(flops)
    assert len(np.unique(found)) == 2
    assert found[0] == found[1] == found[3] == pytest.approx(1e18, rel=0.02)
    # A chain of runs is not one budget.
    chain = group_budgets(1e18 * np.exp(0.1 * np.arange(30)))
    spans = [np.ptp(np.arange(30)[chain == budget]) for budget in np.unique(chain)]
    assert len(spans) > 5 and max(spans) <= 4


def test_a_parabola_is_exact_on_parabolas() -> None:
    flops = np.repeat([1e18, 1e19, 1e20], 7)
    best = 1e8 * (flops / 1e18) ** 0.5
    n = best * np.tile(np.geomspace(0.3, 3, 7), 3)
    found = IsoFlop(n_bootstrap=100).fit(n, flops / 6 / n, 2 + 0.1 * np.log(n / best) ** 2)
    np.testing.assert_allclose(found.minima_["N"], np.unique(best), rtol=1e-9)
    np.testing.assert_allclose(found.minima_["loss"], 2, rtol=1e-9)
    np.testing.assert_allclose(6 * found.minima_["N"] * found.minima_["D"], np.unique(flops), rtol=1e-9)
    assert found.exponent_ == pytest.approx(0.5) and found.message_ == ""


@pytest.mark.parametrize("approach", [1, 2])
def test_percentiles_that_do_not_hold_their_estimate_are_told(approach: int, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = make_surface(random_state=6).frame
    percentiles = isoflop._percentiles
    monkeypatch.setattr(isoflop, "_percentiles", lambda draws, level: (np.nanmax(draws) + 1, np.nanmax(draws) + 2))
    found = IsoFlop(approach, n_bootstrap=200).fit(runs["N"], runs["D"], runs["loss"])
    if approach == 2:  # of the envelope the gap between sizes holds it
        assert found.minima_["message"].str.startswith("N: the interval found does not hold").all()
        assert (found.minima_["N_low"] == found.minima_["N"]).all() and (found.minima_["status"] == "accepted").all()
    assert "the exponent: " in found.message_ and found.exponent_interval_[0] == found.exponent_
    beyond = found.predict(1e24)
    assert beyond["status"][0] == "interval failed" and beyond["N_low"][0] == pytest.approx(beyond["N"][0])
    monkeypatch.setattr(isoflop, "_percentiles", percentiles)
    assert IsoFlop(approach, n_bootstrap=200).fit(runs["N"], runs["D"], runs["loss"]).message_ == ""


# ------------------------------------------------------------------------------------------------ beyond the budgets


def test_the_line_goes_on_beyond_the_budgets() -> None:
    flops = np.repeat([1e18, 1e19, 1e20], 7)
    best = 1e8 * (flops / 1e18) ** 0.5
    n = best * np.tile(np.geomspace(0.3, 3, 7), 3)
    found = IsoFlop(n_bootstrap=100).fit(n, flops / 6 / n, 2 + 0.1 * np.log(n / best) ** 2)
    ahead = found.predict([1e19, 1e24])
    np.testing.assert_allclose(ahead["N"], [1e8 * 10**0.5, 1e11], rtol=1e-6)
    np.testing.assert_allclose(ahead["D"], ahead["compute"] / 6 / ahead["N"], rtol=1e-9)
    np.testing.assert_allclose(ahead["tokens_per_parameter"], ahead["D"] / ahead["N"], rtol=1e-9)
    assert found.coefficient_ * 1e24**found.exponent_ == pytest.approx(1e11, rel=1e-6)
    assert (ahead["status"] == "converged").all() and (ahead["message"] == "").all()
    for bad in ("0", np.nan, -1e20):
        with pytest.raises(DataError, match="compute"):
            found.predict(bad)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="level=2"):
        found.predict(1e24, level=2)


def test_intervals_widen_with_distance_and_level() -> None:
    runs = make_surface(random_state=7).frame
    for approach in (1, 2):
        found = IsoFlop(approach, n_bootstrap=500).fit(runs["N"], runs["D"], runs["loss"])
        ahead, sure = found.predict([1e20, 1e24]), found.predict([1e20, 1e24], level=0.999)
        widths = np.log(ahead["N_high"] / ahead["N_low"])
        assert widths[1] > 1.5 * widths[0] and (np.log(sure["N_high"] / sure["N_low"]) > widths).all()
        np.testing.assert_allclose(6 * ahead["N_low"] * ahead["D_high"], ahead["compute"])


def test_too_few_minima_predict_no_more_than_they_can() -> None:
    runs = make_surface(2, random_state=8).frame
    ahead = IsoFlop().fit(runs["N"], runs["D"], runs["loss"]).predict(1e23)
    assert np.isfinite(ahead["N"][0]) and np.isnan(ahead["N_low"][0]) and ahead["status"][0] == "too few data"
    assert "without an interval" in ahead["message"][0]
    one_sided = runs[runs.groupby("C")["N"].rank() <= 4]
    none = IsoFlop().fit(one_sided["N"], one_sided["D"], one_sided["loss"]).predict(1e23)
    assert np.isnan(none["N"][0]) and "none of 2 budgets" in none["message"][0]


def _held(approach: int, truth: LossSurface, n_sets: int, scaled: float = 1.0, **design: object) -> np.ndarray:
    """(3,) shares of data sets whose intervals hold the exponent, N_opt at 1e24 FLOPs, and the minimum of a budget."""
    held = []
    for seed in range(n_sets):
        runs = make_surface(truth=truth, random_state=seed, **design).frame  # type: ignore[arg-type]
        n = runs["N"] * scaled
        d = runs["C"] / 6 / n
        loss = truth.loss(n, d) * runs["loss"] / truth.loss(runs["N"], runs["D"])
        found = IsoFlop(approach, n_bootstrap=300, seed=seed).fit(n, d, loss)
        minima, ahead = found.minima_.dropna(), found.predict(1e24)
        low, high = found.exponent_interval_
        held.append(
            (
                low <= truth.size_exponent <= high,
                ahead["N_low"][0] <= truth.optimal_size(1e24) <= ahead["N_high"][0],
                minima["budget"].map(truth.optimal_size).between(minima["N_low"], minima["N_high"]).mean(),
            )
        )
    return np.mean(held, axis=0)


def test_parabolas_of_symmetric_curves_cover() -> None:
    """300 data sets: the standard error of a share of .95 is 1.3 %; in 1,800 sets of nine designs .92 to .98."""
    even = LossSurface(alpha=0.36, beta=0.36)
    held = _held(2, even, 300, n_budgets=5, span=4, noise=0.003)
    assert ((held > 0.91) & (held < 0.99)).all(), held


@pytest.mark.parametrize("scaled", [1.0, 1.2])
def test_the_envelope_covers_whatever_the_grid(scaled: float) -> None:
    """Sizes about each optimum, and sizes that miss every optimum by the same factor."""
    held = _held(1, LossSurface(), 60, scaled, n_budgets=6, n_sizes=7, span=4, noise=0.001)
    assert (held > 0.93).all(), held


def test_an_interval_of_the_envelope_reaches_to_the_neighbours() -> None:
    runs = make_surface(random_state=9, noise=0).frame
    minima = IsoFlop(1, n_bootstrap=200).fit(runs["N"], runs["D"], runs["loss"]).minima_
    for row in minima.to_dict("records"):
        sizes = np.sort(runs.loc[np.isclose(runs["C"], row["budget"]), "N"])
        at = int(np.argmin(abs(sizes - row["N"])))
        assert row["N_low"] <= sizes[at - 1] * 1.000001 and row["N_high"] >= sizes[at + 1] * 0.999999


def test_minima_that_scatter_by_more_than_their_noise_widen_the_line() -> None:
    """Optima of budgets that lie off any line by 30 %, each known to 1 %."""
    rng = np.random.default_rng(3)
    flops = np.repeat(np.geomspace(1e18, 1e21, 7), 9)
    off = np.repeat(np.exp(0.3 * rng.standard_normal(7)), 9)
    best = 1e8 * (flops / 1e18) ** 0.5
    n = best * np.tile(np.geomspace(0.2, 5, 9), 7)
    loss = (2 + 0.1 * np.log(n / best / off) ** 2) * np.exp(0.0005 * rng.standard_normal(63))
    found = IsoFlop(n_bootstrap=300).fit(n, flops / 6 / n, loss)
    assert found.scatter_ > 5 and "scatter" in found.message_
    low, high = found.exponent_interval_
    assert low < 0.5 < high
    ahead = found.predict(1e24)
    assert ahead["N_low"][0] < 1e11 < ahead["N_high"][0]


def test_parabolas_are_biased_on_lopsided_curves() -> None:
    """Stated, not mended: without noise, on curves a factor of ten wide to either side."""
    lopsided = LossSurface(alpha=0.5, beta=0.28)
    runs = make_surface(truth=lopsided, noise=0, span=10).frame
    found = IsoFlop(n_bootstrap=100).fit(runs["N"], runs["D"], runs["loss"])
    ahead = found.predict(1e24)["N"][0]
    assert ahead / lopsided.optimal_size(1e24) > 1.1
