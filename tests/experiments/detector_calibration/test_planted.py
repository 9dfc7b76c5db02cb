"""Planted truths: trends are smooth and of their height, steps are where and as high as they say, pairs are powers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted_examples import EXAMPLES, PAIR
from planted_holdout import APART, SIMULATORS, Simulator, logit_scale, size_dependent, t3, uneven
from planted_slopes import HEIGHTS, LENGTH, SLOPES, TRENDS, Slope, Trend, logistic, plant, plant_pairs, straight

from harness.analysis.emergence.smooth_null import SmoothNull

T = np.arange(8.0)
RISING = {name: trend for name, trend in TRENDS.items() if name != "fall"} | {
    name: simulator.trend for name, simulator in SIMULATORS.items() if simulator.trend not in TRENDS.values()
}


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("step", [0, 1, -1])
@pytest.mark.parametrize("trend", TRENDS.values(), ids=TRENDS)
def test_a_curve_is_its_trend_and_its_step(trend: Trend, step: int) -> None:
    slope = Slope(trend, T, spread=0.0)
    planted = plant(slope, step, generator(), 60)
    assert planted.values.shape == planted.expected.shape == (60, 8, 3)
    mean = planted.expected[:, :, 0]
    # What is left without the step is smooth and rises, or falls, by what it should.
    past, before = T[-1] > planted.midpoint, T[0] > planted.midpoint
    assert past.all() and not before.any()
    whole = mean[:, -1] - mean[:, 0]
    rise = whole - step * planted.height
    sign = -1 if trend is TRENDS["fall"] else 1
    assert (sign * rise >= slope.rises[0] - 0.02).all() and (sign * rise <= slope.rises[1] + 0.02).all()
    if step:
        assert (planted.height >= HEIGHTS[0]).all() and (planted.height <= HEIGHTS[1]).all()
        # The step lies between the sizes on either side of its midpoint: two sizes or more on either side of it.
        assert (planted.midpoint >= 1).all() and (planted.midpoint <= 6).all()
    else:
        assert (planted.height == 0).all()
    assert np.abs(planted.values - planted.expected).max() < 6 * np.sqrt(0.25 / slope.n_eval)


@pytest.mark.parametrize("trend", RISING.values(), ids=RISING)
def test_rising_trends_are_smooth(trend: Trend) -> None:
    """Each lies in the cone of smooth curves, up to what its discrete generators leave: here .01 of its range."""
    null, variance = SmoothNull(T), np.full(8, 0.01**2)
    shapes = trend(generator(), 40, T)
    for shape in shapes:
        if shape[-1] > shape[0] and np.all(np.diff(shape) >= 0):
            share = (shape - shape[0]) / np.ptp(shape)
            assert null.distance(share, variance) < 1.5


def test_tall_slopes_are_as_high_as_trend_and_step() -> None:
    slope = Slope(straight, T, spread=0.0)
    tall, steps = plant(slope.tall, 0, generator(), 2000), plant(slope, 1, generator(), 2000)
    heights = [np.ptp(planted.expected[:, :, 0], axis=1) for planted in (tall, steps)]
    assert np.mean(heights[0]) == pytest.approx(np.mean(heights[1]), abs=0.02)


def test_steps_are_steep() -> None:
    """All of the height but what the trend rises lies within a step and a half of the midpoint, but for its tails."""
    planted = plant(Slope(straight, T, rises=(0.2, 0.2)), 1, generator(), 100)
    mean = planted.expected[:, :, 0] - 0.2 * T / 7
    near = np.abs(T[:-1][None] + 0.5 - planted.midpoint[:, None]) <= 1.0
    assert (np.sum(np.diff(mean, axis=1) * near, axis=1) > 0.88 * planted.height).all()


@pytest.mark.parametrize("deviate", [logit_scale, t3, size_dependent])
def test_noise_has_its_spread(deviate) -> None:  # type: ignore[no-untyped-def]
    expected = np.full((4000, 8, 3), 0.5)
    scores = deviate(generator(), expected, 0.04)
    along = np.median(np.abs(scores - 0.5), axis=(0, 2))
    usual = {logit_scale: 0.6745, t3: 0.7649 / np.sqrt(3), size_dependent: 0.65}[deviate] * 0.04
    assert np.median(along) == pytest.approx(usual, rel=0.1)
    per_curve = np.log2(scores[:, -1].std(axis=1) / scores[:, 0].std(axis=1))
    assert (np.abs(np.mean(np.abs(per_curve)) - 2) < 0.5) == (deviate is size_dependent)


def test_spread_on_the_logit_scale_is_less_near_the_ends() -> None:
    low, middle = (np.std(logit_scale(generator(), np.full((1000, 1, 1), p), 0.04)) for p in (0.05, 0.5))
    assert low < 0.3 * middle


def test_seeds_apart_jump_at_places_of_their_own() -> None:
    simulator = SIMULATORS["seeds apart"]
    slope = replace(simulator.slope(T, 0.0), rises=(0.0, 0.0))
    planted = simulator.plant(slope, 1, generator(), 50)
    half = (planted.expected > (0.05 + planted.height / 2)[:, None, None]).argmax(axis=1)
    assert np.mean(np.ptp(half, axis=1) > 0) > 0.5 and np.ptp(half, axis=1).max() <= np.ceil(APART)
    assert (half >= 1).all() and (half <= 6).all()


def test_uneven_ladders_have_steps_of_their_median_gap() -> None:
    for seed in range(20):
        gaps = np.diff(uneven(np.random.default_rng(seed), 12))
        assert np.median(gaps) == pytest.approx(1) and gaps.max() / gaps.min() <= 4 and np.ptp(gaps) > 0


@pytest.mark.parametrize("simulator", SIMULATORS.values(), ids=SIMULATORS)
def test_simulators_stay_within_the_metric(simulator: Simulator) -> None:
    slope = simulator.slope(T, 0.02)
    for step in (0, 1, -1):
        planted = simulator.plant(slope, step, generator(), 50)
        assert planted.values.shape == (50, 8, slope.n_seeds)
        assert planted.expected.min() >= 0 and planted.expected.max() <= 1.001


def test_below_chance_starts_below_chance() -> None:
    simulator = SIMULATORS["below-chance start"]
    planted = simulator.plant(simulator.slope(T, 0.02), 1, generator(), 50)
    assert (planted.expected[:, 0] < planted.chance[:, None]).all()
    assert (planted.expected[:, -1] > planted.chance[:, None]).mean() > 0.9


@pytest.mark.parametrize("jump", [True, False])
def test_exact_match_is_a_power_of_the_tokens(jump: bool) -> None:
    planted = plant_pairs(jump, generator(), 30, T, 3, 0.02)
    exact, tokens = planted.exact_match, planted.token_accuracy
    assert np.allclose(exact.expected, tokens.expected**LENGTH) and (planted.length == LENGTH).all()
    steps = np.diff(tokens.expected[:, :, 0], axis=1)
    assert (np.median(steps, axis=1) <= SLOPES[1] + 1e-9).all() and (steps.max(axis=1) > 0.06).mean() == jump
    assert exact.paired_metric == tokens.metric and exact.discontinuous and not tokens.discontinuous


def test_examples_have_their_step_in_its_gap() -> None:
    for example in EXAMPLES.values():
        planted, smooth = (example.plant(step, generator(), 2) for step in (1, 0))
        gap = int(np.ceil(example.place))
        by_step = np.diff(planted.expected[0, :, 0] - smooth.expected[0, :, 0])
        assert by_step[gap - 1] == pytest.approx(example.height) and np.count_nonzero(np.abs(by_step) > 1e-9) == 1
    pair = EXAMPLES[PAIR].plant_pairs(1, generator(), 2).token_accuracy.expected[0, :, 0]
    assert pair == pytest.approx(0.2 + 0.05 * T + 0.3 * (T > 3.5))


def test_draws_are_those_of_the_seed() -> None:
    once, again = (plant(Slope(logistic, T), 1, generator(), 5).values for _ in range(2))
    assert np.array_equal(once, again)
