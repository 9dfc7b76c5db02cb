"""`PowerLaw` and `ScalingLaw`: truth, coverage, status and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness import PowerLaw, ScalingLaw
from harness.analysis.fitting import intervals
from harness.analysis.fitting.estimator import FitStatus
from harness.datasets import make_surface
from harness.errors import DataError, SettingError


def runs(
    rng: np.random.Generator, sizes: int = 8, seeds: int = 5, floor: float = 1.5, noise: float = 0.01
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.repeat(np.geomspace(1e3, 1e6, sizes), seeds)
    y = (floor + 100 * x**-0.5) * np.exp(noise * rng.standard_normal(len(x)))
    return x, y, np.tile(np.arange(seeds), sizes)


def test_recovers_planted_truth() -> None:
    x, y, seed = runs(np.random.default_rng(0), noise=0.001)
    fit = PowerLaw().fit(x, y, groups=seed)
    assert fit.status_ == "converged" and fit.n_failed_refits_ == 0 and fit.message_ == ""
    # The estimates' standard errors here are about .0007, 1.5 and .002: bounds at ten of them.
    assert fit.params_["E"] == pytest.approx(1.5, abs=0.007)
    assert fit.params_["A"] == pytest.approx(100, abs=15)
    assert fit.params_["alpha"] == pytest.approx(0.5, abs=0.02)
    for name, (low, high) in fit.intervals_.items():
        assert low < fit.params_[name] < high
    np.testing.assert_allclose(np.log(y) - np.log(fit.predict(x)), fit.residuals_)


@pytest.mark.parametrize(("sizes", "seeds", "floor"), [(6, 3, 1.5), (8, 5, 0.0)])
def test_intervals_cover(sizes: int, seeds: int, floor: float) -> None:
    """250 data sets at 95 %: the share that covers has a standard error of .014, so .89 is four and a half below."""
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(250):
        x, y, _ = runs(rng, sizes, seeds, floor)
        fit = PowerLaw(irreducible=floor > 0).fit(x, y)
        low, high = fit.intervals_["alpha"]
        covered.append(low <= 0.5 <= high)
    assert 0.89 < np.mean(covered) < 1


def test_rows_of_one_run_are_one_run() -> None:
    x, y, seed = runs(np.random.default_rng(4))
    once = PowerLaw().fit(x, y, groups=seed)
    thrice = PowerLaw().fit(np.tile(x, 3), np.tile(y, 3), groups=np.tile(seed, 3))
    assert thrice.intervals_["alpha"] == pytest.approx(once.intervals_["alpha"], rel=1e-9)
    assert thrice.n_runs_ == 40


def test_same_seed_same_numbers_whatever_the_order_and_the_units() -> None:
    x, y, seed = runs(np.random.default_rng(5))
    fit, again = PowerLaw().fit(x, y, seed), PowerLaw().fit(x, y, seed)
    assert fit.intervals_ == again.intervals_
    order = np.random.default_rng(0).permutation(len(x))
    shuffled = PowerLaw().fit(x[order], y[order], seed[order])
    assert shuffled.intervals_["alpha"] == pytest.approx(fit.intervals_["alpha"], rel=1e-9)
    scaled = PowerLaw().fit(x / 1e6, 10 * y, seed)
    assert scaled.params_["alpha"] == pytest.approx(fit.params_["alpha"], rel=1e-6)
    assert scaled.params_["E"] == pytest.approx(10 * fit.params_["E"], rel=1e-6)
    assert scaled.params_["A"] == pytest.approx(10 * fit.params_["A"] * 1e6 ** -fit.params_["alpha"], rel=1e-6)


def test_says_when_it_stands_at_a_bound() -> None:
    x = np.repeat(np.geomspace(1e3, 1e6, 8), 3)
    concave = np.exp(-0.02 * np.log(x) ** 2)
    fit = PowerLaw().fit(x, concave * np.exp(0.001 * np.random.default_rng(0).standard_normal(24)))
    assert fit.status_ is FitStatus.AT_BOUND and "E = 0" in fit.message_
    rising = PowerLaw().fit(x, x**0.3)
    assert rising.status_ is FitStatus.AT_BOUND and "does not fall" in rising.message_


def test_says_when_floor_and_exponent_trade_off() -> None:
    rng = np.random.default_rng(6)
    x = np.repeat(np.geomspace(1e3, 4e3, 5), 2)
    fit = PowerLaw().fit(x, (1.5 + 100 * x**-0.5) * np.exp(0.02 * rng.standard_normal(10)))
    assert fit.status_ in (FitStatus.NOT_IDENTIFIABLE, FitStatus.AT_BOUND) and fit.message_


def test_prediction_of_a_new_run_is_wider_than_the_curve() -> None:
    x, y, _ = runs(np.random.default_rng(7))
    fit = PowerLaw().fit(x, y)
    band = fit.predict([1e4, 1e8], level=0.95)
    assert isinstance(band, pd.DataFrame)
    assert (band["run_low"] < band["low"]).all() and (band["low"] < band["predicted"]).all()
    assert (band["predicted"] < band["high"]).all() and (band["high"] < band["run_high"]).all()
    np.testing.assert_allclose(band["predicted"], fit.predict([1e4, 1e8]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_names_row_and_column_of_a_bad_value(bad: float) -> None:
    x, y = np.arange(1.0, 6), np.array([5, 4, bad, 2, 1])
    with pytest.raises(DataError, match=f"column y, row 2: {bad}"):
        PowerLaw().fit(x, y)
    with pytest.raises(DataError, match="column x, row 2"):
        PowerLaw().fit(y, x)


def test_refuses_columns_and_settings_that_do_not_fit() -> None:
    with pytest.raises(DataError, match="unequal length"):
        PowerLaw().fit([1, 2, 3], [1, 2])
    with pytest.raises(DataError, match="groups has 1 rows"):
        PowerLaw().fit([1, 2, 3, 4], [4, 3, 2, 1], groups=[0])
    with pytest.raises(DataError, match="column x"):
        PowerLaw().fit(["a", "b"], [1, 2])
    with pytest.raises(SettingError, match="level=2"):
        PowerLaw(level=2).fit([1, 2, 3, 4], [4, 3, 2, 1])
    for settings in ({"n_bootstrap": 99}, {"delta": 0.0}, {"interval": "profil"}, {"objective": "binomial"}):
        with pytest.raises(SettingError, match=next(iter(settings))):
            PowerLaw(**settings).fit([1, 2, 3, 4], [4, 3, 2, 1])


# ------------------------------------------------------------------------------------- intervals that do not hold


@pytest.fixture
def broken_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A solver that fails: every interval lies above its estimate."""

    def profile(problem: object, theta: np.ndarray, cost: object, quantity: intervals.Quantity, drop: object):
        value, _ = quantity(theta, np.arange(len(theta)))
        return intervals.Interval(value + 0.01, value + 0.02)

    monkeypatch.setattr(intervals, "profile", profile)


