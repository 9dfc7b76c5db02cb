"""Whether a loss leaves guessing: error rate and power on planted losses, and what no scatter must hide."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.fitting.guessing import ALPHA, judge_guessing
from harness.analysis.runs import Runs, gather_runs

CHANCE = float(np.log(2))
NOISE = 0.002


def planted(rng: np.random.Generator, below: np.ndarray, seeds: int = 3, noise: float | np.ndarray = NOISE) -> Runs:
    """Losses of some seeds at each size, `below` chance on average."""
    x = np.repeat(1000.0 * 2 ** np.arange(len(below)), seeds)
    scatter = np.repeat(np.broadcast_to(noise, len(below)), seeds) * rng.standard_normal(len(x))
    return gather_runs(x, CHANCE - np.repeat(below, seeds) + scatter)


def share_learnt(n: int, *arguments: object, **settings: object) -> float:
    rng = np.random.default_rng(0)
    found = [judge_guessing(planted(rng, *arguments, **settings), CHANCE) for _ in range(n)]  # type: ignore[arg-type]
    return float(np.mean([not each.nothing_learnt for each in found if each is not None]))


@pytest.mark.parametrize(("sizes", "seeds"), [(7, 3), (8, 5), (5, 2)])
def test_losses_at_chance_are_seldom_taken_for_learning(sizes: int, seeds: int) -> None:
    """2,000 studies, at most 1 % by the test and 1 % by the robust noise: .02 and four standard errors of .003."""
    assert share_learnt(2000, np.zeros(sizes), seeds=seeds) < 2 * ALPHA + 0.0125


def test_losses_above_chance_are_never_taken_for_learning() -> None:
    assert share_learnt(500, np.full(7, -2 * NOISE)) == 0


def test_noise_that_changes_along_the_ladder_costs_some_errors() -> None:
    """A fivefold change: .05 of studies of 7 x 3 (experiments/guessing); .1 of 1,000 is seven standard errors more."""
    assert share_learnt(1000, np.zeros(7), noise=NOISE * np.geomspace(1, 5, 7)) < 0.1


def test_a_slight_but_real_improvement_is_seen() -> None:
    """The largest size 4 standard deviations of a run below chance, 1 % of the loss: seen in .996 of studies of 7 x 3,
    so of 300 in .975 and more, five standard errors below; and all sizes on a ramp to 3 of them."""
    assert share_learnt(300, np.append(np.zeros(6), 4 * NOISE)) > 0.975
    assert share_learnt(300, np.linspace(0, 3 * NOISE, 7)) > 0.975


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_what_some_seeds_learn_is_seen_though_it_inflates_the_scatter(seeds: int) -> None:
    rng = np.random.default_rng(1)
    for share in ("largest", "most", "all"):
        for _ in range(100):
            runs = planted(rng, np.zeros(7), seeds)
            learnt = runs.value.copy().reshape(7, seeds)
            learnt[{"largest": slice(6, 7), "most": slice(2, 7), "all": slice(0, 7)}[share], 0] = 0.01
            found = judge_guessing(gather_runs(runs.sizes[runs.rung], learnt.ravel()), CHANCE)
            assert found is not None and not found.nothing_learnt, share


def test_one_run_that_blew_up_does_not_hide_what_the_others_learnt() -> None:
    runs = planted(np.random.default_rng(2), np.linspace(0.1, 0.6, 7))
    value = runs.value.copy()
    value[0] = 8.0
    found = judge_guessing(gather_runs(runs.sizes[runs.rung], value), CHANCE)
    assert found is not None and not found.nothing_learnt


def test_a_study_that_learns_is_seen_whatever_its_noise() -> None:
    assert share_learnt(200, np.geomspace(0.05, 0.6, 7), noise=0.02) == 1


def test_with_one_run_a_size_the_evaluation_is_the_noise_and_without_it_there_is_no_claim() -> None:
    rng = np.random.default_rng(3)
    at_chance = planted(rng, np.zeros(7), seeds=1)
    assert judge_guessing(at_chance, CHANCE) is None
    stderr = np.full(7, NOISE)
    found = judge_guessing(at_chance, CHANCE, stderr)
    assert found is not None and found.nothing_learnt
    falling = judge_guessing(planted(rng, np.linspace(0, 0.3, 7), seeds=1), CHANCE, stderr)
    assert falling is not None and not falling.nothing_learnt
    assert judge_guessing(at_chance, CHANCE, np.full(7, np.nan)) is None


def test_runs_that_guess_exactly_have_learnt_nothing() -> None:
    found = judge_guessing(planted(np.random.default_rng(4), np.zeros(5), noise=0.0), CHANCE)
    assert found is not None and found.nothing_learnt


def test_it_is_said_in_a_line() -> None:
    rng = np.random.default_rng(5)
    above = judge_guessing(planted(rng, np.full(5, -0.1)), CHANCE)
    assert above is not None and "0.6931" in above.message and "all above" in above.message
    assert "\n" not in above.message and "p = 1 for 5 sizes" in above.message
    alone = judge_guessing(planted(rng, np.full(1, -0.1)), CHANCE)
    assert alone is not None and "p = 1 for 1 size)" in alone.message


def test_runs_that_all_lie_below_have_learnt_however_much_they_scatter() -> None:
    """Ten of ten, .001 by their signs, where the t test of two seeds at five sizes gives no more than .03."""
    below = np.array([0.02, 0.4, 0.01, 0.44, 0.05, 0.4, 0.02, 0.3, 0.1, 0.44])
    runs = gather_runs(np.repeat(1000.0 * 2 ** np.arange(5), 2), CHANCE - below)
    found = judge_guessing(runs, CHANCE)
    assert found is not None and not found.nothing_learnt and found.p_value == pytest.approx(7 / 1024)
    one_above = judge_guessing(gather_runs(runs.sizes[runs.rung], CHANCE - np.append(-0.1, below[1:])), CHANCE)
    assert one_above is not None and one_above.nothing_learnt
    assert one_above.message.startswith("learning is not established") and "more seeds may show it" in one_above.message
