"""Draws under the null: what they estimate, and the memory that they may keep."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from harness import find_jumps
from harness.analysis.emergence import calibration, models, rise_shapes
from harness.analysis.emergence import null_draws as module
from harness.analysis.emergence.bounded_cache import BoundedCache, array_bytes
from harness.analysis.emergence.ladder_design import LadderDesign
from harness.analysis.emergence.model_comparison import CHUNK_BYTES
from harness.analysis.emergence.null_draws import (
    LOG_OFFSET,
    LOW_RISE,
    N_DRAWS,
    REST_SHRINKAGE,
    SEED_CURVES_LEVEL,
    TALL_RISE,
    NullDraws,
    null_draws,
)
from harness.analysis.emergence.smooth_null import logistic


def design(n_sizes: int, n_seeds: int) -> LadderDesign:
    rung, seed = (axis.ravel() for axis in np.indices((n_sizes, n_seeds)))
    return LadderDesign(np.arange(float(n_sizes)), rung, seed)


def test_draws_are_unit_normal_and_repeat_to_the_digit() -> None:
    draws, again = NullDraws(design(8, 3)), NullDraws(design(8, 3))
    assert draws.means.shape == draws.variance_ratios.shape == (N_DRAWS, 8)
    for name, value in vars(draws).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, vars(again)[name])
    assert draws.means.std() == pytest.approx(np.sqrt(1 / 3), rel=0.03)
    # 2 degrees of freedom at each of 8 sizes: a standard error of 1 / sqrt(8 * 1999) = .008.
    assert draws.variance_ratios.mean() == pytest.approx(1, abs=0.04)
    assert draws.seed_residuals.shape == (N_DRAWS,) and np.isfinite(draws.critical_scatter_ratio)
    one = NullDraws(design(8, 1))
    assert one.seed_residuals.size == 0 and one.critical_scatter_ratio == np.inf, "one seed has no curve of its own"


@pytest.mark.parametrize("width", [4.0, 8.0])
def test_seeds_on_one_curve_rarely_count_as_apart(width: float) -> None:
    """4,000 fresh draws: a standard error of .0027 at .03, and as much from the critical value's own draws."""
    ladder = design(8, 3)
    draws, fresh = NullDraws(ladder), np.random.default_rng(1).standard_normal((4000, 24))
    assert ladder.runs_by_seed is not None
    common = logistic(ladder.t, 3.5, width) * 20 + fresh[:, ladder.runs_by_seed]
    ratio = ladder.scatter(fresh).sum(axis=1) / ladder.residual_sum_of_squares(common).sum(axis=1)
    assert 0.001 < np.mean(ratio > draws.critical_scatter_ratio) <= SEED_CURVES_LEVEL + 0.015


def test_residuals_of_seeds_are_those_of_fresh_ones() -> None:
    """Eight sizes, three seeds: each rise takes up about four of eight degrees of freedom."""
    ladder = design(8, 3)
    draws, fresh = NullDraws(ladder), np.random.default_rng(6).standard_normal((2000, 3, 8))
    tall = ladder.residual_sum_of_squares(TALL_RISE * logistic(ladder.t, 3.5, 5.0) + fresh).sum(axis=1)
    assert tall.mean() == pytest.approx(draws.seed_residuals.mean(), rel=0.15)
    assert 3 * 3 < draws.seed_residuals.mean() < 3 * 6


def test_degrees_of_freedom_of_a_single_curve_s_residuals() -> None:
    """A smooth rise with a jump takes up six or so of eight degrees of freedom: a level, two heights, their places."""
    ladder = design(8, 1)
    draws = NullDraws(ladder)
    assert 0.5 < draws.expected_residual < 4
    assert draws.residual_ratios.mean() == pytest.approx(1)
    fresh = LOW_RISE * logistic(ladder.t, 3.5, 5.0) + np.random.default_rng(2).standard_normal((2000, 8))
    assert ladder.residual_of_means(fresh).mean() == pytest.approx(draws.expected_residual, rel=0.15)
    assert np.isnan(NullDraws(design(8, 2)).expected_residual)


