"""Compute-equivalent gain: exact tables, what it is called where it cannot be quoted, intervals and tests."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import harness
from harness.analysis.planning.compute_gain import compute_gain
from harness.datasets import LossSurface, make_surface
from harness.errors import DataError, SettingError, UserError

SIZES = np.geomspace(1e18, 1e21, 8)


def loss(compute: np.ndarray, gain: float = 1.0, floor: float = 1.7, alpha: float = 0.1) -> np.ndarray:
    return floor + 80 * (gain * compute) ** -alpha


def table(*recipes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs of `SIZES`, the first the baseline."""
    names = ["base", "one", "two", "three"][: len(recipes)]
    return np.tile(SIZES, len(recipes)), np.concatenate(recipes), np.repeat(names, len(SIZES))


def noisy(rng: np.random.Generator, gain: float, correlation: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second = rng.standard_normal((2, len(SIZES)))
    second = correlation * first + np.sqrt(1 - correlation**2) * second
    return table(loss(SIZES) * np.exp(0.004 * first), loss(SIZES, gain) * np.exp(0.004 * second))


def test_the_gain_of_an_exact_table() -> None:
    x, y, recipe = table(loss(SIZES), loss(SIZES, 1.3), loss(SIZES, 0.5))
    found = harness.compute_gain(x, y, recipe, compute=[1e19, 1e23])
    assert found.baseline == "base" and list(found.table["recipe"]) == ["one", "one", "two", "two"]
    np.testing.assert_allclose(found.table["gain"], [1.3, 1.3, 0.5, 0.5], rtol=1e-5)
    np.testing.assert_allclose(
        found.table["loss"], loss(np.array([1e19, 1e23] * 2), np.repeat([1.3, 0.5], 2)), rtol=1e-6
    )
    np.testing.assert_allclose(found.changes["gain"], [1.3, 0.5], rtol=1e-5)
    assert list(found.table["status"]) == ["measured", "extrapolated"] * 2
    assert "100 times its largest run" in found.table["message"][1]
    # By default at the largest compute of both, and the other way about the reciprocal at the compute that it takes.
    back = compute_gain(x, y, recipe, baseline="one", compute=[1.3 * 1e19]).table.set_index("recipe")
    assert back.loc["base", "gain"] == pytest.approx(1 / 1.3, rel=1e-5)
    assert compute_gain(x, y, recipe).table["compute"].tolist() == [1e21, 1e21]


def test_a_gain_that_changes_with_compute() -> None:
    x, y, recipe = table(loss(SIZES), 1.7 + 95 * SIZES**-0.104)
    rng = np.random.default_rng(0)
    found = compute_gain(x, y * np.exp(1e-4 * rng.standard_normal(16)), recipe, compute=[1e18, 1e20])
    expected = [(95 / 80 * c**-0.104) ** -10 / c for c in (1e18, 1e20)]
    np.testing.assert_allclose(found.table["gain"], expected, rtol=0.05)
    assert found.changes["p_value"][0] < 1e-3


def test_gains_over_sizes_and_tokens() -> None:
    base = make_surface(noise=0).frame
    better = base.assign(loss=LossSurface().loss(2 * base["N"], 2 * base["D"]))  # C counts four times
    frame = pd.concat([base.assign(recipe="base"), better.assign(recipe="better")])
    places = frame[["N", "D"]]
    asked = {"compute": [1e20], "at": [[1e9, 2e10], [1e8, 1e12]]}
    found = compute_gain(places, frame["loss"], frame["recipe"], **asked)
    np.testing.assert_allclose(found.table["gain"], 4.0, rtol=1e-5)
    assert np.isnan(found.table["N"][0]) and found.table["D"].tolist()[1:] == [2e10, 1e12]
    assert found.table["compute"].tolist() == [1e20, 6 * 1e9 * 2e10, 6 * 1e8 * 1e12]
    # On the frontier the loss is the least at that compute.
    n = LossSurface().optimal_size(4e20)
    assert found.table["loss"][0] == pytest.approx(float(LossSurface().loss(n, 4e20 / 6 / n)), rel=1e-6)
    other = compute_gain(places, frame["loss"], frame["recipe"], law="gadre", **asked)
    np.testing.assert_allclose(other.table["gain"], 4.0, rtol=0.1)  # a law that is a little wrong here


def test_what_no_compute_reaches() -> None:
    rng = np.random.default_rng(1)
    base, low = (loss(SIZES, floor=floor) * np.exp(2e-3 * rng.standard_normal(8)) for floor in (2.2, 1.2))
    near, far = compute_gain(*table(base, low), compute=[2e19, 1e21]).table.to_dict("records")
    for row in (near, far):
        assert row["status"] == "out of reach" and np.isinf(row["gain"]) and np.isinf(row["high"])
        assert row["p_value"] < 1e-6
    assert 100 < near["low"] < np.inf == far["low"]
    assert "no compute brings base down to a loss of 1.8" in far["message"]


def test_recipes_whose_losses_do_not_overlap() -> None:
    rng = np.random.default_rng(2)
    x, y, recipe = table(*(loss(SIZES, gain) * np.exp(1e-3 * rng.standard_normal(8)) for gain in (1.0, 1e4)))
    row = compute_gain(x, y, recipe, compute=[1e19]).table.iloc[0]
    assert row["status"] == "no overlap in loss" and "no loss is reached by runs of both one and base" in row["message"]


def test_a_recipe_of_too_few_runs_is_a_row() -> None:
    x, y, recipe = table(loss(SIZES), loss(SIZES, 1.3), loss(SIZES, 1.5))
    few = (recipe != "one") | (x < 1e19)
    found = compute_gain(x[few], y[few], recipe[few])
    assert list(found.table["status"]) == ["not fitted", "measured"] and "at least 4" in found.table["message"][0]
    assert list(found.changes["recipe"]) == ["two"] and set(found.fits) == {"base", "two"}
    with pytest.raises(UserError, match=r"baseline one: .*at least 4"):
        compute_gain(x[few], y[few], recipe[few], baseline="one")


@pytest.mark.parametrize("law", ["power", "power_floor"])
def test_a_loss_that_does_not_fall_has_no_gain(law: str) -> None:
    found = compute_gain(*table(loss(SIZES), 2 + 1e-3 * np.arange(8.0)), law=law).table.iloc[0]
    assert found["status"] == "not fitted" and "does not fall" in found["message"] and np.isnan(found["gain"])


def test_p_is_corrected_over_all_rows() -> None:
    rng = np.random.default_rng(3)
    recipes = (loss(SIZES, gain) * np.exp(0.004 * rng.standard_normal(8)) for gain in (1.0, 1.0, 1.2, 2.0))
    found = compute_gain(*table(*recipes), compute=[1e19, 1e20]).table
    np.testing.assert_allclose(found["p_adjusted"], stats.false_discovery_control(found["p_value"]))


def test_intervals_are_inverted_tests() -> None:
    """The 95 % interval leaves 1 out where p < .05, to the accuracy of both."""
    rng = np.random.default_rng(4)
    for gain in (1.0, 1.2, 1.25, 1.3):
        row = compute_gain(*noisy(rng, gain), compute=[1e20]).table.iloc[0]
        if abs(row["p_value"] - 0.05) > 0.005:
            assert (row["low"] > 1 or row["high"] < 1) == (row["p_value"] < 0.05)


def test_counterparts_make_a_gain_known_better() -> None:
    rng = np.random.default_rng(5)
    x, y, recipe = noisy(rng, 1.3, correlation=0.98)
    paired = compute_gain(x, y, recipe, compute=[1e20])
    assert paired.changes["n_pairs"][0] == 8 and paired.changes["correlation"][0] > 0.8
    # Seeds that no two runs share: no run has a counterpart.
    apart = compute_gain(x, y, recipe, compute=[1e20], counterpart=np.arange(16))
    assert apart.changes["n_pairs"][0] == 0 and apart.changes["correlation"][0] == 0
    widths = [np.log(each.table["high"][0] / each.table["low"][0]) for each in (paired, apart)]
    assert widths[0] < 0.5 * widths[1]
    # Several runs at one place have counterparts only where a label tells which.
    twice = (np.concatenate([x, x]), np.concatenate([y, 1.001 * y]), np.concatenate([recipe, recipe]))
    assert compute_gain(*twice, compute=[1e20]).changes["n_pairs"][0] == 0
    seeds = np.repeat([0, 1], 16)
    assert compute_gain(*twice, compute=[1e20], counterpart=seeds).changes["n_pairs"][0] == 16


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_intervals_hold_and_the_test_keeps_its_level(correlation: float) -> None:
    """30 tables of gain 1: standard errors .04; bounds at four of them. experiments/recipes measures both on more."""
    rng = np.random.default_rng(6)
    rows = [compute_gain(*noisy(rng, 1.0, correlation), compute=[1e20]).table.iloc[0] for _ in range(30)]
    assert np.mean([row["low"] <= 1 <= row["high"] for row in rows]) > 0.79
    assert np.mean([row["p_value"] < 0.05 for row in rows]) < 0.21


def test_a_higher_level_is_wider() -> None:
    x, y, recipe = noisy(np.random.default_rng(7), 1.3)
    rows = [compute_gain(x, y, recipe, level=level).table.iloc[0] for level in (0.5, 0.9, 0.99)]
    assert all(a["low"] > b["low"] and a["high"] < b["high"] for a, b in pairwise(rows))


def test_mistakes_are_named() -> None:
    x, y, recipe = table(loss(SIZES), loss(SIZES, 1.3))
    with pytest.raises(SettingError, match=r"baseline=bse.*did you mean 'base'"):
        compute_gain(x, y, recipe, baseline="bse")
    with pytest.raises(SettingError, match="law=hoffmann"):
        compute_gain(x, y, recipe, law="hoffmann")
    with pytest.raises(DataError, match="recipe is base in all rows"):
        compute_gain(x[:8], y[:8], recipe[:8])
    with pytest.raises(DataError, match="x has 3 columns"):
        compute_gain(np.ones((16, 3)), y, recipe)
    with pytest.raises(DataError, match="recipe has 3 rows"):
        compute_gain(x, y, recipe[:3])
    with pytest.raises(DataError, match="counterpart has 2 rows"):
        compute_gain(x, y, recipe, counterpart=["a", "b"])
    with pytest.raises(DataError, match="compute"):
        compute_gain(x, y, recipe, compute=[-1.0])
    with pytest.raises(SettingError, match="at="):
        compute_gain(x, y, recipe, at=[[1e9, 2e10]])
    with pytest.raises(SettingError, match="level"):
        compute_gain(x, y, recipe, level=1.0)


def test_interval_and_p_agree_where_a_floor_is_near_0() -> None:
    """Recipes that scatter unequally: a pull of the profile can end in another valley, which places no end."""
    rng = np.random.default_rng(5)
    ours, theirs = np.repeat(np.geomspace(1e18, 1e21, 8), 2), np.repeat(np.geomspace(3e18, 1e21, 6), 2)
    compute, recipe = np.r_[ours, theirs], np.repeat(["a", "b"], [len(ours), len(theirs)])
    scatter = np.where(recipe == "a", 0.002, 0.008)
    for _ in range(30):
        loss = (1.8 + 60 * compute**-0.1) * np.exp(scatter * rng.standard_normal(len(compute)))
        row = compute_gain(compute, loss, recipe, baseline="a", compute=[1e20]).table.iloc[0]
        # Of the profile's interval, placed to 2 % of a half-width, and of the same profile's p.
        if row["p_value"] > 0.06:
            assert row["low"] <= 1 <= row["high"], row.to_dict()