@pytest.mark.usefixtures("broken_profile")
def test_an_interval_that_does_not_hold_its_estimate_is_told() -> None:
    x, y, seed = runs(np.random.default_rng(12), noise=0.001)
    fit = PowerLaw().fit(x, y, groups=seed)
    assert fit.status_ is FitStatus.INTERVAL_FAILED
    assert fit.message_.startswith("E, A, alpha: the interval found does not hold its estimate")
    for name, (low, high) in fit.intervals_.items():
        assert low == pytest.approx(fit.params_[name]) and high > fit.params_[name]


@pytest.mark.usefixtures("broken_profile")
def test_it_is_told_beside_another_status() -> None:
    x = np.repeat(np.geomspace(1e3, 1e6, 8), 3)
    rising = PowerLaw().fit(x, x**0.3 * np.exp(0.001 * np.random.default_rng(0).standard_normal(24)))
    assert rising.status_ is FitStatus.AT_BOUND
    assert "does not fall" in rising.message_ and "the interval found does not hold" in rising.message_


@pytest.mark.usefixtures("broken_profile")
def test_a_prediction_whose_interval_failed_has_that_status() -> None:
    x, y, _ = runs(np.random.default_rng(13))
    band = PowerLaw().fit(x, y).predict([1e4, 1e8], level=0.95)
    assert isinstance(band, pd.DataFrame)
    assert band["status"].tolist() == ["interval failed"] * 2
    np.testing.assert_allclose(band["low"], band["predicted"])


@pytest.mark.parametrize("interval", ["profile", "delta", "bootstrap"])
def test_intervals_as_they_come_from_the_solver_hold_their_estimates(interval: str) -> None:
    """Before anything is widened: 60 data sets, parameters and predictions."""
    rng = np.random.default_rng(14)
    for _ in range(60):
        x, y, _ = runs(rng, seeds=3)
        fit = ScalingLaw("power_floor", interval=interval, n_bootstrap=100).fit(x, y)
        assert fit.status_ is FitStatus.CONVERGED and fit.message_ == ""
        found = fit.interval_of(fit.parameters(range(3)), 3, 0.95)
        judged = [fit.params_["E"], np.log(fit.params_["A"]), fit.params_["alpha"]]
        assert (found.low < judged).all() and (judged < found.high).all()
        band = fit.predict([1e4, 1e8], level=0.95)
        assert isinstance(band, pd.DataFrame) and (band["status"] == "converged").all()
        assert (band["low"] < band["predicted"]).all() and (band["predicted"] < band["high"]).all()


def test_columns_are_those_that_were_fitted() -> None:
    runs = make_surface(random_state=3).frame
    fit = ScalingLaw("hoffmann").fit(runs[["N", "D"]], runs["loss"])
    with pytest.raises(DataError, match="x has the columns D, N; fitted were N, D"):
        fit.predict(runs[["D", "N"]])
    np.testing.assert_allclose(
        np.ravel(fit.predict(runs[["N", "D"]].to_numpy())), np.ravel(fit.predict(runs[["N", "D"]]))
    )
