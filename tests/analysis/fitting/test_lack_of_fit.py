"""The noise of runs about a law, and the lack-of-fit F test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness import PowerLaw, ScalingLaw
from harness.analysis.fitting.lack_of_fit import (
    LACK_OF_FIT,
    Noise,
    far_off,
    judge_noise,
    lacks_fit,
    noise_of_shares,
    rung_misfit,
)
from harness.analysis.fitting.objectives import BetaBinomial, Binomial, Huber, Squares
from harness.analysis.runs import Runs, gather_runs

SIZES, SEEDS, P = 7, 4, 0


def planted(rng: np.random.Generator, of_sizes: float = 0.0, of_runs: float = 0.01) -> tuple[Runs, np.ndarray]:
    """Runs about a curve of zeros that took no parameters: whole sizes off by `of_sizes`, runs by `of_runs`."""
    x = np.repeat(np.arange(1.0, SIZES + 1), SEEDS)
    off = of_sizes * np.repeat(rng.standard_normal(SIZES), SEEDS) + of_runs * rng.standard_normal(len(x))
    return gather_runs(x, off), np.zeros(SIZES)


@pytest.mark.parametrize("freedom", [1, 2.5, 7, 234, 1e6, np.inf])
def test_the_allowed_rise_is_that_of_students_t(freedom: float) -> None:
    for level in (0.2, 0.68, 0.95, 0.9999):
        rise = Noise(0.1, 0.1, 0.0, freedom, 0.01).allowed_rise(level)
        assert rise == pytest.approx(stats.t.ppf((1 + level) / 2, freedom) ** 2 * 0.005, rel=1e-12)


def test_lack_of_fit_is_judged_by_f() -> None:
    rng = np.random.default_rng(2)
    between, within = rng.uniform(0, 4, 200), rng.uniform(0.5, 2, 200)
    of_sizes, of_runs = rng.integers(1, 9, 200), rng.integers(1, 40, 200)
    by_f = stats.f.sf(between / within, of_sizes, of_runs) < LACK_OF_FIT
    assert 20 < by_f.sum() < 180 and (lacks_fit(between, within, of_sizes, of_runs) == by_f).all()


def test_the_test_keeps_its_error_rate() -> None:
    """2,000 tables whose sizes lie on the curve: standard error .0067, bounds at four of them."""
    rng = np.random.default_rng(0)
    found = [rung_misfit(*planted(rng), n_parameters=0) > 0 for _ in range(2000)]
    assert abs(np.mean(found) - LACK_OF_FIT) < 0.027


def test_misfit_is_how_far_whole_sizes_are_off() -> None:
    """100 tables of 7 sizes, each off by .02: the mean square's standard error is 5 %, bounds at six of them."""
    rng = np.random.default_rng(1)
    found = [rung_misfit(*planted(rng, of_sizes=0.02, of_runs=0.002), n_parameters=0) for _ in range(100)]
    assert np.sqrt(np.mean(np.square(found))) == pytest.approx(0.02, rel=0.15)


def test_without_repeated_sizes_there_is_nothing_to_test_by() -> None:
    assert rung_misfit(gather_runs(np.arange(1.0, 8), np.ones(7)), np.zeros(7), 2) == 0


def test_the_f_test_is_that_of_scipy() -> None:
    between, within = np.array([1.0, 2.0, 3.0]), np.ones(3)
    np.testing.assert_array_equal(lacks_fit(between, within, 4, 21), stats.f.sf(between, 4, 21) < LACK_OF_FIT)


def test_the_uncertainty_is_that_of_sizes_where_they_are_off() -> None:
    runs, fitted = planted(np.random.default_rng(2))
    plain = judge_noise(runs, fitted, P, Squares())
    assert plain.misfit == 0 and plain.freedom == SIZES * SEEDS - P
    assert plain.scale == pytest.approx(np.sum(runs.value**2) / plain.freedom) == pytest.approx(plain.of_a_run**2)
    off, fitted = planted(np.random.default_rng(3), of_sizes=0.05, of_runs=0.002)
    assert judge_noise(off, fitted, P, Squares()).freedom == SIZES - P


