"""What is found of each curve: its preparation, what curves share, and its state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import Curve, label_runs, make_curves
from harness.analysis.emergence.evidence import MAX_SIZES, MIN_SIZES, RESOLVED, UNLIKELY, Finding, examine
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
        assert finding.curve.task == str(task) and finding.index == task
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


def test_losses_are_turned_over() -> None:
    table = noisy(3.5, 1.0)
    up, down = found(curves(table)), found(curves(-table, higher_is_better=False))
    np.testing.assert_allclose(down[0].values, up[0].values)
    assert down[0].log_bayes_factor == pytest.approx(up[0].log_bayes_factor)


def test_close_sizes_are_merged_and_n_star_stays_where_it_is() -> None:
    """Of three sizes merged, the middle one is where their mean lies: N* was a third of a merged step too low."""
    sizes = np.geomspace(100, 1e6, 3 * MAX_SIZES)
    place = np.log(sizes / 100) / np.log(1e4) * 8
    table = logistic(place, 4.0, 0.5)[:, None] + 0.01 * np.random.default_rng(3).standard_normal((len(sizes), 1))
    (finding,) = found(curves(table, sizes=sizes))
    assert len(finding.design.t) == MAX_SIZES and finding.design.counts.tolist() == [3] * MAX_SIZES
    np.testing.assert_allclose(finding.design.means(finding.values), table[:, 0].reshape(-1, 3).mean(axis=1))
    np.testing.assert_allclose(finding.x_at(finding.design.t), sizes[1::3])
    low, middle, high = finding.place(0.5, (0.025, 0.5, 0.975))
    assert low < 1e4 < high and middle == pytest.approx(1e4, rel=0.02)


def test_places_off_the_ladder_are_open() -> None:
    (late,) = found(curves(noisy(8.5, 4.0, 0.01)))
    low, _, high = late.place(0.5, (0.025, 0.5, 0.975))
    assert high == np.inf and low > SIZES[5]
    (early,) = found(curves(noisy(-1.5, 4.0, 0.01)))
    assert early.place(0.5, (0.025,)).item() == 0.0
    assert late.x_at(2.0) == pytest.approx(400)


def test_the_share_of_able_runs_is_counted_at_the_largest_size() -> None:
    table = np.full((8, 4), 0.1)
    table[4:, :3] = 0.9
    table[5, 3] = 0.9
    (finding,) = found(curves(table + 0.001 * np.arange(4)))
    assert finding.share_able == 0.75


# ------------------------------------------------------------------------------------------------------------- states


def judged(finding: Finding, log_bayes_factor: float, p_sharp: float, flat: bool) -> Finding:
    """The finding as if that had come out."""
    grid = finding.posterior.grid
    sharp = grid.width <= 1.0
    weight = np.where(sharp, p_sharp / sharp.sum(), (1 - p_sharp) / (~sharp).sum())[None]
    own = replace(finding.posterior, log_bayes_factor=np.array([log_bayes_factor]), weight=weight)
    changed = replace(finding, posterior=own, index=0)
    changed.__dict__["test"] = JumpTest(0.5, False, flat)
    return changed


@pytest.mark.parametrize(
    ("p_adjusted", "log_odds", "p_sharp", "flat", "state"),
    [
        (0.01, 5.0, 0.9, False, State.JUMP),
        (0.01, -5.0, RESOLVED + 0.01, False, State.JUMP),
        (0.01, 5.0, RESOLVED - 0.01, False, State.STEEP),
        (0.049, -5.0, 0.9, True, State.JUMP),
        (0.05, 5.0, 0.9, False, State.UNDETERMINED),
        (0.9, UNLIKELY + 0.01, 0.9, True, State.UNDETERMINED),
        (0.9, UNLIKELY - 0.01, 0.9, False, State.SMOOTH),
        (0.9, UNLIKELY - 0.01, 0.9, True, State.FLAT),
    ],
)
def test_states_follow_from_p_value_odds_and_width(
    p_adjusted: float, log_odds: float, p_sharp: float, flat: bool, state: State
) -> None:
    (finding,) = found(curves(noisy(3.5, 0.5)))
    log_bayes_factor = log_odds + np.log(1.3)
    assert judged(finding, log_bayes_factor, p_sharp, flat).state(p_adjusted, 0.05) is state


def test_unlikely_is_what_it_is_said_to_be() -> None:
    """From prior weights of 1 for a jump, 1 for a smooth law and .3 for a level a jump is less than 27 % likely."""
    (finding,) = found(curves(noisy(3.5, 0.5)))
    at_limit = judged(finding, UNLIKELY + np.log(1.3), 0.9, False)
    assert at_limit.log_odds == pytest.approx(UNLIKELY)
    factor = np.exp(at_limit.log_bayes_factor)
    # Smooth laws and level together have the likelihood 1, a jump `factor`.
    assert factor / (factor + 1 + 0.3) == pytest.approx(0.269, abs=1e-3)


def test_seeds_that_rise_apart_are_resolved_by_their_own_rises() -> None:
    """The mean of seeds that jump at sizes of their own is wide; the seeds' jumps are not."""
    rng, places = np.random.default_rng(4), np.linspace(0.7, 6.3, 8)
    jumps = logistic(np.arange(8.0)[:, None], places, 0.5) + 0.01 * rng.standard_normal((8, 8))
    steep = logistic(np.arange(8.0)[:, None], places, 2.5) + 0.01 * rng.standard_normal((8, 8))
    for table, state in ((jumps, State.JUMP), (steep, State.STEEP)):
        (finding,) = found(curves(table))
        assert finding.test.by_seed and finding.p_sharp < RESOLVED
        assert finding.state(0.001, 0.05) is state
