"""`ScalingLaw` with weights, and with runs below the law costlier than those above it."""

from __future__ import annotations

import numpy as np
import pytest

from harness import PowerLaw, ScalingLaw
from harness.analysis.fitting.lack_of_fit import judge_noise
from harness.analysis.fitting.objectives import Huber, Squares
from harness.analysis.runs import gather_runs
from harness.errors import DataError, SettingError

X = np.repeat(np.geomspace(1e3, 1e6, 8), 3)
EXACT = 1.5 + 100 * X**-0.5


def ends(fit: ScalingLaw) -> list[float]:
    return [end for interval in fit.intervals_.values() for end in interval]


def test_weights_in_any_unit_are_the_same() -> None:
    rng = np.random.default_rng(0)
    y, weights = EXACT * np.exp(0.01 * rng.standard_normal(24)), rng.uniform(1, 5, 24)
    one, other = (PowerLaw().fit(X, y, weights=scale * weights) for scale in (1.0, 1e6))
    assert one.params_ == pytest.approx(other.params_, rel=1e-9) and one.aicc_ == pytest.approx(other.aicc_)
    assert one.params_ != PowerLaw().fit(X, y).params_
    plain = PowerLaw().fit(X, y, weights=np.full(24, 7.0))
    assert ends(plain) == pytest.approx(ends(PowerLaw().fit(X, y)))


def test_a_run_of_weight_two_moves_the_law_as_two_runs_do() -> None:
    y = EXACT * np.exp(0.01 * np.random.default_rng(1).standard_normal(24))
    twice = PowerLaw(interval="delta").fit(np.append(X, X[:3]), np.append(y, y[:3]))
    weighted = PowerLaw(interval="delta").fit(X, y, weights=np.where(np.arange(24) < 3, 2.0, 1.0))
    assert weighted.params_ == pytest.approx(twice.params_, rel=1e-6)


def test_rows_of_one_run_share_its_weight() -> None:
    y = EXACT * np.exp(0.01 * np.random.default_rng(2).standard_normal(24))
    weights, seed = np.arange(1.0, 25), np.tile(range(3), 8)
    of_runs = PowerLaw().fit(X, y, groups=seed, weights=weights)
    rows = [np.repeat(column, 2) for column in (X, y, seed, weights)]
    of_rows = PowerLaw().fit(rows[0], rows[1], groups=rows[2], weights=rows[3])
    assert ends(of_rows) == pytest.approx(ends(of_runs))


def test_intervals_cover_where_variances_are_inverse_to_weights() -> None:
    """150 tables at 95 %: the share has a standard error of .018; bounds at four of them."""
    rng, scatter = np.random.default_rng(3), np.where(X < 2e4, 0.02, 0.004)
    held, widths = [], []
    for _ in range(150):
        y = EXACT * np.exp(scatter * rng.standard_normal(24))
        fit, plain = PowerLaw().fit(X, y, weights=scatter**-2.0), PowerLaw(interval="delta").fit(X, y)
        low, high = fit.intervals_["alpha"]
        held.append(low <= 0.5 <= high)
        widths.append((high - low) / np.ptp(plain.intervals_["alpha"]))
    assert 0.88 < np.mean(held) <= 1 and np.median(widths) < 0.9


def test_noise_is_that_of_a_run_of_mean_weight() -> None:
    rng = np.random.default_rng(4)
    scatter = np.tile([0.01, 0.02], 500)
    weight = scatter**-2.0 / np.mean(scatter**-2.0)
    runs = gather_runs(np.repeat(np.arange(1.0, 11), 100), scatter * rng.standard_normal(1000))
    noise = judge_noise(runs, np.zeros(10), 0, Squares(), weight=weight)
    # The standard error is 2.2 %.
    assert noise.of_a_run == pytest.approx(np.mean(scatter**-2.0) ** -0.5, rel=0.1) and noise.misfit == 0


def test_a_small_delta_counts_no_curvature_of_runs_that_a_fit_passes_through() -> None:
    """A median passes through one of 9 runs: psi^2 / psi' of the others, of which 2 more lie within delta."""
    values = np.array([-5.0, -4, -3, -0.5, 0, 0.5, 3, 4, 5]) * 1e-2
    runs = gather_runs(np.arange(1.0, 10), values)
    noise = judge_noise(runs, np.zeros(9), 1, Huber(0.01))
    curvature, honest = 3 / 9, 2 / 8
    slopes = np.sum(np.clip(values, -0.01, 0.01) ** 2) / 8
    assert noise.scale == pytest.approx(slopes * curvature / honest**2)


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_one_sided_finds_the_frontier_under_badly_tuned_runs(share: float) -> None:
    """Of 20 tables with a share of runs 5 % above: medians of errors far apart; experiments/badly_tuned has more."""
    rng, error = np.random.default_rng(5), {"squares": [], "huber": [], "one_sided": []}  # type: ignore[var-annotated]
    for _ in range(20):
        excess = (rng.uniform(size=24) < share) * rng.exponential(0.05, 24)
        y = EXACT * np.exp(0.002 * rng.standard_normal(24) + excess)
        for objective, found in error.items():
            fit = ScalingLaw("power_floor", objective=objective, n_bootstrap=100).fit(X, y)
            found.append(abs(float(fit.predict([1e7])[0]) / 1.53162 - 1))
    median = {objective: np.median(found) for objective, found in error.items()}
    assert median["one_sided"] < 0.5 * median["squares"] and median["one_sided"] < 0.006
    assert share < 0.5 or median["one_sided"] < 0.5 * median["huber"]


def test_on_clean_runs_one_sided_lies_below_by_its_quantile() -> None:
    """The curve is that of the 1 in 11 best runs, 1.34 standard deviations low: 20 tables, error about .1 of one."""
    rng, low = np.random.default_rng(6), []
    for _ in range(20):
        y = EXACT * np.exp(0.01 * rng.standard_normal(24))
        fit = ScalingLaw("power_floor", objective="one_sided", delta=1e-4, n_bootstrap=100).fit(X, y)
        low.append(np.mean(np.log(fit.predict(X) / EXACT)))
    assert -0.018 < np.mean(low) < -0.008


def test_mistakes_are_named() -> None:
    with pytest.raises(DataError, match=r"column weights, row 2: 0"):
        PowerLaw().fit(X, EXACT, weights=np.where(np.arange(24) == 2, 0.0, 1.0))
    with pytest.raises(DataError, match="weights has 3 rows where x has 24"):
        PowerLaw().fit(X, EXACT, weights=np.ones(3))
    with pytest.raises(SettingError, match="penalty=1"):
        ScalingLaw(objective="one_sided", penalty=1.0).fit(X, EXACT)
    with pytest.raises(SettingError, match="interval=profile: allowed is bootstrap"):
        ScalingLaw(objective="one_sided", interval="profile").fit(X, EXACT)
    shares = 0.2 + 0.6 / (1 + 1e4 / X)
    with pytest.raises(SettingError, match="objective=one_sided"):
        ScalingLaw("logistic", objective="one_sided").fit(X, shares)
    with pytest.raises(SettingError, match="weights"):
        ScalingLaw("logistic", objective="binomial").fit(X, shares, n_eval=np.full(24, 100), weights=X)
