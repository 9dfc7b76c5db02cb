"""What is found of each curve: its preparation, what curves share, and its state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import Curve, label_runs, make_curves
from harness.analysis.emergence.evidence import MAX_SIZES, MIN_SIZES, UNLIKELY, Finding, examine
from harness.analysis.emergence.models import LOG_ODDS_OF_UP
from harness.analysis.emergence.significance import JumpTest
from harness.analysis.emergence.smooth_null import logistic
from harness.analysis.emergence.verdicts import State

SIZES = 100 * 2.0 ** np.arange(8)


def curves(*values: np.ndarray, sizes: np.ndarray = SIZES, **columns: object) -> list[Curve]:
    """A task for each table of values (K, S); seeds 0, 1, ... at each size."""
    parts = []
    for task, table in enumerate(values):
        rung, seed = (axis.ravel() for axis in np.indices(table.shape))
        about = {"task": str(task), "size": sizes[rung], "seed": seed, "metric": "accuracy", "value": table.ravel()}
        parts.append(pd.DataFrame(about | columns))
    return list(make_curves(label_runs(pd.concat(parts, ignore_index=True)), "size"))


def noisy(place: float, width: float, sd: float = 0.03, seeds: int = 3, seed: int = 0) -> np.ndarray:
    """(8, seeds) a rise from .1 to .9."""
    rng = np.random.default_rng(seed)
    return 0.1 + 0.8 * logistic(np.arange(8.0), place, width)[:, None] + sd * rng.standard_normal((8, seeds))


def found(all_curves: Sequence[Curve]) -> list[Finding]:
    findings = examine(all_curves)
    assert all(finding is not None for finding in findings)
    return [finding for finding in findings if finding is not None]


def test_findings_are_of_the_curves_in_their_order() -> None:
    tables = [noisy(3.5, 0.5), noisy(2.0, 5.0, seed=1), noisy(5.0, 1.0, seed=2)]
    findings = found(curves(*tables))
    for task, (finding, table) in enumerate(zip(findings, tables, strict=True)):
        assert finding.curve.task == str(task)
        np.testing.assert_allclose(finding.design.means(finding.values), table.mean(axis=1))
        assert finding.step == pytest.approx(np.log(2)) and finding.resolution == pytest.approx(1)
        assert finding.design is findings[0].design, "one ladder, one design"


def test_few_sizes_and_equal_values_are_not_examined() -> None:
    few = curves(noisy(1.5, 0.5)[: MIN_SIZES - 1], sizes=SIZES[: MIN_SIZES - 1])
    assert examine(few) == [None]
    flat, rise = np.full((8, 3), 0.4), noisy(3.5, 0.5)
    assert [finding is None for finding in examine(curves(flat, rise, flat))] == [True, False, True]
    assert examine([]) == []


def test_curves_of_one_metric_share_noise_and_others_do_not() -> None:
    tables = [noisy(3.5, 0.5, sd, seed=i) for i, sd in enumerate((0.02, 0.02, 0.02, 0.08))]
    together = found(curves(*tables))
    apart = [finding for i, table in enumerate(tables) for finding in found(curves(table, study=str(i)))]
    assert all(finding.noise.pooled > 0 for finding in together)
    assert all(finding.noise.pooled == 0 for finding in apart)
    assert together[3].noise.spread < apart[3].noise.spread and together[0].noise.spread > apart[0].noise.spread
    studies = curves(*tables, study="a") + curves(*tables[:2], study="b")
    assert [finding.noise.pooled > 0 for finding in found(studies)] == [True] * 4 + [False] * 2


def test_a_change_is_the_rise_of_a_line_and_0_where_the_slope_is_within_the_noise() -> None:
    noise = 0.01 * np.random.default_rng(0).standard_normal((8, 3))
    line, level = np.linspace(0.33, 0.38, 8)[:, None] + noise, 0.35 + noise
    rising, still = found(curves(line, level))
    assert rising.change(0.05) == pytest.approx(0.05, abs=0.01)
    assert still.change(0.05) == 0.0 and still.change(0.9999) != 0.0


def test_losses_are_turned_over() -> None:
    table = noisy(3.5, 1.0)
    up, down = found(curves(table)), found(curves(1 - table, higher_is_better=False))
    np.testing.assert_allclose(down[0].values, up[0].values - 1)
    assert up[0].test.up and down[0].test.up
    assert down[0].test.statistic == pytest.approx(up[0].test.statistic)
    assert np.log(down[0].test.p_value) == pytest.approx(np.log(up[0].test.p_value))


def test_close_sizes_are_merged_and_n_star_stays_where_it_is() -> None:
    """Of three sizes merged, the middle one is where their mean lies: N* was a third of a merged step too low."""
    sizes = np.geomspace(100, 1e6, 3 * MAX_SIZES)
    place = np.log(sizes / 100) / np.log(1e4) * 8
    table = logistic(place, 4.0, 0.5)[:, None] + 0.01 * np.random.default_rng(3).standard_normal((len(sizes), 1))
    (finding,) = found(curves(table, sizes=sizes))
    assert len(finding.design.t) == MAX_SIZES and finding.design.counts.tolist() == [3] * MAX_SIZES
    np.testing.assert_allclose(finding.design.means(finding.values), table[:, 0].reshape(-1, 3).mean(axis=1))
    np.testing.assert_allclose(finding.x_at(finding.design.t), sizes[1::3])
    step, place = sizes[4] / sizes[1], finding.x_at(finding.mean_curve.drawn().crossing(0.5, np.array([0.5])))
    low, high = finding.x_at(np.array(finding.compared.gap(0)))
    # The rise takes two merged steps.
    assert finding.compared.jumps_up[0] and low < 1e4 < high < low * step**2
    assert 1e4 / step**0.5 < place.item() < 1e4 * step**0.5


def test_places_off_the_ladder_are_open() -> None:
    ends = np.array([0.025, 0.975])
    (late,) = found(curves(noisy(8.5, 4.0, 0.01)))
    low, high = late.x_at(late.mean_curve.drawn().crossing(0.5, ends))
    assert high == np.inf and low > SIZES[5]
    (early,) = found(curves(noisy(-1.5, 4.0, 0.01)))
    assert early.x_at(early.mean_curve.drawn().crossing(0.5, ends))[0] == 0.0
    assert late.x_at(2.0) == pytest.approx(400)


def test_the_share_of_able_runs_is_counted_at_the_largest_size() -> None:
    table = np.full((8, 4), 0.1)
    table[4:, :3] = 0.9
    table[5, 3] = 0.9
    (finding,) = found(curves(table + 0.001 * np.arange(4)))
    assert finding.share_able == 0.75


# ------------------------------------------------------------------------------------------------------------- states


def judged(finding: Finding, p_value: float, statistic: float, up: bool = True, edge: float = -3.0) -> Finding:
    """The finding as if that had come out."""
    changed = replace(finding)
    changed.__dict__["test"] = JumpTest(p_value, statistic, up, edge, by_seed=False)
    return changed


JUMP, LEVEL = noisy(3.5, 0.5), 0.4 + 0.03 * np.random.default_rng(6).standard_normal((8, 3))


@pytest.mark.parametrize(
    ("p_adjusted", "p_value", "statistic", "edge", "of_rise", "of_fall"),
    [
        (0.049, 0.04, 0.01, -3.0, State.JUMP, State.DROP),
        # The statistic of a fall has the prior odds against a drop in it; the Bayes factor of a drop is above 0 here.
        (0.01, 0.01, -0.01, -3.0, State.UNDETERMINED, State.DROP),
        (0.01, 0.01, 0.01 - LOG_ODDS_OF_UP, -3.0, State.UNDETERMINED, State.DROP),
        (0.01, 0.01, -0.01 - LOG_ODDS_OF_UP, -3.0, State.UNDETERMINED, State.UNDETERMINED),
        (0.05, 0.04, 5.0, -3.0, State.UNDETERMINED, State.UNDETERMINED),
        (0.9, 0.9, UNLIKELY + 0.01, -3.0, State.UNDETERMINED, State.UNDETERMINED),
        # Not flagged after adjustment for other tests, but by itself: no smooth curve either.
        (0.06, 0.04, UNLIKELY - 0.01, -3.0, State.UNDETERMINED, State.UNDETERMINED),
        (0.9, 0.9, UNLIKELY - 0.01, -UNLIKELY + 0.01, State.UNDETERMINED, State.UNDETERMINED),
        (0.9, 0.9, UNLIKELY - 0.01, -UNLIKELY - 0.01, State.SMOOTH, State.SMOOTH),
        (0.05, 0.05, UNLIKELY - 0.01, -3.0, State.SMOOTH, State.SMOOTH),
    ],
)
def test_states_follow_from_p_value_statistic_and_edges(
    p_adjusted: float, p_value: float, statistic: float, edge: float, of_rise: State, of_fall: State
) -> None:
    rising, falling = (found(curves(table))[0] for table in (JUMP, 1 - JUMP))
    assert judged(rising, p_value, statistic, edge=edge).state(p_adjusted, 0.05) is of_rise
    assert judged(falling, p_value, statistic, up=False, edge=edge).state(p_adjusted, 0.05) is of_fall


def test_a_level_that_no_jump_explains_is_flat_and_a_rise_is_not() -> None:
    level, rise = found(curves(LEVEL) + curves(noisy(3.5, 6.0), study="other"))
    assert level.flat and not rise.flat
    assert judged(level, 0.9, UNLIKELY - 0.01).state(0.9, 0.05) is State.FLAT
    assert judged(rise, 0.9, UNLIKELY - 0.01).state(0.9, 0.05) is State.SMOOTH
    # Where the means do not change a jump must be likelier than none to leave it open; where they do, not much less.
    assert judged(level, 0.9, UNLIKELY + 0.01).state(0.9, 0.05) is State.FLAT
    assert judged(level, 0.9, 0.01).state(0.9, 0.05) is State.UNDETERMINED
    assert judged(rise, 0.9, UNLIKELY + 0.01).state(0.9, 0.05) is State.UNDETERMINED


def test_runs_that_leap_at_the_last_size_leave_it_open() -> None:
    """Three of eight runs at the last size: their scatter makes the mean's change no more than its noise."""
    values = 0.5 + 0.03 * np.random.default_rng(8).standard_normal((8, 8))
    (even,) = found(curves(values))
    values[-1, :3] = 1.0
    (split,) = found(curves(values))
    assert split.may_jump_at_an_end and split.state(split.test.p_value, 0.05) is State.UNDETERMINED
    assert not even.may_jump_at_an_end


