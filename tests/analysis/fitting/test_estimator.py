"""PowerLaw, the choice among laws, and the table of exponents."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from harness import PowerLaw, exponents, fit_best
from harness.analysis.fitting.estimator import FitStatus
from harness.datasets import make_digits_study, make_text_study
from harness.errors import DataError, SettingError, UserError


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
    for i in range(250):
        x, y, _ = runs(rng, sizes, seeds, floor)
        fit = PowerLaw(irreducible=floor > 0, n_bootstrap=200, seed=i).fit(x, y)
        low, high = fit.intervals_["alpha"]
        covered.append(low <= 0.5 <= high)
    assert 0.89 < np.mean(covered) < 1


def test_whole_sizes_off_the_curve_widen_the_intervals() -> None:
    rng = np.random.default_rng(3)
    x, y, _ = runs(rng, 7, 3, noise=0.002)
    off = y * np.exp(0.02 * np.repeat(rng.standard_normal(7), 3))
    exact, rough = PowerLaw().fit(x, y), PowerLaw().fit(x, off)
    assert np.ptp(rough.intervals_["alpha"]) > 3 * np.ptp(exact.intervals_["alpha"])
    assert "sizes scatter about the curve" in rough.message_


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


def test_too_few_sizes_is_an_error_that_says_so() -> None:
    with pytest.raises(UserError, match=r"power_floor, .*needs at least 4 distinct x; got 3"):
        PowerLaw().fit([1, 2, 3, 1, 2, 3], [3, 2, 1.5, 3, 2, 1.5])
    with pytest.raises(UserError, match=r"power, .*needs at least 3 distinct x; got 2"):
        PowerLaw(irreducible=False).fit([1, 2], [3, 2])


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
    with pytest.raises(SettingError, match="did you mean 'power_floor'"):
        fit_best([1, 2, 3, 4], [4, 3, 2, 1], laws=("powerfloor",))


def test_best_law_refuses_the_pure_power_where_there_is_a_floor() -> None:
    x, y, seed = runs(np.random.default_rng(8))
    choice = fit_best(x, y, seed, laws=("power", "power_floor"))
    assert choice.best.law_.name == "power_floor"
    assert choice.ranking["law"].tolist() == ["power_floor", "power"]
    assert choice.verdict.startswith("E + A x^-alpha; A x^-alpha is refused (AICc higher by")
    x, y, seed = runs(np.random.default_rng(8), floor=0.0)
    assert fit_best(x, y, seed, laws=("power", "power_floor")).best.law_.name == "power"


def test_best_law_of_three_sizes_is_the_one_that_can_be_fitted() -> None:
    choice = fit_best([1, 2, 4], [4, 2.1, 1.0])
    assert choice.best.law_.name == "power"
    assert choice.ranking.set_index("law").loc["power_floor", "status"] == "too few data"


def test_exponents_under_every_convention() -> None:
    rng = np.random.default_rng(9)
    short = make_digits_study(random_state=rng)
    short = short[short["rung"] < 2].assign(study="short")
    table = exponents(
        pd.concat([make_text_study(random_state=rng), make_digits_study(random_state=rng), short]), n_bootstrap=200
    )
    assert len(table) == 9 and table["x"].nunique() == 3
    by_study = table[table["x"] == "flops"].set_index("study")
    # Slope of ln loss: standard error .0015 with noise of .5 %.
    assert by_study.loc["text", "alpha"] == pytest.approx(0.041, abs=0.01)
    assert by_study.loc["digits", "law"] == "power_floor" and by_study.loc["digits", "delta_aicc"] > 10
    assert by_study.loc["short", "status"] == "too few data" and "got 2" in by_study.loc["short", "message"]
    assert np.isnan(by_study.loc["short", "alpha"])


def test_exponents_name_a_missing_column() -> None:
    frame = make_text_study(random_state=0).rename(columns={"flops": "flop"})
    with pytest.raises(DataError, match="column 'flops' is missing; did you mean 'flop'"):
        exponents(frame)


def test_a_fit_takes_milliseconds() -> None:
    x, y, _ = runs(np.random.default_rng(10))
    PowerLaw().fit(x, y)
    began = time.perf_counter()
    for _ in range(5):
        PowerLaw().fit(x, y)
    assert time.perf_counter() - began < 2.5  # about .1 s on an idle core


def test_a_size_that_hardly_varies_is_named() -> None:
    rng = np.random.default_rng(11)
    x = 2.7e11 * (1 + 0.001 * rng.random(12))
    with pytest.raises(UserError, match="power_floor: not identifiable, x is 2"):
        PowerLaw().fit(x, 2 + 0.1 * rng.random(12))
