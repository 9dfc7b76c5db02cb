"""Estimates on a ladder against the loops that define them."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.emergence.ladder_design import FITTED_RISES, MIN_SIZES_FOR_PAIR, LadderDesign
from harness.analysis.emergence.rise_shapes import shapes_of
from harness.analysis.emergence.smooth_null import logistic


def design(counts: list[int], t: np.ndarray | None = None, own_seeds: bool = False) -> LadderDesign:
    """Seeds 0, 1, ... at each size, or one seed a run."""
    rung = np.repeat(np.arange(len(counts)), counts)
    seed = np.arange(len(rung)) if own_seeds else np.concatenate([np.arange(n) for n in counts])
    return LadderDesign(np.arange(float(len(counts))) if t is None else t, rung, seed)


UNEQUAL = [3, 1, 4, 2, 5, 1, 3]


def test_means_and_scatter_are_those_of_each_size() -> None:
    ladder = design(UNEQUAL)
    values = np.random.default_rng(0).normal(3, 2, (2, 5, 19))
    means, scatter = ladder.means(values), ladder.scatter(values)
    assert means.shape == scatter.shape == (2, 5, 7)
    for index in np.ndindex(2, 5):
        for size in range(7):
            own = [values[index][run] for run in range(19) if ladder.rung[run] == size]
            mean = sum(own) / len(own)
            assert means[*index, size] == pytest.approx(mean)
            assert scatter[*index, size] == pytest.approx(sum((value - mean) ** 2 for value in own), abs=1e-9)
    assert ladder.counts.tolist() == UNEQUAL and ladder.freedom == 19 - 7
    assert ladder.replicated.tolist() == [True, False, True, True, True, False, True]
    assert np.all(ladder.scatter(np.full(19, 0.1)) >= 0), "not below 0 by rounding"


def test_a_profile_takes_enough_replicated_sizes() -> None:
    assert not design(UNEQUAL).has_profile and design([2] * 6).has_profile and not design([2] * 5 + [1] * 9).has_profile


def test_trend_and_rest_are_a_least_squares_line() -> None:
    ladder = design(UNEQUAL)
    profiles = np.random.default_rng(1).normal(0, 1, (6, 7))
    slopes, rests = ladder.trend_and_rest(profiles)
    known = np.flatnonzero(ladder.replicated)
    for profile, slope, rest in zip(profiles, slopes, rests, strict=True):
        expected_slope, expected_level = np.polyfit(ladder.along[known], profile[known], 1)
        assert slope.item() == pytest.approx(expected_slope)
        line = expected_level + expected_slope * ladder.along[known]
        np.testing.assert_allclose(rest[known], profile[known] - line, atol=1e-12)
        assert not rest[~ladder.replicated].any()


@pytest.mark.parametrize("t", [np.arange(6.0), np.array([0.0, 0.7, 1.0, 2.5, 4.0, 4.5])])
def test_residual_sum_of_squares_is_that_of_the_best_of_all_rises(t: np.ndarray) -> None:
    """A level and a height of either sign are fitted to each rise in turn by least squares."""
    ladder = design([1] * 6, t)
    rises = []
    for width, gap in FITTED_RISES:
        margin = 0.0 if width <= 1 else width / 2
        rises += [logistic(t, place, width) for place in np.arange(t[0] - margin + gap / 2, t[-1] + margin, gap)]
    curves = np.random.default_rng(2).normal(0, 1, (3, 4, 6)) + np.linspace(0, 2, 6)
    curves[0, 0] = np.linspace(1, 0, 6)
    found = ladder.residual_sum_of_squares(curves)
    for index in np.ndindex(3, 4):
        y = curves[index]
        designs = [np.stack([np.ones(6), rise], axis=1) for rise in rises if np.ptp(rise) > 2e-3]
        left = [np.sum((y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]) ** 2) for columns in designs]
        assert found[index] == pytest.approx(min(left), rel=1e-6)
    np.testing.assert_allclose(ladder.residual_sum_of_squares(-curves), found)
    assert ladder.residual_sum_of_squares(np.array(rises[7])) == pytest.approx(0, abs=1e-12)


def test_runs_by_seed_where_two_seeds_or_more_are_whole() -> None:
    ladder = design([3] * 5)
    runs = ladder.runs_by_seed
    assert runs is not None and runs.shape == (3, 5)
    for seed in range(3):
        for size in range(5):
            assert ladder.seed[runs[seed, size]] == seed and ladder.rung[runs[seed, size]] == size
    assert design([1] * 5).runs_by_seed is None, "one seed"
    assert design([3, 3, 2, 3, 3]).runs_by_seed is None, "a run is missing"
    assert design([3] * 5, own_seeds=True).runs_by_seed is None, "no seed is at two sizes"


def test_equal_designs_have_equal_keys() -> None:
    assert design([2, 3]).key == design([2, 3]).key
    assert design([2, 3]).key != design([3, 2]).key != design([3, 2], own_seeds=True).key
    assert design([2, 3]).key != design([2, 3], np.array([0.0, 2.0])).key


@pytest.mark.parametrize("n_sizes", [5, 8])
def test_residual_of_means_is_that_of_the_best_rise_or_of_the_best_rise_with_a_jump(n_sizes: int) -> None:
    """By least squares of every pair in turn; on few sizes of every rise or fall."""
    ladder = design([1] * n_sizes)
    t = ladder.t
    if n_sizes < MIN_SIZES_FOR_PAIR:
        designs = [rise[None] for rise in ladder._fitted_rises]
    else:
        shapes = shapes_of(t)
        pairs = range(shapes.n_smooth_pairs, len(shapes.first))
        designs = [shapes.stacked[[shapes.first[pair], shapes.second[pair]]] for pair in pairs]
    means = np.random.default_rng(4).normal(0, 1, (6, n_sizes))
    for found, y in zip(ladder.residual_of_means(means), means, strict=True):
        best = np.inf
        for rows in designs:
            columns = np.vstack([np.ones(n_sizes), rows]).T
            best = min(best, float(np.sum((y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]) ** 2)))
        assert found == pytest.approx(best, rel=0.02, abs=1e-9)


def test_a_smooth_rise_with_a_jump_leaves_next_to_nothing() -> None:
    ladder = design([1] * 10)
    t = ladder.t
    curves = np.stack([0.4 * (t > 5.5) + 0.3 * logistic(t, 4.0, 4.0), -0.4 * (t > 5.5) + 0.3 * logistic(t, 4.0, 4.0)])
    left = ladder.residual_of_means(curves) / np.sum((curves - curves.mean(axis=1, keepdims=True)) ** 2, axis=1)
    assert (left < 0.005).all()


def test_runs_that_are_split_at_an_end_scatter_more_than_others() -> None:
    """Of 200 tables of equal noise .001 at either end are taken for split; three of eight runs that leap always."""
    ladder, rng = design([8] * 9), np.random.default_rng(5)
    noise = 0.03 * rng.standard_normal((200, 72))
    none = np.zeros(9)
    assert sum(ladder.ends_scatter_more(runs, none, 0.001) for runs in noise) <= 4
    for end in (0, 8):
        leapt = noise + 0.5 * ((ladder.rung == end) & (ladder.seed < 3))
        assert all(ladder.ends_scatter_more(runs, none, 0.001) for runs in leapt[:20])
        assert not any(ladder.ends_scatter_more(runs, np.full(9, 0.5**2), 0.001) for runs in leapt[:20])
    middle = noise + 0.5 * ((ladder.rung == 4) & (ladder.seed < 3))
    assert not any(ladder.ends_scatter_more(runs, none, 0.001) for runs in middle[:20])
    assert not design([1] * 9).ends_scatter_more(noise[0, :9], none, 0.001)
