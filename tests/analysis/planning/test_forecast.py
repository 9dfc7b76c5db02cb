"""Forecasts: errors and coverage on planted surfaces, weights, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness import Forecaster
from harness.analysis.planning import forecast
from harness.datasets import LossSurface, make_surface
from harness.errors import DataError, SettingError, UserError

TRUTH = LossSurface()

FAR = pd.DataFrame({"N": [3e9, 7e9, 1.4e9], "D": [6e10, 1.4e11, 9e11]})


def test_forecasts_are_near_and_their_intervals_cover() -> None:
    """40 surfaces x 3 places; planted noise-free forecasts miss by .3 % (median), intervals of new runs cover .99."""
    rng = np.random.default_rng(0)
    errors, covered = [], []
    for _ in range(40):
        truth = replace(TRUTH, alpha=rng.uniform(0.3, 0.4), beta=rng.uniform(0.32, 0.42))
        runs = make_surface(random_state=rng, noise=0.004, truth=truth).frame
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
    assert found.calibration_ > 0 and len(found.rolling_) and found.left_out_ == {}
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


def test_the_law_that_predicted_better_weighs_more() -> None:
    """Exponents of .35 and .6, which one common exponent cannot follow; weights are errors to the power -4."""
    runs = make_surface(random_state=8, noise=0.001, truth=replace(TRUTH, beta=0.6, B=4e5)).frame
    found = Forecaster().fit(runs[["N", "D"]], runs["loss"])
    errors = {}
    for law in ("gadre", "hoffmann"):
        rolled = Forecaster(law=law).fit(runs[["N", "D"]], runs["loss"]).rolling_
        errors[law] = rolled.groupby("cut")["error"].agg(lambda e: np.log1p(e).abs().median()).mean()
    raw = {law: error**-forecast.SHARPNESS for law, error in errors.items()}
    assert found.weights_["gadre"] == pytest.approx(raw["gadre"] / sum(raw.values()), rel=1e-6)
    assert found.weights_["gadre"] < 0.1


def test_intervals_widen_with_the_distance_and_with_what_rolling_missed() -> None:
    runs = make_surface(random_state=9).frame
    found = Forecaster().fit(runs[["N", "D"]], runs["loss"])
    near, far = (pd.DataFrame({"N": [n], "D": [20 * n]}) for n in (1e9, 3e11))

    def widths() -> list[float]:
        return [float(np.log(table["high"][0] / table["low"][0])) for table in map(found.predict, (near, far))]

    before = widths()
    assert before[1] > before[0] + 2 * found.drift_ * np.log(100)
    found.calibration_ *= 2
    assert widths()[0] == pytest.approx(2 * before[0])
    found.drift_ = 0.0
    assert widths()[1] < 2 * before[1]


def test_draws_follow_the_interval_and_share_the_error_of_the_law() -> None:
    runs = make_surface(random_state=10).frame
    found = Forecaster().fit(runs[["N", "D"]], runs["loss"])
    places = pd.DataFrame({"N": [3e11, 3.1e11, 1e9], "D": [6e12, 6.1e12, 2e10]})
    drawn = found.draws(places, 40_000, np.random.default_rng(0))
    assert drawn.shape == (40_000, 3)
    for level in (0.5, 0.95):
        table = found.predict(places, level=level)
        ends = np.log(np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0) / table["predicted"].to_numpy())
        np.testing.assert_allclose(ends, np.log(table[["low", "high"]].T / table["predicted"]), rtol=0.04)
    curve = np.log(found.curve_draws(places, 40_000, np.random.default_rng(0)))
    assert (curve.std(axis=0) < np.log(drawn).std(axis=0)).all()
    assert np.corrcoef(curve.T)[0, 1] > 0.99  # neighbours, far out
    assert np.corrcoef(curve.T)[0, 1] > np.corrcoef(np.log(drawn).T)[0, 1] > np.corrcoef(curve.T)[0, 2]
    np.testing.assert_array_equal(
        found.draws(places, 5, np.random.default_rng(2)), found.draws(places, 5, np.random.default_rng(2))
    )


def checkpointed(rng: np.random.Generator, sizes: np.ndarray, first: int, noise: float = 0.01) -> pd.DataFrame:
    """35 checkpoints of a run of each (width, depth): an offset a run, and a slow drift along D."""
    tokens = np.geomspace(2e9, 3e11, 35)
    curve = 1.8 + 20 * sizes[:, :1] ** -0.45 + 0.6 * sizes[:, 1:] ** -0.5 + 0.6 * (tokens / 1e10) ** -0.4
    steps = rng.standard_normal(curve.shape) / np.sqrt(35)
    off = noise * (rng.standard_normal((len(sizes), 1)) + 0.6 * steps.cumsum(axis=1))
    frame = pd.DataFrame(np.repeat(sizes, 35, axis=0), columns=["width", "depth"])
    return frame.assign(
        D=np.tile(tokens, len(sizes)),
        loss=(curve * np.exp(off)).ravel(),
        run=first + np.repeat(np.arange(len(sizes)), 35),
    )


@pytest.mark.parametrize("named", [True, False])
def test_checkpoints_of_one_run_are_one_run(named: bool) -> None:
    """770 checkpoints of 22 runs, forecasts of four larger ones: rows as runs cover .55 to .75."""
    widths, depths = np.array([256, 384, 512, 768, 1024, 1536, 2048]), np.array([3, 6, 12, 24])
    sizes = np.array([(w, d) for w in widths for d in depths if 15 < w / d < 260])
    larger = np.array([(2560, 24), (2560, 48), (4096, 24), (4096, 48)])
    covered, x = [], ["width", "depth", "D"]
    for seed in range(12):
        rng = np.random.default_rng(seed)
        seen = checkpointed(rng, rng.permutation(sizes)[:22].astype(float), 0)
        held = checkpointed(rng, larger.astype(float), 100).iloc[9::25]
        found = Forecaster().fit(seen[x], seen["loss"], clusters=seen["run"] if named else None)
        assert found.n_clusters_ == 22 and found.n_runs_ == 770 and found.freedom_ < 22
        assert ("checkpoints of 22 training runs" in found.message_) != named
        table = found.predict(held[x])
        covered += ((table["low"].array <= held["loss"]) & (held["loss"] <= table["high"].array)).tolist()
    assert np.mean(covered) >= 0.86


def test_clusters_are_whole_in_rolling_extrapolation() -> None:
    rng = np.random.default_rng(0)
    runs = checkpointed(rng, np.array([(w, d) for w in (256.0, 512, 768, 1024, 2048) for d in (4.0, 12)]), 0)
    found = Forecaster().fit(runs[["width", "depth", "D"]], runs["loss"], clusters=runs["run"])
    last = runs.groupby("run")["loss"].last()
    assert set(found.rolling_["observed"].round(9)) <= set(last.round(9))  # each run once a cut, at its end
    assert found.rolling_.groupby("cut").size().max() <= 5 and found.rolling_["reach"].min() > 1


def test_separate_runs_are_not_taken_for_checkpoints() -> None:
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        n, d = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 3e10, 6)))
        loss = TRUTH.loss(n, d) * np.exp(0.005 * rng.standard_normal(36))
        found.append(Forecaster().fit(np.stack([n, d], axis=1), loss).n_clusters_)
    assert found == 8 * [36]


def test_rows_of_a_group_are_one_run() -> None:
    runs = make_surface(random_state=11).frame
    twice = pd.concat([runs.assign(seed=0), runs.assign(seed=0, loss=runs["loss"] * 1.01)], ignore_index=True)
    mean = Forecaster().fit(twice[["N", "D"]], twice["loss"], twice["seed"])
    alone = Forecaster().fit(runs[["N", "D"]], runs["loss"] * np.sqrt(1.01))
    assert mean.n_runs_ == len(runs)
    np.testing.assert_allclose(mean.predict(FAR), alone.predict(FAR), rtol=1e-6)


def test_refuses_labels_that_it_cannot_use() -> None:
    runs = make_surface(random_state=5).frame
    x, y, n = runs[["N", "D"]], runs["loss"], len(runs)
    with pytest.raises(DataError, match=f"clusters has 3 rows where x has {n} rows"):
        Forecaster().fit(x, y, clusters=[1, 2, 3])
    with pytest.raises(DataError, match=f"groups has shape .{n}, 1. where x has {n} rows"):
        Forecaster().fit(x, y, np.zeros((n, 1)))
    with pytest.raises(DataError, match="x has no rows"):
        Forecaster().fit(x.head(0), y.head(0))
    with pytest.raises(SettingError, match="n_draws=0: allowed is at least 1"):
        Forecaster().fit(x, y).draws(FAR, 0, np.random.default_rng(0))
    with pytest.raises(DataError, match="groups, row 1: no label"):
        Forecaster().fit(x, y, ["a", None] + ["b"] * (n - 2))
    with pytest.raises(DataError, match="clusters, row 0: another label than rows of the same run"):
        Forecaster().fit(
            x.iloc[[0, 0, *range(1, n)]], y.iloc[[0, 0, *range(1, n)]], np.zeros(n + 1), clusters=range(n + 1)
        )
    with pytest.raises(UserError, match="got 45 runs in 1 cluster"):
        Forecaster().fit(x.head(45), y.head(45), clusters=np.zeros(45))


def test_columns_are_those_that_were_fitted() -> None:
    runs = make_surface(random_state=3).frame
    fit = Forecaster().fit(runs[["N", "D"]], runs["loss"])
    with pytest.raises(DataError, match="x has the columns D, N; fitted were N, D"):
        fit.predict(runs[["D", "N"]])
    np.testing.assert_allclose(
        np.ravel(fit.predict(runs[["N", "D"]].to_numpy())), np.ravel(fit.predict(runs[["N", "D"]]))
    )
