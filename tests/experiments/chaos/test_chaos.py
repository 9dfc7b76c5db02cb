"""A few kills of each kind, and that the experiment would tell if a table were spoilt or work lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import pandas as pd
import pytest
from command import REPOSITORY
from compare import difference
from victims import VICTIMS
from work_lost import JobAtWork, Loss, jobs_at_work, loss_of

from harness.families.mlp import MLP
from harness.ladder import Job
from harness.records.store import collect
from harness.sweeping.checkpoints import JobCheckpoints, checkpoint_path
from harness.sweeping.progress import Reporter
from harness.training.state import State

STUDIED = REPOSITORY / "experiments" / "quickstart" / "results"


@pytest.mark.slow
@pytest.mark.skipif(
    "HARNESS_CHAOS" not in os.environ, reason="40 seconds; HARNESS_CHAOS=1 runs it, make chaos all of it"
)
def test_tables_of_a_sweep_that_was_killed_are_those_of_one_that_was_not() -> None:
    """Each process of a sweep once, and two pieces; times are not judged."""
    small = ("--only=mlp", "--runs=4", f"--kills={len(VICTIMS)}", "--others=2", "--episodes=kills,truncated")
    command = [sys.executable, str(REPOSITORY / "experiments/chaos/run.py"), *small, "--untimed", "ladder.steps=1000"]
    ran = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert all(victim in ran.stdout for victim in (*VICTIMS, "truncated piece"))
    assert "equals that of the undisturbed sweep" in ran.stdout


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two results folders with the same tables."""
    for name in ("undisturbed", "disturbed"):
        shutil.copytree(STUDIED, tmp_path / name)
        collect(tmp_path / name)
    return tmp_path / "undisturbed", tmp_path / "disturbed"


def test_equal_tables_do_not_differ(folders: tuple[Path, Path]) -> None:
    assert difference(*folders).none


@pytest.mark.parametrize("which", ["lost", "doubled", "differing"])
def test_each_difference_is_told(folders: tuple[Path, Path], which: str) -> None:
    runs, numbers = (pd.read_parquet(folders[1] / f"{table}.parquet") for table in ("runs", "measurements"))
    run_id = runs["run_id"].iloc[3]
    if which == "lost":
        runs = runs[runs["run_id"] != run_id]
    elif which == "doubled":
        runs = pd.concat([runs, runs[runs["run_id"] == run_id]])
    else:
        last = numbers.index[numbers["run_id"] == run_id][-1]
        numbers.loc[last, "value"] *= 1 + 1e-15
    runs.to_parquet(folders[1] / "runs.parquet")
    numbers.to_parquet(folders[1] / "measurements.parquet")
    found = difference(*folders)
    assert dict(zip(("lost", "doubled", "differing"), astuple(found), strict=True)) == {
        name: frozenset({run_id} if name == which else ()) for name in ("lost", "doubled", "differing")
    }


def test_work_lost_is_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    from tiny import SignOfSum, job_of, make_settings

    job: Job = job_of(make_settings(MLP(), SignOfSum(), results=str(tmp_path), seeds=2))
    with Reporter(job) as reporter:
        (at_work,) = jobs_at_work(tmp_path)
        assert at_work.run_ids == tuple(member.run_id for member in job.members) and at_work.pid == os.getpid()
        began = reporter.state.started
        loss = loss_of(at_work, tmp_path, began + 5)
        assert loss is not None and loss.lost_s == pytest.approx(5) and loss.kept_step == 0
        JobCheckpoints(job).write(State(7, {}, {}))
        os.utime(checkpoint_path(job), (began + 3, began + 3))
        loss = loss_of(at_work, tmp_path, began + 5)
        assert loss is not None and loss.lost_s == pytest.approx(2, abs=1e-3) and loss.kept_step == 7


def test_a_job_that_leaves_its_checkpoint_unused_is_told() -> None:
    loss = Loss(JobAtWork(("a", "b"), pid=1, step=90, started=0.0), lost_s=0.5, kept_step=80)
    later = {pid: JobAtWork(("b",), pid, step, started=10.0) for pid, step in ((1, 90), (2, 0), (3, 60), (4, 85))}
    assert [loss.began_anew(job) for job in later.values()] == [None, None, True, False]
    assert loss.began_anew(JobAtWork(("c",), 5, 10, 10.0)) is None
