"""The cone of smooth curves: that projections are optimal, and that it holds what it should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from harness.analysis.emergence.smooth_null import (
    GUMBEL_WIDTH,
    LOGISTIC_WIDTH,
    LONGEST_ANSWER,
    SMOOTH_STEPS,
    SmoothNull,
    logistic,
)

EVEN = np.arange(8.0)
UNEVEN = np.array([0.0, 0.5, 1.0, 2.5, 3.5, 6.0])
LADDERS = [np.arange(5.0), EVEN, UNEVEN, np.arange(16.0)]


def random_variance(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(rng.normal(0, 1.5, n))


def width_of(values: np.ndarray, t: np.ndarray) -> float:
    """From 10 to 90 % of a rise from 0 to 1."""
    return float(np.interp(0.9, values, t) - np.interp(0.1, values, t))


# ------------------------------------------------------------------------------------------------------ projection


@pytest.mark.parametrize("t", LADDERS, ids=len)
def test_projection_satisfies_the_kkt_conditions(t: np.ndarray) -> None:
    """For p = P_C y and r = V^-1 (y - p): p in C; r'1 = 0; r'g <= 0 for every generator; r'p = 0."""
    rng, null = np.random.default_rng(len(t)), SmoothNull(t)
    for _ in range(25):
        y = rng.normal(0, 1, len(t)) + rng.normal(0, 2) * t / t[-1] + rng.normal(0, 5)
        variance = random_variance(rng, len(t))
        p = null.project(y, variance)
        r = (y - p) / variance
        scale = np.sqrt(np.sum(r**2 * variance))
        sd = np.sqrt(null.generators**2 @ (1 / variance))
        assert abs(r.sum()) <= 1e-7 * scale * np.sqrt(np.sum(1 / variance))
        assert np.max(null.generators @ r / sd) <= 1e-7 * scale
        assert abs(r @ p) <= 1e-7 * scale * np.sqrt(np.sum(p**2 / variance))
        assert distance_by_linear_programming(null, p) <= 1e-7 * np.abs(p).max()


def distance_by_linear_programming(null: SmoothNull, p: np.ndarray) -> float:
    """Least largest deviation of p from a level plus a non-negative sum of generators."""
    members = np.concatenate([np.ones((1, len(p))), -np.ones((1, len(p))), null.generators]).T
    slack = np.ones((len(p), 1))
    bounds = np.block([[members, -slack], [-members, -slack]])
    cost = np.append(np.zeros(members.shape[1]), 1.0)
    return float(linprog(cost, A_ub=bounds, b_ub=np.concatenate([p, -p]), bounds=(0, None)).fun)


def test_no_smooth_curve_is_closer_than_the_projection() -> None:
    rng, null = np.random.default_rng(1), SmoothNull(EVEN)
    y, variance = rng.normal(0, 1, 8), random_variance(rng, 8)
    p = null.project(y, variance)
    amounts = rng.exponential(size=(500, len(null.generators))) * (rng.random((500, len(null.generators))) < 0.03)
    members = rng.normal(0, 1, (500, 1)) + amounts @ null.generators
    assert np.all(np.sum((members - y) ** 2 / variance, axis=1) >= null.distance(y, variance) ** 2)
    # Nor is one in its neighbourhood, on the way to any of these.
    steps = p + 0.01 * (members - p)
    assert np.all(np.sum((steps - y) ** 2 / variance, axis=1) >= null.distance(y, variance) ** 2 * (1 - 1e-9))


def test_projection_keeps_smooth_curves_and_moves_with_level_and_scale() -> None:
    rng, null = np.random.default_rng(2), SmoothNull(EVEN)
    variance = random_variance(rng, 8)
    smooth = 0.3 + 2 * null.generators[5] + null.generators[30]
    np.testing.assert_allclose(null.project(smooth, variance), smooth, atol=1e-10)
    y = rng.normal(0, 1, 8)
    np.testing.assert_allclose(null.project(7 + 3 * y, variance), 7 + 3 * null.project(y, variance), atol=1e-8)
    np.testing.assert_allclose(null.project(y, 9 * variance), null.project(y, variance), atol=1e-10)


