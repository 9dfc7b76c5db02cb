"""The formulas of the kinds, on curves without noise."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets import JUMP_KINDS, SMOOTH_KINDS, draw_curves
from harness.datasets.kinds import CHANCES, LOGIT_SPAN, N_EVALS, SMOOTH_WIDTH, CurveSampler, rise

KINDS = [*SMOOTH_KINDS, *JUMP_KINDS]
CHANGE_RUNS = ("seeds rise apart", "runs rise apart", "own places", "bimodal runs", "bimodal seeds")


def sampler(n_curves: int = 200, n_sizes: int = 8, n_seeds: int = 3) -> CurveSampler:
    return CurveSampler(np.random.default_rng(0), n_curves, n_sizes, n_seeds)


def expected(kind: str) -> np.ndarray:
    return draw_curves(kind, 200, 8, 3, 0.0, 0).expected


def test_a_rise_takes_its_width_from_10_to_90_percent() -> None:
    for width in (0.5, SMOOTH_WIDTH, 12.0):
        low, middle, high = rise(np.array([-width / 2, 0, width / 2]), np.array(width))
        assert (low, middle, high) == pytest.approx((0.1, 0.5, 0.9))
    assert pytest.approx(np.log(0.9 / 0.1) - np.log(0.1 / 0.9)) == LOGIT_SPAN


@pytest.mark.parametrize("kind", KINDS)
def test_expected_scores_are_shares_and_only_some_kinds_change_runs(kind: str) -> None:
    found = expected(kind)
    assert found.shape == (200, 8, 3) and found.min() >= 0 and found.max() <= 1
    same = (found == found[:, :, :1]).all()
    assert same == (kind not in CHANGE_RUNS)


@pytest.mark.parametrize("kind", ["logistic", "power-law error", "exact match", "double logistic", "broken power law"])
def test_smooth_rises_take_four_steps_and_no_step_takes_more_than_they_can(kind: str) -> None:
    """A logistic that takes 4 steps rises by at most tanh(ln 9 / 8) = .27 of its height in one.

    The error of a power law falls fastest at the first step, by 1 - exp(-ln 9 / 4) = .42, and that of a broken one no
    faster. The power L of a logistic has a slope of at most (2 ln 9 / 4) (L / (L + 1))^(L + 1) <= .41.
    """
    curves = draw_curves(kind, 400, 8, 3, 0.0, 0)
    steps = np.diff(curves.expected[:, :, 0]) / curves.height[:, None]
    assert steps.min() >= 0
    limit = np.tanh(np.log(9) / 8) if kind in ("logistic", "double logistic") else 1 - np.exp(-np.log(9) / 4)
    assert steps.max() <= limit + 1e-12


@pytest.mark.parametrize("kind", ["flat at chance", "flat at ceiling", "below chance"])
def test_flat_kinds_are_flat_where_they_say(kind: str) -> None:
    curves = draw_curves(kind, 200, 8, 3, 0.0, 0)
    level = curves.expected[:, 0, 0]
    assert (curves.expected == level[:, None, None]).all()
    if kind == "flat at chance":
        assert (level == curves.chance).all()
    elif kind == "flat at ceiling":
        assert level.min() >= 0.85 and 0.3 < (level == 1).mean() < 0.7
    else:
        known = curves.chance > 0
        assert (level[known] < curves.chance[known]).all()


def test_a_u_shape_falls_before_it_rises_and_a_hump_after() -> None:
    u, hump = (draw_curves(kind, 200, 8, 3, 0.0, 0).expected[:, :, 0] for kind in ("u-shape", "hump"))
    assert ((u[:, 0] > u.min(axis=1)) & (u[:, -1] > u.min(axis=1))).mean() > 0.9
    # The top of a hump may lie at the last size.
    assert (hump[:, 0] < hump.max(axis=1)).mean() > 0.9 and (hump[:, -1] < hump.max(axis=1)).mean() > 0.7


def test_a_gompertz_is_straight_after_its_transform() -> None:
    """-ln(-ln g), or its mirror image -ln(-ln(1 - g)), is linear in t; a logistic rise is neither."""
    curves = draw_curves("gompertz", 200, 8, 3, 0.0, 0)
    share = np.clip((curves.expected[:, :, 0] - curves.chance[:, None]) / curves.height[:, None], 1e-12, 1 - 1e-12)
    known = ((share > 1e-6) & (share < 1 - 1e-6)).all(axis=1)
    foot, head = (np.abs(np.diff(-np.log(-np.log(g[known])), n=2)).max(axis=1) for g in (share, 1 - share))
    assert known.sum() > 50 and (np.minimum(foot, head) < 1e-4).all()
    assert (foot < 1e-4).any() and (head < 1e-4).any()


@pytest.mark.parametrize("kind", ["jump", "own places", "bimodal seeds"])
def test_jumps_happen_within_a_step_between_the_second_size_and_the_last_but_one(kind: str) -> None:
    curves = draw_curves(kind, 400, 8, 3, 0.0, 0)
    share = (curves.expected - curves.chance[:, None, None]) / curves.height[:, None, None]
    able = share[:, -1] > 0.5  # (n, S)
    assert able.any(axis=1).all()
    # A rise of one step has left 1 / 9^2 of its height two half-steps past its midpoint, and less elsewhere.
    assert share[:, 0].max() < 0.013
    last = share[:, -1][able]
    assert last.min() > 1 - 0.013
    between = ((share > 0.013) & (share < 1 - 0.013)).sum(axis=1)
    assert between.max() <= 2, "sizes on the way up"
    assert (curves.midpoint >= 1).all() and (curves.midpoint <= 6).all()


def test_some_runs_have_the_ability_and_some_not() -> None:
    runs = draw_curves("bimodal runs", 400, 8, 3, 0.0, 0)
    above = runs.expected[:, -1] > runs.chance[:, None] + runs.height[:, None] / 2
    assert 0.5 < above.mean() < 0.7, "shares are uniform from .35 to .85"
    seeds = draw_curves("bimodal seeds", 400, 8, 3, 0.0, 0)
    able = seeds.expected[:, -1] > seeds.chance[:, None] + seeds.height[:, None] / 2
    assert able[:, 0].all() and 0.5 < able[:, 1:].mean() < 0.7


def test_a_break_changes_the_slope_of_the_error_at_its_midpoint() -> None:
    curves = draw_curves("break", 200, 12, 3, 0.0, 0)
    share = (curves.expected[:, :, 0] - curves.chance[:, None]) / curves.height[:, None]
    slope = -np.diff(np.log(1 - share))
    before = np.arange(11)[None] + 1 < curves.midpoint[:, None] - 0.5
    after = np.arange(11)[None] > curves.midpoint[:, None] + 0.5
    assert slope[before].max() < 0.06 and slope[after].min() > 0.24


@pytest.mark.parametrize("kind", KINDS)
def test_deviations_have_unit_variance(kind: str) -> None:
    """105,000 draws: the standard error of a variance is .005 for normal ones; of t with 3 degrees it is not finite."""
    chosen = (SMOOTH_KINDS | JUMP_KINDS)[kind]
    drawn = chosen.deviation(sampler(5000, 7, 3))
    assert drawn.shape == (5000, 7, 3)
    if kind == "heavy-tailed seeds":
        # Quartiles of t(3) lie at .765, those of a standard normal at .674; over sqrt(3) .442.
        assert np.median(np.abs(drawn)) == pytest.approx(0.442, rel=0.03)
    elif kind == "size-dependent spread":
        assert drawn.std(axis=(0, 2))[3] == pytest.approx(1, rel=0.05)
        along = np.sort(drawn.reshape(5000, 7, 3).std(axis=2).mean(axis=0))
        assert along[-1] > along[0]
        ratio = np.abs(np.log(drawn[:, -1].std(axis=1) / drawn[:, 0].std(axis=1)))
        assert np.median(ratio) == pytest.approx(np.log(4), rel=0.1)
    else:
        assert drawn.std() == pytest.approx(1, rel=0.02)


def test_what_a_caller_does_not_choose_differs_from_curve_to_curve() -> None:
    drawn = sampler(2000)
    assert set(drawn.chance) == set(CHANCES) and set(drawn.n_eval) == set(N_EVALS)
    assert (drawn.height >= 0.1).all() and (drawn.chance + drawn.height <= 1).all()
