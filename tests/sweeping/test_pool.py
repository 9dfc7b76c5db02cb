"""Jobs that fail, are killed or run out of memory are rows, and take nothing with them."""

from __future__ import annotations

import os
import signal
from multiprocessing import resource_tracker
from pathlib import Path
from unittest.mock import patch

import pytest
from command import TINY
from rich.console import Console

from harness.config import compose
from harness.errors import RunsWarning, UserError
from harness.ladder import Job
from harness.records.store import collect, finished_run_ids, load_runs
from harness.sweeping import processes
from harness.sweeping.crew import Death
from harness.sweeping.display import Lines
from harness.sweeping.failures import Ended
from harness.sweeping.plan import cells, pending
from harness.sweeping.pool import ATTEMPTS, run_jobs
from harness.sweeping.processes import Process, Processes
from harness.sweeping.progress import Reporter, running
from harness.sweeping.worker import run_job


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Twelve jobs of one run each."""
    monkeypatch.chdir(tmp_path)
    (study,) = compose(*TINY, "ladder.widths=[4]", "seeds=12", "launcher.members_together=1", "ladder.steps=2")
    return [job for cell in cells(study) for job in pending(cell, {}, "cpu")]


def run(jobs: list[Job], work: object, workers: int = 2) -> list[Ended]:
    crew = Processes(workers, work)  # type: ignore[arg-type]
    return run_jobs(jobs, crew, "revision", Lines(Console(quiet=True), jobs, lambda job: 1.0))


def fifth_kills_itself(job: Job, revision: str | None) -> list[Ended]:
    if job.members[0].seed == 4:
        with Reporter(job):
            os.kill(os.getpid(), signal.SIGKILL)
    return run_job(job, revision)


def fifth_kills_itself_once(job: Job, revision: str | None) -> list[Ended]:
    if job.members[0].seed == 4 and not (died := Path("died")).exists():
        died.touch()
        os._exit(7)
    return run_job(job, revision)


def asked_to_end_once(job: Job, revision: str | None) -> list[Ended]:
    if job.members[0].seed == 1 and not (asked := Path("asked")).exists():
        asked.touch()
        os.kill(os.getpid(), signal.SIGTERM)
    return run_job(job, revision)


def server_is_killed_once(job: Job, revision: str | None) -> list[Ended]:
    if job.members[0].seed == 1 and not (died := Path("died")).exists():
        died.touch()
        os.kill(os.getppid(), signal.SIGKILL)
        os._exit(7)
    return run_job(job, revision)


def fails_in_three_ways(job: Job, revision: str | None) -> list[Ended]:
    if job.members[0].seed == 0:
        with open("attempts", "a") as attempts:
            attempts.write("one\n")
        os._exit(7)
    job.settings.task.train_batch = {1: unpicklable, 2: out_of_memory}[job.members[0].seed]  # type: ignore[method-assign]
    return run_job(job, revision)


class NeedsTwoWords(Exception):
    """Cannot be unpickled, which breaks a pool that sends exceptions as they are."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


def unpicklable(*_: object) -> None:
    raise NeedsTwoWords("odd", "error")


def out_of_memory(*_: object) -> None:
    raise RuntimeError(
        "[enforce fail at x] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.\nmore"
    )


def semaphores(job: Job, revision: str | None) -> list[str]:
    """What a progress bar, as torch.compile makes one, leaves to be cleaned up by others."""
    from torch.hub import tqdm

    registered = list[str]()
    with patch.object(resource_tracker, "register", lambda name, kind: registered.append(kind)):
        tqdm([])
    return registered


def mistake_of_the_user(job: Job, revision: str | None) -> list[Ended]:
    raise UserError("disk full")


def test_eleven_of_twelve_finish_when_one_is_killed(jobs: list[Job]) -> None:
    with pytest.warns(RunsWarning):
        ended = run(jobs, fifth_kills_itself)
    statuses = finished_run_ids("results/tiny")
    assert len(statuses) == len(ended) == 12
    assert [run_id for run_id, status in statuses.items() if status == "failed"] == [jobs[4].members[0].run_id]
    assert sorted(statuses.values()).count("finished") == 11
    assert collect("results/tiny").problems == ()
    failed = load_runs("results/tiny").query("status == 'failed'").iloc[0]
    assert failed["error"] == "killed by SIGKILL"
    assert failed["tokens"] == failed["flops"] == 0
    assert failed["git_revision"] == "revision"
    assert list(running(Path("results/tiny"))) == []


def test_a_job_whose_process_dies_is_tried_again(jobs: list[Job]) -> None:
    with pytest.warns(RunsWarning, match=r"seed=4 lr=0.01: process ended with exit code 7; attempt 2 of 3 follows"):
        ended = run(jobs[3:6], fifth_kills_itself_once)
    assert [end.status for end in ended] == ["finished"] * 3
    assert list(finished_run_ids("results/tiny").values()) == ["finished"] * 3


