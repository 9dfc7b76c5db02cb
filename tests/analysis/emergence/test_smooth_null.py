"""The cone of smooth curves: that projections are optimal, contrasts valid, and that it holds what it should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from harness.analysis.emergence.smooth_null import (
    GUMBEL_WIDTH,
    LOGISTIC_WIDTH,
    LONGEST_ANSWER,
    MIN_DISTANCE,
    SMOOTH_STEPS,
    Contrasts,
    SmoothNull,
    contrasts_of,
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
@pytest.mark.parametrize("with_powers", [True, False])
def test_projection_satisfies_the_kkt_conditions(t: np.ndarray, with_powers: bool) -> None:
    """For p = P_C y and r = V^-1 (y - p): p in C; r'1 = 0; r'g <= 0 for every generator; r'p = 0."""
    rng, null = np.random.default_rng(len(t)), SmoothNull(t, with_powers)
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


def test_powers_of_smooth_rises_are_left_out_where_they_do_not_count() -> None:
    power = logistic(EVEN, 1.0, SMOOTH_STEPS) ** LONGEST_ANSWER
    variance = np.full(8, 0.01)
    assert SmoothNull(EVEN).distance(power, variance) < 0.1
    assert SmoothNull(EVEN, with_powers=False).distance(power, variance) > 0.5
    assert SmoothNull(EVEN, with_powers=False).distance(logistic(EVEN, 3.2, 4.0), variance) < 0.1


def test_jumps_are_far_from_the_cone_and_farther_the_narrower() -> None:
    null, variance = SmoothNull(EVEN), np.full(8, 0.01)
    distances = [null.distance(logistic(EVEN, 3.5, width), variance) for width in (0.0, 1.0, 2.0, 3.0, 4.0)]
    assert distances[0] > 2 and distances[-1] < 0.15
    assert np.all(np.diff(distances) < 0)


def test_generators_and_falls_rise_from_0_to_1_and_none_is_too_narrow() -> None:
    fine = np.linspace(0, 16, 3201)
    null = SmoothNull(fine)
    for rises in (null.generators, null.falls):
        np.testing.assert_allclose(rises[:, [0, -1]], np.tile([0.0, 1.0], (len(rises), 1)), atol=1e-12)
        assert np.all(np.diff(rises, axis=1) >= -1e-12)
    # Of those that lie on the ladder as a whole the narrowest are powers of the logistic; without these none is
    # narrower than SMOOTH_STEPS, but for what the ladder's ends cut off.
    for with_powers, narrowest in ((True, SMOOTH_STEPS * GUMBEL_WIDTH / LOGISTIC_WIDTH), (False, SMOOTH_STEPS)):
        generators = SmoothNull(fine, with_powers).generators
        whole = generators[(generators[:, 400] < 0.005) & (generators[:, -401] > 0.995)]
        assert min(width_of(rise, fine) for rise in whole) == pytest.approx(narrowest, abs=0.1)


def test_widths_of_logistic_and_gumbel_are_those_stated() -> None:
    t = np.linspace(-40, 40, 80_001)
    assert width_of(logistic(t, 1.0, 3.0), t) == pytest.approx(3.0, abs=1e-3)
    assert width_of(np.exp(-np.exp(-t)), t) == pytest.approx(GUMBEL_WIDTH, abs=1e-3)
    assert logistic(np.array([0.9, 1.0, 1.1]), 1.0, 0.0).tolist() == pytest.approx([0.0, 0.5, 1.0])


# ------------------------------------------------------------------------------------------------- contrasts, power


@pytest.mark.parametrize("t", LADDERS, ids=len)
@pytest.mark.parametrize("with_powers", [True, False])
def test_contrasts_lie_in_the_polar_cone_whatever_the_variance(t: np.ndarray, with_powers: bool) -> None:
    """c'1 = 0 and c'g <= 0: no smooth curve raises the statistic, which is what makes p valid."""
    rng = np.random.default_rng(3)
    null, counts = SmoothNull(t, with_powers), rng.integers(1, 6, len(t))
    contrasts = Contrasts(null, counts)
    for _ in range(10):
        c = contrasts.nearest(random_variance(rng, len(t)))
        norm = np.sqrt(np.sum(c**2, axis=1))
        assert (norm > 0).any()
        assert np.max(np.abs(c.sum(axis=1))) <= 1e-7 * norm.max()
        assert np.max(c @ null.generators.T) <= 1e-7 * norm.max()


def test_the_best_contrast_against_a_jump_reaches_its_distance() -> None:
    """For the variance that it was made for: c's / sd(c) = distance of s from the cone, and no other does more."""
    null, counts = SmoothNull(EVEN), np.full(8, 3)
    contrasts, variance = Contrasts(null, counts).nearest(np.ones(8) / 3), np.ones(8) / 3
    distances = np.array([null.distance(jump, variance) for jump in null.jumps])
    norms = np.sqrt(np.sum((null.jumps - null.jumps.mean(axis=1, keepdims=True)) ** 2 / variance, axis=1))
    seen = distances > MIN_DISTANCE * norms
    # A step in the first or the last gap is the limit of a smooth rise that goes on beyond the ladder.
    assert np.flatnonzero(~seen).tolist() == [0, 6] and not contrasts[~seen].any()
    sd = np.sqrt(contrasts[seen] ** 2 @ variance)
    scores = contrasts[seen] @ null.jumps[seen].T / sd[:, None]
    np.testing.assert_allclose(np.diag(scores), distances[seen], rtol=1e-6)
    assert np.all(scores.max(axis=0) <= distances[seen] * (1 + 1e-6))


def test_contrasts_are_made_once_and_say_their_size() -> None:
    null = SmoothNull(EVEN)
    again = contrasts_of(SmoothNull(EVEN.copy()), np.full(8, 2))
    assert contrasts_of(null, np.full(8, 2)) is again
    assert contrasts_of(null, np.full(8, 3)) is not again
    assert contrasts_of(SmoothNull(EVEN, with_powers=False), np.full(8, 2)) is not again
    assert again.nbytes == sum(array.nbytes for array in vars(again).values())


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