# ------------------------------------------------------------------------------------------- what is smooth and not


@pytest.mark.parametrize("t", [np.arange(5.0), EVEN, np.arange(12.0)], ids=len)
def test_the_cone_holds_smooth_rises_of_any_place_and_width(t: np.ndarray) -> None:
    """Within 1.2 % of their norm about the mean: places between those of the generators, and powers in between."""
    null, worst = SmoothNull(t), 0.0
    for width in (SMOOTH_STEPS, 5.0, 7.0, 12.0, 20.0):
        for place in np.arange(-3.0, t[-1] + 3, 0.375):
            for power in (1, 5, LONGEST_ANSWER):
                rise = logistic(t, place, width) ** power
                norm = np.sqrt(np.sum((rise - rise.mean()) ** 2))
                if norm > 1e-6:
                    worst = max(worst, null.distance(rise / norm, np.ones(len(t))))
    assert worst < 0.012


def test_powers_of_smooth_rises_are_smooth() -> None:
    power = logistic(EVEN, 1.0, SMOOTH_STEPS) ** LONGEST_ANSWER
    assert SmoothNull(EVEN).distance(power, np.full(8, 0.01)) < 0.1


def test_jumps_are_far_from_the_cone_and_farther_the_narrower() -> None:
    null, variance = SmoothNull(EVEN), np.full(8, 0.01)
    distances = [null.distance(logistic(EVEN, 3.5, width), variance) for width in (0.0, 1.0, 2.0, 3.0, 4.0)]
    assert distances[0] > 2 and distances[-1] < 0.15
    assert np.all(np.diff(distances) < 0)


def test_generators_rise_from_0_to_1_and_none_is_too_narrow() -> None:
    fine = np.linspace(0, 16, 3201)
    generators = SmoothNull(fine).generators
    np.testing.assert_allclose(generators[:, [0, -1]], np.tile([0.0, 1.0], (len(generators), 1)), atol=1e-12)
    assert np.all(np.diff(generators, axis=1) >= -1e-12)
    # Of those that lie on the ladder as a whole the narrowest are powers of the logistic.
    whole = generators[(generators[:, 400] < 0.005) & (generators[:, -401] > 0.995)]
    narrowest = SMOOTH_STEPS * GUMBEL_WIDTH / LOGISTIC_WIDTH
    assert min(width_of(rise, fine) for rise in whole) == pytest.approx(narrowest, abs=0.1)


def test_widths_of_logistic_and_gumbel_are_those_stated() -> None:
    t = np.linspace(-40, 40, 80_001)
    assert width_of(logistic(t, 1.0, 3.0), t) == pytest.approx(3.0, abs=1e-3)
    assert width_of(np.exp(-np.exp(-t)), t) == pytest.approx(GUMBEL_WIDTH, abs=1e-3)
    assert logistic(np.array([0.9, 1.0, 1.1]), 1.0, 0.0).tolist() == pytest.approx([0.0, 0.5, 1.0])


# ------------------------------------------------------------------------------------------------------------ power


def test_power_is_that_of_the_best_test_of_two_simple_hypotheses() -> None:
    null, variance = SmoothNull(EVEN), np.full(8, 0.04)
    jump = logistic(EVEN, 3.5, 0.5)
    closest = null.project(jump, variance)
    rng = np.random.default_rng(4)
    c = (jump - closest) / variance
    noise = 0.2 * rng.standard_normal((100_000, 8))
    critical = np.quantile((closest + noise) @ c, 0.95)
    # A standard error of .0015.
    assert null.power(jump, variance, 0.05) == pytest.approx(np.mean((jump + noise) @ c > critical), abs=0.008)
    assert null.power(closest, variance, 0.05) == pytest.approx(0.05, abs=1e-6)