def test_a_last_value_far_above_the_others_may_be_a_jump_at_an_end() -> None:
    (last,) = found(curves(0.3 + 0.4 * (np.arange(8.0) > 6.5)[:, None] + 0.01 * noisy(3.5, 0.5)))
    assert last.may_jump_at_an_end and last.state(last.test.p_value, 0.05) is State.UNDETERMINED
    (inside,) = found(curves(noisy(3.5, 6.0, 0.01)))
    assert not inside.may_jump_at_an_end


@pytest.mark.parametrize("place", [2.5, 3.5, 4.5])
def test_a_steep_rise_that_the_ladder_resolves_is_no_jump(place: float) -> None:
    """Half-way between two sizes a rise of two steps is at 17 % at the one and at 83 % at the other."""
    steep, jump = found(curves(noisy(place, 2.0, 0.002)) + curves(noisy(place, 0.5, 0.002), study="other"))
    assert steep.test.p_value < 0.01 and steep.state(steep.test.p_value, 0.05) is State.STEEP
    assert jump.test.p_value < 0.01 and jump.state(jump.test.p_value, 0.05) is State.JUMP


def test_the_wider_a_rise_the_less_it_is_a_jump() -> None:
    tables = [noisy(3.5, width, 0.002) for width in (0.5, 1.0, 2.0, 3.0, 4.0)]
    statistics = [found(curves(table))[0].test.statistic for table in tables]
    assert np.all(np.diff(statistics) < 0)
    assert statistics[1] > 10 and statistics[3] < UNLIKELY