def test_a_job_whose_process_is_asked_to_end_goes_on_in_another(jobs: list[Job]) -> None:
    assert [end.status for end in run(jobs[:3], asked_to_end_once)] == ["finished"] * 3
    assert Path("asked").exists()


def test_a_killed_server_of_processes_costs_no_run(jobs: list[Job]) -> None:
    resource_tracker.ensure_running()
    os.kill(resource_tracker._resource_tracker._pid, signal.SIGKILL)  # type: ignore[attr-defined]
    with pytest.warns(RunsWarning, match="seed=1"), pytest.warns(UserWarning, match="died unexpectedly, relaunching"):
        ended = run(jobs[:5], server_is_killed_once)
    assert [end.status for end in ended] == ["finished"] * 5


def test_without_processes_the_sweep_stops_and_records_no_failure(
    jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_process(*_: object) -> None:
        raise BlockingIOError("too many processes")

    monkeypatch.setattr(processes, "Process", no_process)
    with pytest.raises(UserError, match="no process for training can be started: BlockingIOError: too many processes"):
        run(jobs, run_job)
    assert finished_run_ids("results/tiny") == {}


def test_reasons_are_kept_in_one_line(jobs: list[Job]) -> None:
    with pytest.warns(RunsWarning):
        ended = run(jobs[:3], fails_in_three_ways)
    assert Path("attempts").read_text().count("one") == 3
    reasons = sorted(str(end.error) for end in ended)
    assert reasons[0].startswith("NeedsTwoWords: odd error (test_pool.py:")
    assert reasons[1].startswith("out of memory: DefaultCPUAllocator")
    assert reasons[2] == "process ended with exit code 7"
    assert not any("\n" in reason for reason in reasons)


def test_failed_runs_are_tried_again_and_finished_ones_are_not(jobs: list[Job]) -> None:
    with pytest.warns(RunsWarning):
        run(jobs[3:6], fifth_kills_itself)
    (cell,) = cells(jobs[0].settings)
    left = [job.members[0].seed for job in pending(cell, finished_run_ids("results/tiny"), "cpu")]
    assert left == [0, 1, 2, 4, 6, 7, 8, 9, 10, 11]


def test_what_every_job_would_meet_stops_the_sweep(jobs: list[Job]) -> None:
    with pytest.raises(UserError, match="disk full"):
        run(jobs, mistake_of_the_user)


def test_order_and_workers_do_not_change_a_number(jobs: list[Job]) -> None:
    few = jobs[:4]
    run(few, run_job, workers=2)
    collect("results/tiny")
    together = Path("results/tiny/measurements.parquet").read_bytes()
    for path in Path("results/tiny").rglob("*.parquet"):
        path.unlink()
    run(few[::-1], run_job, workers=1)
    collect("results/tiny")
    assert Path("results/tiny/measurements.parquet").read_bytes() == together


def test_a_worker_that_ends_at_once_leaves_no_semaphore(jobs: list[Job]) -> None:
    worker = Process(semaphores, None)
    worker.hear()
    worker.give(jobs[0])
    left = worker.hear()
    worker.end()
    assert left == []


class SpeaksAndDies:
    """A worker of several processes one of which says that it has come up, and then another dies."""

    ready, is_fresh = False, True
    n_started = 0

    def __init__(self) -> None:
        type(self).n_started += 1
        self.n_heard = 0

    def hear(self) -> None:
        self.n_heard += 1
        if self.n_heard > 1:
            raise EOFError

    def dismiss(self) -> None:
        pass

    def end(self) -> Death:
        return Death("killed by SIGKILL")


class OfThem:
    """A crew of such workers."""

    size = 1

    def start(self, git_revision: str | None) -> SpeaksAndDies:
        return SpeaksAndDies()

    def heard(self, workers: list[SpeaksAndDies], timeout_s: float) -> list[SpeaksAndDies]:
        return workers


def test_workers_that_never_come_up_are_not_started_without_end(jobs: list[Job]) -> None:
    display = Lines(Console(quiet=True), jobs, lambda job: 1.0)
    with pytest.raises(UserError, match="no process for training can be started: killed by SIGKILL"):
        run_jobs(jobs, OfThem(), None, display)  # type: ignore[arg-type]
    assert SpeaksAndDies.n_started == ATTEMPTS


def fails_to_prepare() -> None:
    raise RuntimeError("no such card")


def test_a_process_that_cannot_prepare_says_why() -> None:
    worker = Process(run_job, None, fails_to_prepare)
    with pytest.raises(EOFError):
        worker.hear()
    assert worker.end().why.startswith("RuntimeError: no such card")