def test_variance_profiles_are_shrunk_logarithms() -> None:
    """The definition, written as loops, on sizes with unequal numbers of runs."""
    counts = np.array([4, 4, 1, 3, 5, 4, 4, 2])
    rung = np.repeat(np.arange(8), counts)
    ladder = LadderDesign(np.arange(8.0), rung, np.arange(len(rung)))
    draws = NullDraws(ladder)
    several = counts > 1
    expected_log = np.zeros(8)
    for size in np.flatnonzero(several):
        expected_log[size] = np.mean([np.log(draws.variance_ratios[d, size] + LOG_OFFSET) for d in range(N_DRAWS)])

    def line(profile: np.ndarray) -> tuple[float, np.ndarray]:
        slope, level = np.polyfit(ladder.along[several], profile[several], 1)
        return slope, np.where(several, profile - level - slope * ladder.along, 0.0)

    by_chance = [line(np.log(ratios + LOG_OFFSET) - expected_log) for ratios in draws.variance_ratios]
    chance_slope = np.mean([slope**2 for slope, _ in by_chance])
    chance_rest = np.mean([np.sum(rest**2) for _, rest in by_chance])
    rng = np.random.default_rng(3)
    for ratio in (counts - 1) * np.exp(rng.normal(0, 1.5, (10, 8)) + np.linspace(-2, 2, 8)):
        per_run = np.where(several, ratio / np.maximum(counts - 1, 1), 1.0)
        slope, rest = line(np.where(several, np.log(per_run + LOG_OFFSET) - expected_log, 0.0))
        kept_slope = max(0.0, 1 - chance_slope / slope**2)
        kept_rest = max(0.0, 1 - REST_SHRINKAGE * chance_rest / np.sum(rest**2))
        expected = kept_slope * slope * ladder.along + kept_rest * rest
        np.testing.assert_allclose(draws.variance_profile(ratio), expected, atol=1e-9)


def test_equal_noise_keeps_a_flat_profile_and_a_trend_is_found() -> None:
    ladder = design(12, 5)
    draws, fresh = NullDraws(ladder), np.random.default_rng(4).standard_normal((500, 60))
    flat = draws.variance_profile(ladder.scatter(fresh))
    assert np.mean(np.ptp(flat, axis=1) < 0.1) > 0.4, "half of the slopes are below their root mean square"
    tilted = draws.variance_profile(ladder.scatter(fresh * np.exp(np.log(4) * ladder.along[ladder.rung])))
    # Standard deviations 4 times as large at one end as at the other: variances 16 times.
    assert np.median(tilted[:, -1] - tilted[:, 0]) == pytest.approx(np.log(16), rel=0.25)


# ------------------------------------------------------------------------------------------------------------- memory


def test_a_design_is_drawn_once_and_again_to_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", BoundedCache(1_000_000))
    first = null_draws(design(8, 3))
    assert null_draws(design(8, 3)) is first
    for n_seeds in (4, 5, 6):
        null_draws(design(8, n_seeds))
    again = null_draws(design(8, 3))
    assert again is not first
    np.testing.assert_array_equal(again.means, first.means)
    assert again.critical_scatter_ratio == first.critical_scatter_ratio


def test_bytes_of_draws_are_all_their_arrays() -> None:
    draws = NullDraws(design(8, 3))
    assert draws.nbytes == array_bytes(vars(draws).values()) + array_bytes(vars(draws.design).values())
    # Means, variance ratios and raw profiles, and one number a draw; the runs themselves are not kept.
    assert 8 * N_DRAWS * (3 * 8 + 1) <= draws.nbytes < 8 * N_DRAWS * (3 * 8 + 3)


def test_many_ladders_keep_no_more_memory_than_is_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six tasks on ladders of their own, 100 runs each: .2 MiB of draws a ladder, of which two may be kept."""
    bound = 400_000
    monkeypatch.setattr(module, "_KEPT", BoundedCache(bound))
    rng, tables = np.random.default_rng(5), []
    for task in range(6):
        rung, seed = (axis.ravel() for axis in np.indices((5, 20)))
        size = 2.0 ** (rung + 0.02 * task * rung**1.5)
        value = logistic(rung, 2.0, 5.0) + 0.05 * rng.standard_normal(len(rung))
        tables.append(pd.DataFrame({"task": str(task), "size": size, "seed": seed, "metric": "score", "value": value}))
    tracemalloc.start()
    find_jumps(pd.concat(tables), x="size")
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0 < module._KEPT.nbytes <= bound
    elsewhere = sum(each._KEPT.nbytes for each in (rise_shapes, models, calibration))
    assert kept < bound + elsewhere + 4 * 2**20
    assert peak < kept + 1.5 * CHUNK_BYTES, "intermediate results too"
