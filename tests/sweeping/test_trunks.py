"""Branched studies: what a sweep records of them, in which order it trains them, and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from command import TINY
from rich.console import Console

from harness.config import compose
from harness.errors import SettingError
from harness.ladder import Job, build_ladder
from harness.records.kept import kept_steps
from harness.records.pieces import recorded
from harness.records.store import load, load_runs
from harness.sweeping.cost import ROUGH
from harness.sweeping.failures import Ended
from harness.sweeping.plan import cells, pending
from harness.sweeping.pool import _Pool
from harness.sweeping.processes import Processes
from harness.sweeping.run import sweep
from harness.sweeping.share import Shares
from harness.sweeping.trunks import JobTrunk, in_order, leaves_at, trunk_path, with_branches
from harness.sweeping.worker import run_job

BRANCHED = (
    *TINY,
    "ladder.steps=[20,5,10]",
    "ladder.branched=true",
    "schedule=wsd",
    "schedule.warmup_steps=2",
)
TIMED = ["wall_s", "tokens_per_s", "finished_at", "config", "spent_flops"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def jobs_of(*overrides: str) -> list[Job]:
    (study,) = compose(*BRANCHED, *overrides)
    return with_branches(job for cell in cells(study) for job in pending(cell, {}, "cpu"))


def recorded_of(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs and measurements, less what says how they were trained."""
    runs = load_runs(f"results/{name}").set_index("run_id").sort_index()
    numbers = load(f"results/{name}", steps="all", runs="all")
    order = ["run_id", "step", "split", "subtask", "metric"]
    timed = [column for column in (*TIMED, "experiment") if column in numbers]
    numbers = numbers.drop(columns=timed).sort_values(order, ignore_index=True)
    return runs.drop(columns=[*TIMED, "experiment"]), numbers


def test_a_branched_study_records_the_runs_of_an_unbranched_one_and_what_it_spent(one_process: None) -> None:
    quiet = Console(quiet=True)
    words = (*BRANCHED, "ladder.widths=[4]", "training.keep=all")
    assert sweep(compose(*words), quiet) == 0
    assert sweep(compose(*words, "ladder.branched=false", "name=alone"), quiet) == 0
    for branched, alone in zip(recorded_of("tiny"), recorded_of("alone"), strict=True):
        pd.testing.assert_frame_equal(branched, alone)
    for run_id in recorded("results/alone").rows:
        its, own = (kept_steps(Path("results", name, "checkpoints", run_id)) for name in ("tiny", "alone"))
        assert [path.read_bytes() for path in its.values()] == [path.read_bytes() for path in own.values()]
    assert not Path("results/tiny/.sweep").exists(), "trunks that no run needs are gone"
    for _, runs in load_runs("results/tiny").groupby(["rung", "seed"]):
        by_steps = runs.set_index("steps").sort_index()
        of_step = by_steps["flops"] / by_steps.index
        # The decay is a fifth: runs of 5 and 10 steps leave their trunk at its last step before it.
        assert (by_steps["spent_flops"] / of_step).round(6).to_dict() == {5: 5, 10: 5, 20: 11}
    alone, branched = (load_runs(f"results/{name}") for name in ("alone", "tiny"))
    assert (alone["spent_flops"] == alone["flops"]).all()
    own_tokens = branched["tokens"] * branched["spent_flops"] / branched["flops"]
    members = branched["tokens_per_s"] * branched["wall_s"] / own_tokens
    assert members.tolist() == pytest.approx([2.0] * len(branched)), "time and pace are those of a run's own steps"


def test_jobs_know_their_part_of_the_trunk_and_what_it_costs() -> None:
    jobs = jobs_of("ladder.widths=[4]")
    assert [(job.steps, job.branch.begins, job.own_steps) for job in jobs if job.branch] == [
        (20, 9, 11),
        (5, 0, 5),
        (10, 5, 5),
    ]
    assert [[jobs[0].rung.steps[other] for other in job.branch.longer] for job in jobs if job.branch] == [
        [],
        [10, 20],
        [20],
    ]
    assert len({job.branch.trunk for job in jobs if job.branch}) == 1
    assert sum(job.own_flops for job in jobs) == pytest.approx(jobs[0].flops * 21 / 20)
    whole = jobs_of("ladder.widths=[4]", "ladder.branched=false")
    assert all(job.branch is None and job.own_flops == job.flops for job in whole)
    assert ROUGH.seconds(jobs[0]) < ROUGH.seconds(whole[0])


