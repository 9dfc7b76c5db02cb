"""What a worker leaves in the results folder, whatever becomes of it and of others that train the same runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.ladder import Job
from harness.records.store import collect, finished_run_ids, load_runs
from harness.settings import Settings
from harness.sweeping.failures import JobError
from harness.sweeping.plan import cells
from harness.sweeping.progress import Reporter, progress_path
from harness.sweeping.worker import run_job, write_failure

RESULTS = Path("results/tiny")


@pytest.fixture
def job(study: Settings) -> Job:
    return cells(study)[0]


def test_a_job_writes_every_member(job: Job) -> None:
    ended = run_job(job, "revision")
    assert [run.status for run in ended] == ["finished"] * 6
    assert (ended[0].study, ended[0].rung, ended[0].run) == ("main", 0, f"{job.label} seed=0 lr=0.1")
    assert set(finished_run_ids(RESULTS)) == {member.run_id for member in job.members}
    assert not progress_path(job).exists()


def test_a_failing_job_writes_nothing_and_says_why(job: Job) -> None:
    def no_data(*_: object) -> None:
        raise ValueError("no data today")

    job.settings.task.train_batch = no_data
    with pytest.raises(JobError, match=r"ValueError: no data today \(test_worker.py:"):
        run_job(job, None)
    assert finished_run_ids(RESULTS) == {}


def test_a_failure_is_a_row_for_every_member(job: Job) -> None:
    with Reporter(job):
        ended = write_failure(job, "killed", "revision")
        assert not progress_path(job).exists()
    assert {run.error for run in ended} == {"killed"}
    collect(RESULTS)
    runs = load_runs(RESULTS)
    assert set(runs["status"]) == {"failed"}
    assert (runs["flops"] == 0).all() and (runs["tokens"] == 0).all()


def test_a_failure_never_takes_the_place_of_a_finished_run(job: Job) -> None:
    """A worker that is killed after it wrote part of its runs, or the orphan of a killed sweep that delivers first."""
    run_job(job, None)
    before = {path: path.read_bytes() for path in sorted(RESULTS.glob("pieces/*.parquet"))}
    ended = write_failure(job, "killed by SIGKILL", None)
    assert {path: path.read_bytes() for path in sorted(RESULTS.glob("pieces/*.parquet"))} == before
    assert all(
        run.status == "failed" and "earlier one that ended better, which stays" in str(run.error) for run in ended
    )
    assert set(finished_run_ids(RESULTS).values()) == {"finished"}


def test_nor_when_its_piece_has_been_collected_and_removed(job: Job) -> None:
    run_job(job, None)
    collect(RESULTS)
    for path in RESULTS.glob("pieces/*.parquet"):
        path.unlink()
    write_failure(job, "killed", None)
    collect(RESULTS)
    assert set(load_runs(RESULTS)["status"]) == {"finished"}


def test_a_failure_gives_way_to_a_finished_run(job: Job) -> None:
    write_failure(job, "killed", None)
    run_job(job, None)
    assert set(finished_run_ids(RESULTS).values()) == {"finished"}
