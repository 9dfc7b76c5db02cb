"""What one worker process does, wherever it runs: train a job, then write each of its runs."""

from __future__ import annotations

import gc
import pickle
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any

from harness.errors import UserError
from harness.ladder import Job, Member
from harness.records.writer import write_run
from harness.sweeping.checkpoints import JobCheckpoints
from harness.sweeping.crew import Work
from harness.sweeping.failures import Ended, JobError, JobStopped, OutOfMemoryError, job_error
from harness.sweeping.kept import KeptCheckpoints
from harness.sweeping.memory import give_back, release
from harness.sweeping.progress import Reporter, progress_path, remove
from harness.sweeping.runs_row import run_row
from harness.sweeping.starting import weights_of
from harness.sweeping.trunks import JobTrunk
from harness.training.loop import train_job

#: Said of a run that ended worse than the same run in the results, which stays as it is.
_KEPT = "; the results hold an earlier one that ended better, which stays"


def settle() -> None:
    """Make this process, which has loaded all that it will need, one that trains one job after another."""
    gc.freeze()  # what has been imported stays: to look through all of it for garbage takes .3 s each time
    # torch.compile's progress bars would take a lock of processes, which one that ends at once would leave behind.
    from torch.hub import tqdm  # that of the package where it is installed, else torch's own, which takes no lock

    if hasattr(tqdm, "set_lock"):
        tqdm.set_lock(RLock())


def answer_to(work: Work, message: bytes, git_revision: str | None) -> Any:
    """What `work` makes of a pickled job, an `Answer` if that is trained; errors become answers."""
    try:
        return work(pickle.loads(message), git_revision)
    except UserError as error:
        return UserError(str(error))
    except (JobError, JobStopped) as error:
        return error
    except Exception as error:
        return job_error(error)


def run_job(job: Job, git_revision: str | None) -> list[Ended]:
    """Train a job and write its runs into the results folder, before anyone else hears of them.

    Raises:
        UserError: the results folder cannot be written; every other job would meet the same.
        JobError: this job failed; nothing is written. An OutOfMemoryError leaves the job's last checkpoint, which may
            be that of a smaller attempt.
        JobStopped: this process is to end.
    """
    checkpoints, kept, trunk = JobCheckpoints(job), KeptCheckpoints(job), JobTrunk(job)
    for state in (checkpoints, trunk):
        state.fetch()
    try:
        with Reporter(job, max(checkpoints.step or 0, trunk.step or 0)) as reporter:
            outcomes = train_job(job, reporter, checkpoints, kept, partial(weights_of, job), trunk)
    except JobStopped:
        raise
    except UserError as error:
        raise UserError(str(error)) from None
    except Exception as error:
        failed = job_error(error)
        if isinstance(failed, OutOfMemoryError):
            release(error)
        else:
            checkpoints.remove()  # going on from there, it would meet the same
            kept.drop()
        raise failed from None
    ended = []
    for outcome in outcomes:
        done = max((row["step"] for row in outcome.measurements), default=0) / job.steps
        row = run_row(
            job,
            outcome.member,
            outcome.status,
            error=outcome.error,
            done=done,
            began=outcome.began,
            wall_s=outcome.wall_s,
            tokens_per_s=outcome.tokens_per_s,
            device=outcome.device,
            versions=outcome.versions,
            git_revision=git_revision,
        )
        if finished := outcome.status == "finished":
            kept.publish(outcome)  # before the run is known, so that one that has finished has its checkpoints
        written = write_run(Path(job.settings.results), row, outcome.measurements)
        if written and not finished:
            kept.publish(outcome)
        ended.append(_ended(job, outcome.member, row, written, done))
    kept.drop()
    checkpoints.remove()
    give_back()
    return ended


def write_failure(job: Job, error: str, git_revision: str | None) -> list[Ended]:
    """Write a failed run for every member of a job that ended without outcomes.

    A member that has finished after all is left as it is: the job may have been killed after it wrote some of its
    runs, and a worker that outlived an earlier sweep may deliver the same run.

    Raises:
        UserError: the results folder cannot be written.
    """
    # A killed worker could not take its progress file away.
    remove(progress_path(job))
    rows = [run_row(job, member, "failed", error=error, done=0.0, git_revision=git_revision) for member in job.members]
    written = [write_run(Path(job.settings.results), row, []) for row in rows]
    return [_ended(job, *of_run, done=0.0) for of_run in zip(job.members, rows, written, strict=True)]


def _ended(job: Job, member: Member, row: dict[str, Any], written: bool, done: float) -> Ended:
    error = row["error"] if written else f"{row['error']}{_KEPT}"
    return Ended(job.settings.study, job.rung.index, f"{job.label} {member.label}", row["status"], error, done)
