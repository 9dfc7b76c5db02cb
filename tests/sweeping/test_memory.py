"""Jobs that run out of memory are tried in smaller parts, and nothing is split for any other reason."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from command import TINY
from rich.console import Console

from harness.config import compose
from harness.errors import RunsWarning
from harness.ladder import Job
from harness.records.store import collect, load, load_runs
from harness.sweeping import memory
from harness.sweeping.checkpoints import JobCheckpoints, checkpoint_path
from harness.sweeping.crew import Work
from harness.sweeping.display import Lines
from harness.sweeping.failures import Ended, OutOfMemoryError
from harness.sweeping.memory import oom_kills, ran_out, smaller
from harness.sweeping.plan import cells
from harness.sweeping.pool import run_jobs
from harness.sweeping.processes import Processes
from harness.sweeping.worker import run_job
from harness.training import gradients
from harness.training.members import Stack
from harness.training.state import State

SIGKILL = -signal.SIGKILL
#: Where workers of tests count their deaths as the kernel would.
COUNTS = Path("vmstat")


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Three members side by side, with batches of 8."""
    monkeypatch.chdir(tmp_path)
    (study,) = compose(*TINY, "ladder.widths=[4]", "seeds=3", "family.dropout=0.2")
    return cells(study)[0]


def run(job: Job, work: Work, workers: int = 1) -> tuple[list[Ended], list[str]]:
    """How its runs ended, and what was said meanwhile."""
    with pytest.warns(RunsWarning) as warned:
        ended = run_jobs([job], Processes(workers, work), None, Lines(Console(quiet=True), [job], lambda job: 1.0))
    collect("results/tiny")
    return ended, [str(warning.message).rpartition("; ")[2] for warning in warned]


def losses(run_ids: list[str]) -> pd.DataFrame:
    frame = load("results/tiny", runs="all", split="eval", steps="all")
    return (
        frame[(frame["metric"] == "loss") & (frame["subtask"] == "all")]
        .set_index(["run_id", "step"])["value"]
        .unstack()
        .loc[run_ids]
    )


def with_room_for(examples: int, job: Job) -> list[Ended]:
    """Train a job where there is memory for so many examples, members together."""
    losses = Stack.losses

    def limited(stack: Stack, params: object, inputs: torch.Tensor, *rest: object) -> torch.Tensor:
        if inputs.shape[0] * inputs.shape[1] > examples:
            raise MemoryError("no room")
        return losses(stack, params, inputs, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stack, "losses", limited)
        patch.setattr(gradients, "_traces", OrderedDict())  # of steps that asked nobody for room
        return run_job(job, None)


def room_for_3(job: Job, revision: str | None) -> list[Ended]:
    return with_room_for(3, job)


def no_room(job: Job, revision: str | None) -> list[Ended]:
    return with_room_for(0, job)


