"""What one worker process does: train a job, then write each of its runs."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UserError
from harness.ladder import Job
from harness.records.writer import write_run
from harness.sweep.progress import Reporter, progress_path
from harness.sweep.runs_row import run_row
from harness.training.loop import train_job


class JobError(Exception):
    """A job failed; the reason in one line. Unlike the error behind it, this one always survives pickling."""


@dataclass(frozen=True)
class Ended:
    """How one run ended, and why where it did not finish."""

    run: str
    status: str
    error: str | None = None


def run_job(job: Job, git_revision: str | None) -> list[Ended]:
    """Train a job and write its runs into the results folder, before anyone else hears of them.

    Raises:
        UserError: the results folder cannot be written; every other job would meet the same.
        JobError: this job failed; nothing is written.
    """
    try:
        with Reporter(job) as reporter:
            outcomes = train_job(job, reporter)
    except UserError as error:
        raise UserError(str(error)) from None
    except Exception as error:
        raise JobError(_reason(error)) from None
    for outcome in outcomes:
        steps_done = max((row["step"] for row in outcome.measurements), default=0)
        row = run_row(
            job,
            outcome.member,
            outcome.status,
            error=outcome.error,
            done=steps_done / job.steps,
            wall_s=outcome.wall_s,
            tokens_per_s=outcome.tokens_per_s,
            device=outcome.device,
            versions=outcome.versions,
            git_revision=git_revision,
        )
        write_run(Path(job.settings.results), row, outcome.measurements)
    return [Ended(f"{job.label} {o.member.label}", o.status, o.error) for o in outcomes]


def write_failure(job: Job, error: str, git_revision: str | None) -> list[Ended]:
    """Write a failed run for every member of a job that ended without outcomes.

    Raises:
        UserError: the results folder cannot be written.
    """
    # A killed worker could not take its progress file away.
    progress_path(job).unlink(missing_ok=True)
    for member in job.members:
        row = run_row(job, member, "failed", error=error, done=0.0, git_revision=git_revision)
        write_run(Path(job.settings.results), row, [])
    return [Ended(f"{job.label} {member.label}", "failed", error) for member in job.members]


def _reason(error: Exception) -> str:
    """The error in one line, with the place in the code where it arose."""
    text = (str(error).strip() or "no message").splitlines()[0]
    if isinstance(error, MemoryError) or "out of memory" in text or "not enough memory" in text:
        return f"out of memory: {text}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {text} ({Path(frame.filename).name}:{frame.lineno})"
