"""How much disk checkpoints take, known before anything is trained; headers of files, some kB each, are not counted."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from harness.errors import warn_of_runs
from harness.ladder import Job
from harness.settings import Settings
from harness.sweeping.plan import cells
from harness.training.evaluation_steps import evaluation_steps
from harness.training.optimizers import N_AVERAGES

#: Bytes of a float32.
_FLOAT = 4
#: The last good checkpoint of a job stays until the next is complete.
_AT_A_TIME = 2


def member_bytes(job: Job) -> int:
    """Of the state of one member: what training changes, and as many averages of it as its optimizer has."""
    return _FLOAT * job.rung.trained * (1 + N_AVERAGES[job.settings.optimizer.kind])


def _kept_member_bytes(job: Job) -> int:
    """Of a kept state of one member: its whole model, the averages, and adapters by themselves."""
    adapters = job.rung.trained if job.settings.finetune.kind == "lora" else 0
    return _FLOAT * (job.rung.params.total + adapters + job.rung.trained * N_AVERAGES[job.settings.optimizer.kind])


def checkpoint_bytes(job: Job) -> int:
    """What checkpoints of a job take at most while it trains, and the state that it leaves to longer ones."""
    n_kinds = (job.settings.training.checkpoint_s is not None) + job.settings.ladder.branched
    return n_kinds * _AT_A_TIME * len(job.members) * member_bytes(job)


def kept_bytes(job: Job) -> int:
    """What the checkpoints that stay of a job's runs take at most (`training.keep`)."""
    training = job.settings.training
    n_files = {"none": 0, "last": 1, "all": len(evaluation_steps(job))}[training.keep]
    return n_files * len(job.members) * _kept_member_bytes(job)


def bytes_in_training(jobs: Sequence[Job], workers: int) -> int:
    """What checkpoints take at most while jobs train, so many at a time."""
    return sum(sorted(map(checkpoint_bytes, jobs), reverse=True)[:workers])


def space_line(studies: Sequence[Settings], to_do: Sequence[Job], workers: int) -> str:
    """What checkpoints take at most while the jobs that are left train, and what stays of all runs, in words."""
    in_training = in_words(bytes_in_training(to_do, workers))
    stays = in_words(sum(kept_bytes(cell) for study in studies for cell in cells(study)))
    keep = "|".join(sorted({study.training.keep for study in studies}))
    return f"Checkpoints: at most {in_training} while it trains, {stays} kept (training.keep={keep})."


def warn_of_little_space(jobs: Sequence[Job], workers: int) -> None:
    """Warn, in a line, of a disk that cannot hold the checkpoints of jobs."""
    by_folder: dict[Path, list[Job]] = {}
    for job in jobs:
        by_folder.setdefault(Path(job.settings.results), []).append(job)
    for folder, its in by_folder.items():
        needed = bytes_in_training(its, workers) + sum(map(kept_bytes, its))
        free = shutil.disk_usage(next(path for path in (folder, *folder.absolute().parents) if path.exists())).free
        if free < needed:
            warn_of_runs(
                f"{folder}: checkpoints may take {in_words(needed)}, and {in_words(free)} are free on its disk "
                "(training.keep, training.checkpoint_s)"
            )


def in_words(n_bytes: float) -> str:
    """Bytes in decimal units: 0 B, 3.2 kB, 48 MB."""
    if n_bytes < 1000:
        return f"{n_bytes:.0f} B"
    for unit in ("kB", "MB", "GB"):
        n_bytes /= 1000
        if n_bytes < 999.5:
            return f"{n_bytes:.2g} {unit}" if n_bytes < 10 else f"{n_bytes:.0f} {unit}"
    return f"{n_bytes / 1000:.2g} TB"
