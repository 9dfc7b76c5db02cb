"""What is proposed to be run next, on planted rises."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from harness import thresholds
from harness.analysis.emergence.refinement import Candidate, is_wide, propose
from harness.errors import DataError, SettingError

#: What holds, holds whatever the draws.
pytestmark = pytest.mark.usefixtures("few_draws")

LADDER = (8, 16, 32, 64, 128, 256)
Runs = Callable[[float, np.ndarray], np.ndarray]


def leap(at: float) -> Runs:
    """All runs leap at one size, with a little noise."""
    return lambda size, seed: np.where(size >= at, 1.0, 0.5) + 0.003 * np.sin(7 * seed + size)


def seeds_apart(at: float, octaves: float) -> Runs:
    """Each run leaps at a size of its own, normal about `at` in log size; the same seed may leap back at the next."""

    def runs(size: float, seed: np.ndarray) -> np.ndarray:
        own = [np.random.default_rng([int(size), int(one)]).standard_normal() for one in seed]
        return np.where(np.log2(size / at) > octaves * np.array(own), 1.0, 0.5)

    return runs


def rows(runs: Runs, counts: dict[int, int], subtask: str = "one") -> pd.DataFrame:
    """Results of that many seeds at each size."""
    parts = []
    for size, seeds in counts.items():
        seed = np.arange(seeds)
        columns = {"study": "s", "task": "t", "subtask": subtask, "metric": "accuracy", "size": size, "seed": seed}
        parts.append(pd.DataFrame(columns | {"value": runs(size, seed)}))
    return pd.concat(parts, ignore_index=True)


def ladder(runs: Runs, seeds: int, subtask: str = "one") -> pd.DataFrame:
    return rows(runs, dict.fromkeys(LADDER, seeds), subtask)


def at(sizes: Sequence[int], seeds: int, power: float = 0.0) -> list[Candidate]:
    """Candidates whose runs cost size ** power."""
    return [Candidate(float(size), float(size) ** power, seeds) for size in sizes]


def found(frame: pd.DataFrame) -> pd.DataFrame:
    return thresholds(frame, "size")


def test_bisects_the_gap_of_a_leap() -> None:
    frame, sizes = ladder(leap(90), 3), range(33, 256)
    (chosen, *_) = propose(frame, "size", found(frame), at(sizes, 3), ratio=1.1)
    assert sizes[chosen.index] == pytest.approx(np.sqrt(64 * 128), rel=0.15)
    # A leap is on one side or the other: half of the interval, which is a little less than the gap of an octave.
    assert 0.4 * np.log(2) < chosen.narrowing < 0.7 * np.log(2)


def test_a_dear_half_is_cut_into_from_the_cheap_side() -> None:
    frame, sizes = ladder(leap(90), 3), range(65, 128)
    (same,), (dear,) = (propose(frame, "size", found(frame), at(sizes, 3, power), 1.1)[:1] for power in (0, 4))
    assert sizes[dear.index] < sizes[same.index]


def test_proposals_lie_inside_the_interval() -> None:
    frame = ladder(seeds_apart(60, 0.7), 6)
    (interval,) = found(frame).to_dict("records")
    sizes = range(4, 500)
    # Sizes far off are almost free, and still are not what is missing.
    batch = propose(frame, "size", found(frame), at(sizes, 6, 3), ratio=1.1)
    assert batch
    for proposal in batch:
        assert interval["threshold_low"] < sizes[proposal.index] < interval["threshold_high"]


def test_where_seeds_disagree_more_seeds_are_asked_for() -> None:
    frame = ladder(seeds_apart(60, 1.2), 6)
    (chosen, *_) = propose(frame, "size", found(frame), at(LADDER, 6), ratio=1.1)
    size = LADDER[chosen.index]
    assert size in (32, 64, 128)
    few, many = (propose(frame, "size", found(frame), at([size], n), 1.1)[0].narrowing for n in (2, 20))
    assert 0 < few < many
    leaping = ladder(leap(90), 6)
    assert propose(leaping, "size", found(leaping), at(LADDER, 6), ratio=1.1) == []


def test_each_curve_gets_a_size_of_its_own() -> None:
    frame = pd.concat([ladder(leap(23), 3, "early"), ladder(leap(180), 3, "late")])
    sizes = [size for size in range(9, 256) if size not in LADDER]
    batch = propose(frame, "size", found(frame), at(sizes, 3, 1), ratio=1.1)
    assert len(batch) == 2
    first, second = sorted(sizes[proposal.index] for proposal in batch)
    assert 16 < first < 32 < 128 < second < 256


def test_nothing_is_proposed_where_nothing_would_help() -> None:
    frame, between = ladder(leap(90), 3), at(range(65, 128), 3)
    intervals = found(frame)
    assert propose(frame, "size", intervals, between, ratio=2.5) == [], "narrow enough"
    assert propose(frame, "size", intervals.assign(threshold=np.nan), between, ratio=1.1) == [], "no N*"
    assert propose(frame, "size", intervals, [], ratio=1.1) == [], "no size left"
    assert propose(frame, "size", intervals, at(LADDER, 3), ratio=1.1) == [], "no size in the gap"
    assert propose(frame, "size", intervals, between, ratio=1.1, budget=2.9) == [], "a batch costs 3"
    assert propose(frame, "size", intervals, between, ratio=1.1, budget=3.1) != []


def test_an_open_interval_is_wide_and_none_is_not() -> None:
    intervals = pd.DataFrame(
        {
            "threshold": [10.0, 10, 10, np.nan],
            "threshold_low": [9.0, 0, 9, np.nan],
            "threshold_high": [11.0, 11, np.inf, np.nan],
        }
    )
    assert is_wide(intervals, 1.5).tolist() == [False, True, True, False]


def test_refining_places_n_star_for_a_fraction_of_a_finer_ladder() -> None:
    truth, target, seeds = 90, 1.15, 3
    runs, counts = leap(truth), dict.fromkeys(LADDER, seeds)
    for _ in range(8):
        frame = rows(runs, counts)
        sizes = [size for size in range(9, 256) if size not in counts]
        batch = propose(frame, "size", found(frame), at(sizes, seeds, 1), target)
        if not batch:
            break
        counts |= {sizes[proposal.index]: seeds for proposal in batch}
    (row,) = found(rows(runs, counts)).to_dict("records")
    assert row["threshold_low"] < truth < row["threshold_high"] < target * row["threshold_low"]
    # A ladder of that spacing everywhere would cost this much in the same unit.
    finer = seeds * np.geomspace(8, 256, 1 + int(np.ceil(np.log(256 / 8) / np.log(target)))).sum()
    assert sum(size * n for size, n in counts.items()) < 0.5 * finer


def test_what_cannot_be_used_is_named() -> None:
    frame = ladder(leap(90), 3)
    intervals = found(frame)
    with pytest.raises(SettingError, match="ratio=1"):
        propose(frame, "size", intervals, at([90], 3), ratio=1)
    with pytest.raises(SettingError, match="candidates"):
        propose(frame, "size", intervals, at([90], 0), ratio=1.1)
    with pytest.raises(DataError, match="value"):
        propose(frame.drop(columns="value"), "size", intervals, at([90], 3), ratio=1.1)
