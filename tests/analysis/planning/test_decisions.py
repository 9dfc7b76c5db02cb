"""Signal-to-noise and decision accuracy against planted truths, and intervals that cover them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.analysis.planning.decisions import agreement, separation


def normal_pairs(n: int, correlation: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    first, own = rng.standard_normal((2, n))
    return first, correlation * first + np.sqrt(1 - correlation**2) * own


def test_the_published_ratio_is_range_over_noise() -> None:
    score = np.array([0.30, 0.36, 0.33])
    found = separation(score, np.ones(3), 0.01**2, np.inf, 0.95)
    assert found.range_to_noise == pytest.approx(6) == found.signal / found.noise
    assert found.signal == pytest.approx(0.06 / 0.33) and found.noise == pytest.approx(0.01 / 0.33)
    assert found.snr == pytest.approx(np.sqrt(9 - 1)) and found.low < found.snr < found.high
    of_four_runs = separation(score, np.full(3, 4), 0.02**2, np.inf, 0.95)
    assert of_four_runs.snr == pytest.approx(found.snr / 2), "the ratio is to the noise of one run"
    assert of_four_runs.p_value == pytest.approx(found.p_value)


@pytest.mark.parametrize("snr", [0.0, 0.7, 3.0])
def test_intervals_of_the_ratio_cover(snr: float) -> None:
    """1,000 sets of 10 recipes with 40 degrees of freedom for the noise: the standard error of .95 is .7 %.

    Power of the test that recipes do not differ: .2 at a ratio of .7, .99 at 3.
    """
    rng = np.random.default_rng(0)
    held, p_values, found = [], [], []
    for _ in range(1000):
        score = rng.standard_normal(10) * np.sqrt(snr**2 + 1)
        each = separation(score, np.ones(10), rng.chisquare(40) / 40, 40, 0.95)
        held.append(each.low <= snr <= each.high)
        p_values.append(each.p_value)
        found.append(each.snr)
    assert 0.925 < np.mean(held) < 0.99
    assert np.mean(np.square(found)) == pytest.approx(snr**2, abs=0.3 + 0.1 * snr**2)
    if snr == 0:
        assert 0.03 < np.mean(np.array(p_values) < 0.05) < 0.07
    else:
        assert np.mean(np.array(p_values) < 0.05) > (0.15 if snr < 1 else 0.98)


def test_the_range_counts_noise_as_signal() -> None:
    rng = np.random.default_rng(1)
    ratios = [separation(rng.standard_normal(25), np.ones(25), 1.0, np.inf, 0.95).range_to_noise for _ in range(400)]
    assert np.mean(ratios) == pytest.approx(3.93, abs=0.15)


def test_scores_without_noise_or_recipes() -> None:
    exact = separation(np.array([1.0, 2.0]), np.ones(2), 0.0, 8, 0.95)
    assert exact.snr == np.inf and exact.p_value == 0
    same = separation(np.full(5, 0.3), np.ones(5), 0.0, 8, 0.95)
    assert np.isnan(same.snr) and np.isnan(same.p_value)
    assert np.isnan(separation(np.array([1.0]), np.ones(1), 1.0, 8, 0.95).snr)
    assert np.isnan(separation(np.array([1.0, 2.0]), np.ones(2), np.nan, 0, 0.95).range_to_noise)


def test_accuracy_is_the_share_of_pairs_in_the_same_order() -> None:
    small, target = np.array([1.0, 2, 3, 4, 5]), np.array([1.0, 2, 3, 5, 4])
    found = agreement(small, target, 0.95)
    assert found.accuracy == pytest.approx(0.9) and found.n_recipes == 5
    assert found.accuracy == pytest.approx((1 + stats.kendalltau(small, target).statistic) / 2)
    assert agreement(-small, target, 0.95).accuracy == pytest.approx(0.1)
    tied = agreement(np.array([1.0, 1, 3, 4, 5]), small, 0.95)
    assert tied.accuracy == pytest.approx(0.95), "a tie decides nothing, and counts half"


@pytest.mark.parametrize(("n", "correlation"), [(6, 0.8), (10, 0.95), (25, 0.0), (25, 0.8), (25, 0.99)])
def test_intervals_of_the_accuracy_cover(n: int, correlation: float) -> None:
    """600 sets: the standard error of .95 is .9 %; few pairs make shares coarse, and intervals hold more."""
    rng, truth = np.random.default_rng(2), 0.5 + np.arcsin(correlation) / np.pi
    found = [agreement(*normal_pairs(n, correlation, rng), 0.95) for _ in range(600)]
    assert np.mean([each.low <= truth <= each.high for each in found]) > 0.925
    assert np.mean([each.accuracy for each in found]) == pytest.approx(truth, abs=0.02)
    if n == 25:
        assert np.mean([each.low <= truth <= each.high for each in found]) < 0.998
        assert np.mean([each.high - each.low for each in found]) < 0.35
    if correlation == 0:
        assert 0.02 < np.mean([each.p_value < 0.05 for each in found]) < 0.08


def test_few_recipes_and_scores_that_are_equal() -> None:
    four = agreement(np.arange(4.0), np.arange(4.0), 0.95)
    assert four.accuracy == 1 and np.isnan(four.p_value) and np.isnan(four.low)
    assert np.isnan(agreement(np.ones(1), np.ones(1), 0.95).accuracy)
    flat = agreement(np.ones(8), np.arange(8.0), 0.95)
    assert flat.accuracy == 0.5 and flat.p_value == 1 and flat.low < 0.5 < flat.high
    perfect = agreement(np.arange(8.0), np.arange(8.0), 0.95)
    assert perfect.high == 1 and 0.7 < perfect.low < 0.95
