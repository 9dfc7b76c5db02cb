"""The sizes that refinement chooses among."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import TINY

from harness.config import compose
from harness.errors import SettingError
from harness.ladder import build_ladder, rung_of_size
from harness.records.writer import write_run
from harness.settings import Settings
from harness.sweeping.plan import cells
from harness.sweeping.runs_row import run_row
from harness.sweeping.sites import (
    Site,
    added_flops,
    flops_left,
    ladder_flops,
    missing_seeds,
    recorded_sites,
    seed_flops,
    seed_jobs,
    sites_between,
    size_of,
)


def record(study: Settings, width: int, seed: int, status: str = "finished", index: int = 0) -> None:
    """Record all durations and learning rates of a seed at a size."""
    rung = rung_of_size(study, width, 1, index)
    assert rung is not None
    for job in seed_jobs(study, rung, [seed]):
        for member in job.members:
            write_run(Path(study.results), run_row(job, member, status), [])


def test_a_seed_counts_once_all_its_runs_are_done(study: Settings) -> None:
    for seed in (0, 1):
        record(study, 8, seed, index=1)
    record(study, 6, 4, status="diverged", index=2)
    record(study, 4, 0, status="failed")
    half, _ = cells(study)[:2]
    write_run(Path(study.results), run_row(half, half.members[1], "finished"), [])
    sites = recorded_sites(study)
    assert [(site.rung.shape.width, site.rung.index, site.seeds) for site in sites] == [(6, 2, (4,)), (8, 1, (0, 1))]
    assert [len(site.run_ids) for site in sites] == [4, 8], "two durations with two learning rates a seed"
    assert recorded_sites(study)[1].rung == build_ladder(study)[1]


def test_sizes_of_other_settings_are_none_of_ours(study: Settings) -> None:
    (other,) = compose(*TINY, "ladder.steps=[5,10]", "seeds=3", "optimizer.lr=[0.1,0.2]", "task.n_bits=9")
    record(other, 8, 0)
    assert recorded_sites(study) == []
    assert len(recorded_sites(other)) == 1


def test_new_sizes_lie_between_and_keep_their_distance(study: Settings) -> None:
    study.refine.ratio = 1.5
    own = [Site(rung) for rung in build_ladder(study)]
    new = sites_between(study, own)
    assert [site.rung.shape.width for site in new] == [5, 6, 7]
    low, high = (size_of(study, site.rung) for site in own)
    assert all(1.5**0.25 * low <= size_of(study, site.rung) <= high / 1.5**0.25 for site in new)
    # The wider an interval may be, the fewer sizes are worth a look.
    study.refine.ratio = 2.5
    assert [site.rung.shape.width for site in sites_between(study, own)] == [6]
    assert sites_between(study, own[:1]) == []


def test_seeds_that_are_missing_come_in_order(study: Settings) -> None:
    site = Site(build_ladder(study)[0], seeds=(0, 2, 3))
    assert missing_seeds(study, site, 3) == [1, 4, 5]
    study.first_seed = 10
    assert missing_seeds(study, site, 2) == [10, 11]


@pytest.mark.parametrize("x", ["params_total", "params_non_embedding", "flops", "tokens", "width"])
def test_a_size_is_what_the_runs_table_holds_for_the_longest_duration(study: Settings, x: str) -> None:
    study.analysis.x = x
    longest = cells(study)[3]
    assert size_of(study, longest.rung) == run_row(longest, longest.members[0], "finished")[x]


@pytest.mark.parametrize("x", ["family", "seed", "nonsense"])
def test_what_is_no_size_is_refused(study: Settings, x: str) -> None:
    study.analysis.x = x
    with pytest.raises(SettingError, match=f"analysis.x={x}: allowed is a column of sizes: width, depth, .*flops"):
        size_of(study, build_ladder(study)[0])


def test_flops_of_sites_are_those_of_their_runs(study: Settings) -> None:
    small, large = build_ladder(study)
    per_seed = {rung.index: sum(2 * job.flops for job in seed_jobs(study, rung, [0])) for rung in (small, large)}
    assert seed_flops(study, small) == pytest.approx(per_seed[0])
    assert ladder_flops(study) == pytest.approx(3 * (per_seed[0] + per_seed[1]))
    sites = [Site(small, (0, 1, 2)), Site(large, (0, 1, 2, 3, 4))]
    assert added_flops(study, sites) == pytest.approx(2 * per_seed[1])
    study.refine.budget = 0.5
    assert flops_left(study, sites) == pytest.approx(0.5 * ladder_flops(study) - 2 * per_seed[1])