def test_powers_of_smooth_laws_are_smooth_unless_they_do_not_count() -> None:
    noise = 0.01 * np.random.default_rng(7).standard_normal((8, 3))
    table = 0.02 + 0.9 * logistic(np.arange(8.0), 1.0, 4.0)[:, None] ** 30 + noise
    (finding,) = found(curves(table))
    assert finding.test.p_value > 0.2 and finding.test.statistic < 0
    assert finding.test_without_powers.p_value < 0.05 and finding.test_without_powers.statistic > 0


def test_conditioning_on_a_jump_leaves_none_without_one_and_the_other_way_round() -> None:
    (finding,) = found(curves(noisy(3.5, 0.5)))
    with_jump, without = finding.mean_curve_with(jump=True).drawn(), finding.mean_curve_with(jump=False).drawn()
    assert not np.isnan(with_jump.place).any() and (with_jump.jump_height > 0).all()
    assert np.isnan(without.place).all() and not without.jump_height.any()


def test_seeds_that_rise_apart_are_resolved_by_their_own_rises() -> None:
    """The mean of seeds that jump at sizes of their own is wide; the seeds' jumps are not."""
    rng, places = np.random.default_rng(4), np.linspace(0.7, 6.3, 8)
    jumps = logistic(np.arange(8.0)[:, None], places, 0.5) + 0.01 * rng.standard_normal((8, 8))
    steep = logistic(np.arange(8.0)[:, None], places, 2.5) + 0.01 * rng.standard_normal((8, 8))
    for table, state in ((jumps, State.JUMP), (steep, State.STEEP)):
        (finding,) = found(curves(table))
        assert finding.test.by_seed
        if state is State.JUMP:
            assert finding.test.statistic > 0 and finding.test.p_value < 0.001
        assert judged_by_seed(finding).state(0.001, 0.05) is state


def judged_by_seed(finding: Finding) -> Finding:
    """The finding as if its seeds' statistics had come out large."""
    changed = replace(finding)
    changed.__dict__["test"] = JumpTest(0.001, 5.0, up=True, edge=-3.0, by_seed=True)
    return changed


def test_sizes_that_differ_by_seed_alone_are_one_size() -> None:
    table = noisy(3.5, 0.1)
    (even,) = found(curves(table))
    rung, seed = (axis.ravel() for axis in np.indices(table.shape))
    about = {"size": SIZES[rung] * (1 + 1e-4 * seed), "seed": seed, "metric": "accuracy", "value": table.ravel()}
    (jittered,) = found(list(make_curves(label_runs(pd.DataFrame(about)), "size")))
    assert len(jittered.design.t) == 8 and jittered.design.counts.tolist() == [3] * 8
    assert jittered.test.statistic == pytest.approx(even.test.statistic, rel=0.01)
    few = pd.DataFrame(about)[rung < 3]
    assert examine(list(make_curves(label_runs(few), "size"))) == [None]