def test_the_allowed_rise_is_a_quantile_of_students_t() -> None:
    runs, fitted = planted(np.random.default_rng(4))
    noise = judge_noise(runs, fitted, P, Squares())
    assert noise.allowed_rise(0.9) == pytest.approx(stats.t.ppf(0.95, noise.freedom) ** 2 * noise.scale / 2)
    likelihood = judge_noise(runs, fitted, P, Binomial())
    assert likelihood.allowed_rise(0.95) == pytest.approx(stats.chi2.ppf(0.95, 1) / 2)


def test_hubers_scale_is_that_of_squares_where_nothing_is_clipped() -> None:
    runs, fitted = planted(np.random.default_rng(5))
    squares, huber = (judge_noise(runs, fitted, P, o) for o in (Squares(), Huber(1.0)))
    assert huber.scale == pytest.approx(squares.scale)
    assert judge_noise(runs, fitted, P, Huber(1e-3)).scale < squares.scale


def test_runs_on_the_law_have_the_noise_of_rounding() -> None:
    runs = gather_runs(np.arange(1.0, 8), np.zeros(7))
    assert judge_noise(runs, np.zeros(7), P, Squares()).scale == pytest.approx(1e-24)


def test_shares_scatter_binomially_and_more_where_seeds_spread() -> None:
    p = np.array([0.5, 0.1])
    np.testing.assert_allclose(noise_of_shares(Binomial(), np.full((1, 3), 100.0), p), [0.05, 0.03])
    spread = BetaBinomial(np.full(3, 100.0), np.full((1, 1), 0.1))
    np.testing.assert_allclose(noise_of_shares(spread, np.ones((1, 3)), p), np.array([0.05, 0.03]) * np.sqrt(10.9))


def curve(
    rng: np.random.Generator, sizes: int = 8, seeds: int = 5, floor: float = 1.5, noise: float = 0.01
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.repeat(np.geomspace(1e3, 1e6, sizes), seeds)
    y = (floor + 100 * x**-0.5) * np.exp(noise * rng.standard_normal(len(x)))
    return x, y, np.tile(np.arange(seeds), sizes)


def test_whole_sizes_off_the_curve_widen_the_intervals() -> None:
    rng = np.random.default_rng(3)
    x, y, _ = curve(rng, 7, 3, noise=0.002)
    off = y * np.exp(0.02 * np.repeat(rng.standard_normal(7), 3))
    exact, rough = PowerLaw().fit(x, y), PowerLaw().fit(x, off)
    assert np.ptp(rough.intervals_["alpha"]) > 3 * np.ptp(exact.intervals_["alpha"])
    assert "sizes scatter about the curve" in rough.message_


def test_runs_that_went_wrong_are_named() -> None:
    x, y, _ = curve(np.random.default_rng(4))
    y[7] *= 1.2
    fit = PowerLaw().fit(x, y)
    place = f"x = {x[7]:.4g}"
    assert "1 run lies more than 6 times the others' scatter off the law, the furthest by +1" in fit.message_
    assert place in fit.message_ and "objective huber" in fit.message_ and fit.status_ == "converged"
    assert "scatter off the law" not in ScalingLaw("power_floor", objective="huber").fit(x, y).message_


def test_normal_runs_are_not_named_and_few_are_not_judged() -> None:
    """1,000 tables of 20 runs about 3 parameters; a normal run lies that far off once in 500 million."""
    rng = np.random.default_rng(5)
    assert sum(len(far_off(rng.standard_normal(20), 3)) > 0 for _ in range(1000)) <= 5
    assert len(far_off(np.array([0.0] * 9 + [1.0]), 3)) == 0
    np.testing.assert_array_equal(far_off(np.append(rng.standard_normal(20), [30, -40]), 3), [21, 20])