def killed_by_the_kernel(job: Job, revision: str | None) -> list[Ended]:
    if len(job.members) > 1:
        COUNTS.write_text(f"pgfault 9\noom_kill {oom_kills_of_tests() + 1}\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return run_job(job, revision)


def killed_by_somebody(job: Job, revision: str | None) -> list[Ended]:
    if not (died := Path("died")).exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return run_job(job, revision)


def oom_kills_of_tests() -> int:
    return int(COUNTS.read_text().split()[-1])


@pytest.fixture
def counted(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that has killed twice for memory so far."""
    COUNTS.write_text("oom_kill 2\n")
    monkeypatch.setattr(memory, "CGROUP", Path("none"))
    monkeypatch.setattr(memory, "MACHINE", COUNTS)


def test_parts_become_smaller_until_they_fit_and_give_the_same_numbers(job: Job) -> None:
    run_ids = [member.run_id for member in job.members]
    run_job(job, None)
    collect("results/tiny")
    whole = losses(run_ids)
    assert set(load_runs("results/tiny")["micro_batches"]) == {1}
    for path in Path("results/tiny").rglob("*.parquet"):
        path.unlink()

    ended, said = run(job, room_for_3)
    assert [end.status for end in ended] == ["finished"] * 3
    assert said[:3] == [
        "its members follow one by one",
        "it follows with its batch in 2 micro-batches",
        "it follows with its batch in 4 micro-batches",
    ]
    assert set(load_runs("results/tiny")["micro_batches"]) == {4}
    np.testing.assert_allclose(losses(run_ids), whole, rtol=1e-5)


def test_a_job_that_never_fits_fails_with_its_reason(job: Job) -> None:
    ended, said = run(replace(job, members=job.members[:1]), no_room)
    assert said == [f"it follows with its batch in {n} micro-batches" for n in (2, 4, 8)]
    assert [(end.status, end.error) for end in ended] == [("failed", "out of memory: no room")]
    (row,) = load_runs("results/tiny").to_dict("records")
    assert (row["error"], row["micro_batches"]) == ("out of memory: no room", 8)


def test_batches_are_split_down_to_single_examples(job: Job) -> None:
    odd = replace(job, members=job.members[:1], micro_batches=5)
    assert [part.micro_batches for part in smaller(odd)[0]] == [8]
    assert smaller(replace(odd, micro_batches=8)) == ([], "")
    assert smaller(odd)[0][0].members == odd.members


def test_whoever_the_kernel_killed_for_memory_is_split(job: Job, counted: None) -> None:
    ended, said = run(job, killed_by_the_kernel)
    assert [end.status for end in ended] == ["finished"] * 3 and said == ["its members follow one by one"]
    assert set(load_runs("results/tiny")["micro_batches"]) == {1}


def test_whoever_somebody_killed_is_not(job: Job, counted: None) -> None:
    ended, said = run(job, killed_by_somebody)
    assert [end.status for end in ended] == ["finished"] * 3 and said == ["attempt 2 of 3 follows"]


def test_the_kernel_is_asked_about_the_control_group_first(job: Job, counted: None, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "OWN_CGROUP", tmp_path / "cgroup")
        patch.setattr(memory, "CGROUP", tmp_path)
        (tmp_path / "cgroup").write_text("4:memory:/old\n0::/a/job\n")
        assert oom_kills() == 2, "of the machine, where the group has no count"
        (tmp_path / "a" / "job").mkdir(parents=True)
        (tmp_path / "a" / "job" / "memory.events").write_text("low 0\noom 7\noom_kill 5\n")
        assert oom_kills() == 5
        assert ran_out(SIGKILL, 4) == "out of memory: killed by the kernel"
        assert ran_out(SIGKILL, 5) is None and ran_out(-signal.SIGSEGV, 4) is None and ran_out(1, 4) is None


def test_where_the_kernel_does_not_say_a_kill_may_have_been_for_memory(
    job: Job, counted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MACHINE", Path("none"))
    assert oom_kills() is None
    assert ran_out(SIGKILL, None) == "killed by SIGKILL (out of memory?)"


def test_a_checkpoint_of_another_split_is_not_gone_on_from(job: Job) -> None:
    half = replace(job, micro_batches=2)
    JobCheckpoints(half).write(State(3, {}, {}))
    assert JobCheckpoints(half).step == 3 and JobCheckpoints(job).step is None
    with pytest.raises(OutOfMemoryError):
        with_room_for(0, job)
    assert checkpoint_path(job).exists(), "a smaller attempt of a sweep that was stopped may go on from it"


def in_little_memory(job: Job, revision: str | None) -> list[Ended]:
    """With 300 MB of address space beyond what is taken already."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + 300 * 2**20, resource.getrlimit(resource.RLIMIT_AS)[1]))
    return run_job(job, revision)


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux")
def test_memory_that_really_runs_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch whose activations take 500 MB, where there are 300 MB."""
    monkeypatch.chdir(tmp_path)
    sizes = ("ladder.widths=[1024]", "ladder.batch_size=32768", "ladder.steps=1", "seeds=1")
    (study,) = compose(*TINY, *sizes)
    ended, said = run(cells(study)[0], in_little_memory)
    assert [end.status for end in ended] == ["finished"]
    assert said and load_runs("results/tiny")["micro_batches"].tolist() == [2 ** len(said)]