def test_only_jobs_with_the_same_first_steps_share_a_trunk() -> None:
    jobs = jobs_of("seeds=2", "ladder.train_examples=[16,32]", "launcher.members_together=1")
    trunks = {job.branch.trunk: [] for job in jobs if job.branch}  # type: ignore[var-annotated]
    for job in jobs:
        assert job.branch is not None
        trunks[job.branch.trunk].append(job)
    assert len(trunks) == 2 * 2 * 2
    for of_one in trunks.values():
        assert sorted(job.steps for job in of_one) == [5, 10, 20]
        assert len({(job.rung.index, job.members[0].seed, job.examples) for job in of_one}) == 1
    costly_first = in_order(jobs, lambda job: job.own_flops)
    assert [job.steps for job in costly_first] == [5, 10, 20] * 8
    assert [job.rung.index for job in costly_first] == [1] * 12 + [0] * 12


def test_a_trunk_that_was_damaged_or_is_of_other_settings_costs_time_and_no_number() -> None:
    shortest, middle, longest = sorted(jobs_of("ladder.widths=[4]"), key=lambda job: job.steps)
    run_job(shortest, None)
    assert JobTrunk(middle).step == JobTrunk(longest).step == leaves_at(shortest) == 5
    assert JobTrunk(jobs_of("ladder.widths=[4]", "optimizer.lr=0.2")[0]).step is None
    path = trunk_path(middle)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    assert JobTrunk(middle).step is None
    run_job(middle, None)
    assert JobTrunk(longest).step == leaves_at(middle), "it left a good one"
    run_job(longest, None)
    spent = load_runs("results/tiny").groupby("steps")[["flops", "spent_flops"]].first()
    assert (spent["spent_flops"] / spent["flops"]).round(6).to_dict() == {5: 1.0, 10: 1.0, 20: 0.55}


class _Notes:
    """A display that hears of nothing."""

    def ended(self, job: Job, runs: list[Ended]) -> None: ...
    def say(self, line: str) -> None: ...


def handed_out(jobs: Sequence[Job], at_once: int) -> list[list[int]]:
    """Which jobs, by their place, would be at work together if all at work ended at the same moment."""
    pool = _Pool(jobs, Processes(at_once), None, _Notes(), Shares())  # type: ignore[arg-type]
    places, rounds = {id(job): place for place, job in enumerate(jobs)}, []
    while pool.waiting:
        for worker in range(at_once):
            if (attempt := pool._next()) is not None:
                pool.at_work[worker] = attempt  # type: ignore[index]
        rounds.append([places[id(attempt.asked)] for attempt in pool.at_work.values()])
        for attempt in pool.at_work.values():
            pool._end(attempt, [])
        pool.at_work.clear()
    return rounds


def test_jobs_of_a_trunk_follow_one_another_and_others_use_the_time_between() -> None:
    jobs = in_order(jobs_of("seeds=1"), lambda job: job.own_flops)
    assert [(job.rung.index, job.steps) for job in jobs] == [(1, 5), (1, 10), (1, 20), (0, 5), (0, 10), (0, 20)]
    assert handed_out(jobs, 2) == [[0, 3], [1, 4], [2, 5]]
    assert handed_out(jobs, 1) == [[0], [1], [2], [3], [4], [5]]
    assert handed_out(jobs[::-1], 1) == [[2], [1], [0], [5], [4], [3]], "the shortest first, in whichever order"
    whole = jobs_of("seeds=1", "ladder.branched=false")
    assert handed_out(whole, 4) == [[0, 1, 2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["schedule=constant"], "schedule.kind=constant: allowed is wsd with ladder.branched: a branch needs a stable"),
        (["schedule.warmup_steps=null"], "schedule.warmup=0.05: allowed is 0 with ladder.branched: .*warmup_steps=N"),
        (
            ["training.patience=2", "training.evaluate=even"],
            "training.patience=2: allowed is null with ladder.branched",
        ),
        (
            ["schedule.warmup_steps=6"],
            r"schedule.warmup_steps=6 \(at width 4, depth 1\): allowed is at most the 4 of 5",
        ),
        (["schedule.warmup_steps=-1"], "schedule.warmup_steps=-1: allowed is a whole number of at least 0"),
        (["schedule.warmup_steps=2.5"], "schedule.warmup_steps"),
        (
            ["ladder.steps=null", "ladder.tokens=[400,800]", "optimizer.lr={rule: power, at: 1.0, D: -0.5}"],
            r"optimizer.lr=a rule that gives 0.05 and 0.035.* \(at width 4, depth 1\): .* a rule without D",
        ),
    ],
)
def test_what_has_no_trunk_is_refused_in_a_line(overrides: list[str], message: str) -> None:
    with pytest.raises(Exception, match=message) as refused:
        build_ladder(*compose(*BRANCHED, *overrides))
    if "2.5" not in overrides[0]:
        assert isinstance(refused.value, SettingError) and "\n" not in str(refused.value)


def test_one_duration_may_be_branched_and_shares_nothing() -> None:
    (job,) = jobs_of("ladder.widths=[4]", "ladder.steps=5")
    assert job.branch is not None and job.branch.longer == () and job.own_flops == job.flops
    run_job(job, None)
    assert not Path("results/tiny/.sweep/trunks").exists()
