"""The verbs that train or look at training: each takes studies and joins jobs, pool and records."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from harness.errors import UserError
from harness.ladder import Job
from harness.records.store import finished_run_ids
from harness.settings import Settings
from harness.sweep.cost import cost_model
from harness.sweep.display import display_for, duration
from harness.sweep.lock import holder, locked
from harness.sweep.plan import DONE, cells, pending, single_job, why_alone, worker_count
from harness.sweep.pool import run_jobs
from harness.sweep.progress import running
from harness.sweep.runs_row import git_revision
from harness.sweep.tables import plan_table, plan_totals, status_table
from harness.training.device import resolve


def plan(studies: Sequence[Settings], console: Console) -> int:
    """Print the rungs of each study and what they are predicted to cost; train nothing."""
    device = resolve(studies[0].training.device).type
    cost = cost_model(Path(studies[0].results))
    for study in studies:
        console.print(plan_table(study, cost, device))
    workers = worker_count(studies[0], device)
    console.print(plan_totals(studies, _known(studies), cost, device, workers), highlight=False)
    return 0


def sweep(studies: Sequence[Settings], console: Console) -> int:
    """Train every run that is not done yet, costly jobs first; returns 1 if one failed, else 0.

    Raises:
        UserError: a study that cannot be built, a device or results folder that cannot be used.
    """
    device = resolve(studies[0].training.device).type
    with lock_folders(studies):
        known = _known(studies)
        return train_jobs(_jobs(studies, known, device), known, worker_count(studies[0], device), console)


def train(studies: Sequence[Settings], console: Console) -> int:
    """Train the one run that `rung` and `seed` name; returns 1 if it failed, else 0.

    Raises:
        UserError: several studies, a rung off the ladder, a device or results folder that cannot be used.
    """
    if len(studies) > 1:
        names = ", ".join(f"{study.study} ({study.family.name} on {study.task.name})" for study in studies)
        raise UserError(f"train makes one run; choose one study, e.g. by task=NAME. Found {names}")
    resolve(studies[0].training.device)
    job = single_job(studies[0])
    with lock_folders(studies):
        known = _known(studies)
        return train_jobs([] if known.get(job.members[0].run_id) in DONE else [job], known, 1, console)


def status(studies: Sequence[Settings], console: Console) -> int:
    """Print how far each rung is, and the jobs that are running now."""
    folders = _folders(studies)
    # Progress files of a sweep that was killed stay behind; the lock tells them from those of one that runs.
    now = [progress for folder in folders if holder(folder) is not None for progress in running(folder)]
    ids = {run_id for progress in now for run_id in progress.run_ids}
    console.print(status_table(studies, _known(studies), ids))
    for job in now:
        at = f"step {job.step}/{job.steps}, loss {job.loss:.3f}, {duration(job.seconds_left)} left"
        console.print(f"running: {job.label}, {len(job.run_ids)} runs: {at}", highlight=False, soft_wrap=True)
    return 0


def train_jobs(jobs: Sequence[Job], known: dict[str, str], workers: int, console: Console) -> int:
    """Train jobs, costly ones first, and print what became of them; returns 1 if one failed, else 0."""
    n_done = sum(state in DONE for state in known.values())
    if not jobs:
        console.print(f"Nothing to train: all runs asked for are done ({n_done} in the results).", highlight=False)
        return 0
    for study in {job.settings.study: job.settings for job in jobs}.values():
        if (reason := why_alone(study)) is not None:
            line = f"{study.study}: family={study.family.name} trains one member at a time; vmap cannot run several"
            console.print(f"{line}: {reason}", markup=False, highlight=False, soft_wrap=True)
    cost = cost_model(Path(jobs[0].settings.results)).seconds
    jobs = sorted(jobs, key=cost, reverse=True)
    with display_for(console, jobs, cost) as display:
        ended = run_jobs(jobs, workers, git_revision(), display)
    counts = {state: sum(run.status == state for run in ended) for state in ("finished", "diverged", "failed")}
    words = ", ".join(f"{n} {state}" for state, n in counts.items() if n)
    console.print(f"Trained {len(ended)}: {words}.", highlight=False)
    for run in ended:
        if run.status == "failed":
            console.print(f"failed: {run.run}: {run.error}", markup=False, highlight=False, soft_wrap=True)
    return 1 if counts["failed"] else 0


def _jobs(studies: Sequence[Settings], known: dict[str, str], device: str) -> list[Job]:
    """What is still to be trained; a run that two studies share is trained once."""
    jobs, claimed = [], dict(known)
    for study in studies:
        for cell in cells(study):
            for job in pending(cell, claimed, device):
                jobs.append(job)
                claimed |= {member.run_id: DONE[0] for member in job.members}
    return jobs


def _folders(studies: Sequence[Settings]) -> list[Path]:
    return sorted({Path(study.results) for study in studies})


def _known(studies: Sequence[Settings]) -> dict[str, str]:
    """How every run in the studies' results folders ended."""
    known: dict[str, str] = {}
    for folder in _folders(studies):
        known |= finished_run_ids(folder)
    return known


def lock_folders(studies: Sequence[Settings]) -> ExitStack:
    """Locks of all results folders of the studies, for a `with` block."""
    with ExitStack() as stack:
        for folder in _folders(studies):
            stack.enter_context(locked(folder))
        return stack.pop_all()
