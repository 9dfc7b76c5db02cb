"""P values of the comparison on planted smooth curves and jumps."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.emergence.calibration import (
    Calibration,
    calibration_of_means,
    calibration_of_seeds,
    falling,
    smooth_curves,
    tail_probability,
    turns,
)
from harness.analysis.emergence.ladder_design import LadderDesign
from harness.analysis.emergence.marginals import height_scale
from harness.analysis.emergence.model_comparison import compare_means
from harness.analysis.emergence.models import models_of
from harness.analysis.emergence.noise import noise_of
from harness.analysis.emergence.null_draws import null_draws
from harness.analysis.emergence.seeds_apart import noise_about_own_curves

SIZES, SEEDS = 8, 3
T = np.arange(float(SIZES))
MODELS = models_of(T)
DESIGN = LadderDesign(T, np.repeat(np.arange(SIZES), SEEDS), np.tile(np.arange(SEEDS), SIZES))
DRAWS = null_draws(DESIGN)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibration_of_means(DRAWS)


def p_values(calibration: Calibration, curves: np.ndarray, sd: float, seed: int) -> np.ndarray:
    """Of normal runs about curves (n, K), the noise estimated from the runs."""
    rng = np.random.default_rng(seed)
    runs = (curves[:, :, None] + sd * rng.standard_normal((*curves.shape, SEEDS))).reshape(len(curves), -1)
    noises = [noise_of(DRAWS, each, np.zeros(SIZES)) for each in runs]
    means = DESIGN.means(runs)
    variance = np.stack([noise.variance for noise in noises]) / DESIGN.counts
    freedom = np.array([noise.freedom for noise in noises])
    found = compare_means(MODELS, means, variance, freedom, height_scale(means))
    return calibration.p_values(found.statistic, means, variance)


@pytest.mark.parametrize("sd", [0.02, 0.1, 0.4])
def test_p_values_hold_their_level_on_smooth_curves(calibration: Calibration, sd: float) -> None:
    """The standard error of 5 % of 400 is .011: .095 is four of them above."""
    curves = smooth_curves(T, 400, np.random.default_rng(11))
    p = p_values(calibration, curves, sd, seed=12)
    assert np.mean(p < 0.05) < 0.095
    assert np.mean(p < 0.01) < 0.03
    assert ((p > 0) & (p <= 1)).all()


def test_drops_and_jumps_on_slopes_have_small_p_values(calibration: Calibration) -> None:
    """Steps of .25, means of standard deviation .012."""
    rng = np.random.default_rng(13)
    place = rng.uniform(1.2, SIZES - 2.2, (150, 1))
    jumps = 0.1 + 0.04 * T + 0.25 * (place < T)
    assert np.mean(p_values(calibration, jumps, 0.02, seed=14) < 0.05) > 0.9
    assert np.mean(p_values(calibration, -jumps, 0.02, seed=14) < 0.05) > 0.85


def test_jumps_of_seeds_at_sizes_of_their_own_are_found() -> None:
    rng = np.random.default_rng(15)
    calibration = calibration_of_seeds(DRAWS)
    expected = float(DRAWS.seed_residuals.mean())
    found, apart = [], 0
    for _ in range(40):
        place = rng.uniform(1, SIZES - 2, (1, SEEDS))
        curves = 0.1 + 0.7 * (place < T[:, None])
        values = (curves + 0.02 * rng.standard_normal((SIZES, SEEDS))).ravel()
        variance = noise_about_own_curves(DRAWS, values, noise_of(DRAWS, values, np.zeros(SIZES)))
        if variance is None:
            continue
        apart += 1
        own = values.reshape(SIZES, SEEDS).T
        of_run = np.broadcast_to(variance, own.shape)
        statistic = compare_means(MODELS, own, of_run, np.full(SEEDS, expected), height_scale(own)).statistic
        found.append(calibration.p_value_of_seeds(statistic, own, of_run))
    assert apart > 20
    assert np.mean(np.array(found) < 0.05) > 0.9


def test_tail_probabilities_are_counts_and_beyond_them_fall_as_exp() -> None:
    draws = np.random.default_rng(16).exponential(0.7, 2000)
    assert tail_probability(float(np.quantile(draws, 0.9)), draws) == pytest.approx(0.1, abs=0.002)
    assert tail_probability(-1.0, draws) == 1.0
    # Ten draws exceed: (1 + 10) / 2001. From there on the slowest tail that a Bayes factor can have on average.
    edge = float(np.sort(draws)[-10])
    assert tail_probability(edge, draws) == pytest.approx(11 / 2001)
    for beyond in (0.5, 5.0, 30.0):
        assert tail_probability(edge + beyond, draws) == pytest.approx(11 / 2001 * np.exp(-beyond))
    falling = [tail_probability(x, draws) for x in np.linspace(-1, 20, 300)]
    assert np.all(np.diff(falling) <= 0) and falling[-1] > 0


def test_few_draws_are_counted() -> None:
    assert tail_probability(5.0, np.zeros(4)) == 1 / 5 and tail_probability(0.0, np.zeros(4)) == 1


def test_a_curve_that_falls_is_compared_with_falls(calibration: Calibration) -> None:
    """Upside down a curve that is smooth has the p values of one that is smooth: the level holds for falls too."""
    t = np.arange(float(SIZES))
    late_fall, late_rise = np.minimum(t, 9 - t), -np.minimum(t, 9 - t)
    assert falling(np.stack([t, -t, late_fall, late_rise])).tolist() == [False, True, False, True]
    curves = -smooth_curves(T, 400, np.random.default_rng(18))
    for sd in (0.02, 0.1):
        p = p_values(calibration, curves, sd, seed=19)
        assert np.mean(p < 0.05) < 0.095 and np.mean(p < 0.01) < 0.03


def test_a_curve_turns_if_both_its_rise_and_its_fall_exceed_the_noise() -> None:
    variance = np.full((4, SIZES), 0.01**2)
    curves = np.stack([0.05 * T, 0.1 - 0.05 * T, 0.1 * np.abs(T - 4), 0.002 * np.abs(T - 4)])
    assert turns(curves, variance).tolist() == [False, False, True, False]
