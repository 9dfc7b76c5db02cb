"""IsoFLOP minima: parabolas and envelope, what is accepted, and how runs are grouped by budget."""

from __future__ import annotations

import numpy as np
import pytest

from harness import IsoFlop
from harness.analysis.planning import isoflop
from harness.analysis.planning.isoflop import group_budgets
from harness.datasets import LossSurface, make_surface
from harness.errors import SettingError, UserError

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
    assert found.minima_["message"].str.startswith("N: the interval found does not hold").all()
    assert (found.minima_["N_low"] == found.minima_["N"]).all() and (found.minima_["status"] == "accepted").all()
    assert found.message_.startswith("the exponent: ") and found.exponent_interval_[0] == found.exponent_
    monkeypatch.setattr(isoflop, "_percentiles", percentiles)
    assert IsoFlop(approach, n_bootstrap=200).fit(runs["N"], runs["D"], runs["loss"]).message_ == ""
