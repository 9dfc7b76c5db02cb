"""Forecasts, rolling extrapolation, the chain from loss to metric, and many curves at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from harness import Chain, Forecaster, ScalingLaw, fit_best, fit_curves
from harness.analysis.fitting.rolling import rolling_extrapolation
from harness.datasets import LossSurface, make_surface
from harness.errors import DataError, SettingError, UserError

FAR = pd.DataFrame({"N": [3e9, 7e9, 1.4e9], "D": [6e10, 1.4e11, 9e11]})


def test_forecasts_are_near_and_their_intervals_cover() -> None:
    """40 surfaces x 3 places; planted noise-free forecasts miss by .3 % (median), intervals of new runs cover .99."""
    rng = np.random.default_rng(0)
    errors, covered = [], []
    for _ in range(40):
        truth = LossSurface(alpha=rng.uniform(0.3, 0.4), beta=rng.uniform(0.32, 0.42))
        runs = make_surface(noise=0.004, truth=truth, random_state=rng).frame
        runs = runs[runs["C"] < 3e20]
        table = Forecaster().fit(runs[["N", "D"]], runs["loss"]).predict(FAR)
        later = truth.loss(FAR["N"], FAR["D"]) * np.exp(0.004 * rng.standard_normal(3))
        errors += (table["predicted"] / later - 1).abs().tolist()
        covered += ((table["low"] <= later) & (later <= table["high"])).tolist()
    assert np.median(errors) < 0.008
    assert np.mean(covered) >= 0.9


def test_a_forecast_says_how_it_came_about() -> None:
    runs = make_surface(random_state=1).frame
    found = Forecaster().fit(runs[["N", "D"]], runs["loss"])
    assert sum(found.weights_.values()) == pytest.approx(1) and set(found.weights_) == {"gadre", "hoffmann"}
    assert found.calibration_ >= 1 and len(found.rolling_) and found.left_out_ == {}
    table = found.predict(FAR)
    assert list(table.columns) == ["N", "D", "predicted", "low", "high"]
    assert ((table["low"] < table["predicted"]) & (table["predicted"] < table["high"])).all()
    wider = found.predict(FAR, level=0.99)
    assert (wider["high"] > table["high"]).all()
    shuffled = runs.sample(frac=1, random_state=0)
    again = Forecaster().fit(shuffled[["N", "D"]], shuffled["loss"])
    np.testing.assert_allclose(again.predict(FAR)["predicted"], table["predicted"], rtol=1e-6)
    in_billions = Forecaster().fit(runs[["N", "D"]] / 1e9, runs["loss"]).predict(FAR / 1e9)
    np.testing.assert_allclose(in_billions["low"], table["low"], rtol=1e-6)


def test_badly_trained_runs_pull_little() -> None:
    runs = make_surface(random_state=2).frame
    spoilt = runs.copy()
    spoilt.loc[[3, 17], "loss"] *= 1.3
    clean, robust = (Forecaster().fit(part[["N", "D"]], part["loss"]).predict(FAR) for part in (runs, spoilt))
    np.testing.assert_allclose(robust["predicted"], clean["predicted"], rtol=0.02)


def test_few_runs_leave_laws_out_by_name() -> None:
    runs = make_surface(random_state=3).frame.iloc[[0, 12, 20, 30, 44]]
    found = Forecaster().fit(runs[["N", "D"]], runs["loss"])
    assert list(found.weights_) == ["gadre"] and "needs at least 6" in found.left_out_["hoffmann"]
    with pytest.raises(UserError, match="needs at least 5 distinct N and D; got 3"):
        Forecaster().fit(runs[["N", "D"]].iloc[:3], runs["loss"].iloc[:3])


def test_forecasts_in_one_variable_and_by_a_named_law() -> None:
    rng = np.random.default_rng(4)
    x = np.geomspace(1e4, 1e7, 10)
    loss = (1.5 + 60 * x**-0.4) * np.exp(0.003 * rng.standard_normal(10))
    table = Forecaster().fit(x, loss).predict([1e8])
    assert table["low"][0] < 1.5 + 60 * 1e8**-0.4 < table["high"][0]
    named = Forecaster(law="power").fit(x, loss)
    assert named.weights_ == {"power": 1.0}
    with pytest.raises(SettingError, match="did you mean 'power_floor'"):
        Forecaster(law="powerfloor").fit(x, loss)


def test_refuses_what_it_cannot_use() -> None:
    runs = make_surface(random_state=5).frame
    with pytest.raises(DataError, match="column y, row 1: nan"):
        Forecaster().fit(runs[["N", "D"]], runs["loss"].where(runs.index != 1))
    with pytest.raises(SettingError, match="level=2"):
        Forecaster(level=2).fit(runs[["N", "D"]], runs["loss"])
    with pytest.raises(UserError, match="x has 4 columns"):
        Forecaster().fit(np.ones((9, 4)), np.ones(9))


def test_rolling_extrapolation_judges_on_larger_runs_only() -> None:
    runs = make_surface(random_state=6).frame
    table = rolling_extrapolation(runs[["N", "D"]], runs["loss"], law="hoffmann")
    assert (table["reach"] > 1).all() and table["error"].abs().median() < 0.01
    choice = fit_best(runs[["N", "D"]], runs["loss"])
    assert choice.ranking["law"].tolist()[0] == "hoffmann" and choice.ranking["rolling_error"].notna().all()
    assert set(choice.ranking["law"]) == {"hoffmann", "gadre", "kaplan"}
    assert rolling_extrapolation(runs[["N", "D"]].iloc[:6], runs["loss"].iloc[:6], law="hoffmann").empty


@pytest.mark.parametrize("link", ["sigmoid", "exponential"])
def test_a_metric_through_the_loss(link: str) -> None:
    rng = np.random.default_rng(7)
    runs = make_surface(random_state=rng).frame

    def metric(loss: np.ndarray) -> np.ndarray:
        return 0.25 + 0.7 * expit(-(loss - 2.6) / 0.3) if link == "sigmoid" else 0.8 - 3 * np.exp(-1.2 * loss)

    seen = runs["C"] < 3e20
    held = runs[~seen]
    observed = metric(held["loss"].to_numpy()) + 0.005 * rng.standard_normal(len(held))
    noisy = metric(runs["loss"].to_numpy()) + 0.005 * rng.standard_normal(len(runs))
    chain = Chain(link).fit(runs[seen][["N", "D"]], runs[seen]["loss"], noisy[seen])
    table = chain.predict(held[["N", "D"]])
    assert list(table.columns) == ["N", "D", "loss", "predicted", "low", "high"]
    assert np.median(np.abs(table["predicted"] - observed)) < 0.02
    assert np.mean((table["low"] <= observed) & (observed <= table["high"])) >= 0.8
    # Doubt about the loss is carried through: the interval is wider than the link's alone.
    alone = chain.link_.predict(table["loss"], level=0.95)
    assert isinstance(alone, pd.DataFrame)
    assert ((table["high"] - table["low"]) > (alone["run_high"] - alone["run_low"]).to_numpy()).all()
    with pytest.raises(SettingError, match="did you mean 'sigmoid'"):
        Chain("sigmod").fit(runs[["N", "D"]], runs["loss"], noisy)


def test_many_curves_are_what_each_is_alone() -> None:
    rng = np.random.default_rng(8)
    x = np.geomspace(1e3, 1e6, 8)
    parts = []
    for name, seeds, kept in (("a", 5, 8), ("b", 1, 8), ("c", 3, 6), ("short", 2, 3)):
        sizes = np.repeat(x[:kept], seeds)
        loss = (1.2 + 80 * sizes**-0.45) * np.exp(0.01 * rng.standard_normal(len(sizes)))
        parts.append(pd.DataFrame({"study": "s", "task": name, "params": sizes, "loss": loss}))
    frame = pd.concat(parts).sample(frac=1, random_state=0)
    table = fit_curves(frame, "params", "loss", by=["study", "task"]).set_index("task")
    assert table.loc["short", "status"] == "too few data" and np.isnan(table.loc["short", "alpha"])
    for name in ("a", "b", "c"):
        part = frame[frame["task"] == name]
        alone = ScalingLaw("power_floor").fit(part["params"], part["loss"])
        row = table.loc[name]
        assert row["status"] == alone.status_ and row["n_runs"] == alone.n_runs_
        for parameter, value in alone.params_.items():
            assert row[parameter] == pytest.approx(value, rel=1e-5)
            assert row[f"{parameter}_low"] == pytest.approx(alone.intervals_[parameter][0], rel=0.02, abs=1e-3)
            assert row[f"{parameter}_high"] == pytest.approx(alone.intervals_[parameter][1], rel=0.02)
    with pytest.raises(SettingError, match="law=hoffmann"):
        fit_curves(frame, "params", "loss", by=["task"], law="hoffmann")
    with pytest.raises(DataError, match="column 'los' is missing; did you mean 'loss'"):
        fit_curves(frame, "params", "los", by=["task"])
