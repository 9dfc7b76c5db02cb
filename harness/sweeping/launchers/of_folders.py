"""What becomes of what was submitted from results folders: how far it is, and its end, whatever the settings were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from harness.errors import UserError
from harness.records.pieces import recorded
from harness.records.schema import STATUSES
from harness.records.working_copy import place_of
from harness.sweeping.claims import in_training
from harness.sweeping.launchers import slurm
from harness.sweeping.launchers.standing import standings
from harness.sweeping.progress import JobProgress
from harness.wording import counted, duration


def status(folders: Sequence[Path], console: Console) -> int:
    """Print how the runs of folders have ended, which train now, and how far submissions to a cluster are."""
    for folder in folders:
        counts = Counter(row["status"] for row in recorded(folder).rows.values())
        told = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status]) or "none has ended"
        line = f"{place_of(folder)}: {counted(sum(counts.values()), 'run')}: {told}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
        tell_running(in_training(folder), console)
        tell_submissions(folder, console)
    return 0


def tell_running(jobs: Iterable[JobProgress], console: Console) -> None:
    """Print how far jobs in training are."""
    for job in jobs:
        at = f"step {job.step}/{job.steps}, loss {job.loss:.3f}, {duration(job.seconds_left)} left"
        console.print(f"running: {job.label}, {len(job.run_ids)} runs: {at}", highlight=False, soft_wrap=True)


def tell_submissions(folder: Path, console: Console) -> None:
    """Print how far what was submitted from a folder is, and what is to be said of its tasks."""
    try:
        found = standings(folder)
    except UserError as error:  # the folder may have been copied to where no scheduler is
        line = f"{folder}: how far its tasks on a cluster are cannot be asked: {error}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
        return
    for each in found:
        what = "cancelled" if each.submission.is_cancelled else "lost"
        lost = f"; {counted(len(each.lost), 'run')} {what}, `harness sweep` submits them again" if each.lost else ""
        for line in (f"{each}{lost}", *each.remarks):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def cancel(folders: Sequence[Path], console: Console) -> int:
    """End whatever is in the queue or in training of folders' submissions; its runs go on from their checkpoints.

    Raises:
        UserError: the scheduler is not there, or refuses.
    """
    for folder in folders:
        found = [each for each in standings(folder) if each.under_way]
        for each in found:
            assert each.submission.array_id is not None
            slurm.cancel(each.submission.array_id)
            each.submission.cancel()
            n_runs = counted(len(each.under_way), "run")
            told = f"cancelled Slurm job {each.submission.array_id} with {n_runs}, which keep their checkpoints"
            console.print(f"{folder}: {told}", markup=False, highlight=False, soft_wrap=True)
        if not found:
            console.print(f"{folder}: nothing is in the queue or in training on a cluster", highlight=False)
    return 0
