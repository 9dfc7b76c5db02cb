"""How much training a kill has cost, from the files that a sweep keeps beside its results."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open


@dataclass(frozen=True)
class JobAtWork:
    """A job in training: its runs, its process, its last step that was told of, and when this attempt began."""

    run_ids: tuple[str, ...]
    pid: int
    step: int
    started: float


@dataclass(frozen=True)
class Loss:
    """A job whose process was killed in training.

    Attributes:
        lost_s: seconds from the last checkpoint, or from the beginning of this attempt if that was later, to the kill.
        kept_step: the checkpoint's step, that the job must go on from; 0 where there was none.
    """

    job: JobAtWork
    lost_s: float
    kept_step: int

    def began_anew(self, now: JobAtWork) -> bool | None:
        """Whether a later attempt at these runs has left the checkpoint unused; None while that cannot be said."""
        if now.pid == self.job.pid or not set(now.run_ids) & set(self.job.run_ids) or now.step == 0:
            return None
        return now.step < self.kept_step


def jobs_at_work(results: Path) -> list[JobAtWork]:
    """What the progress files in a results folder tell, those of processes that were killed since too."""
    found = []
    for path in results.glob(".sweep/*.json"):
        with suppress(OSError, ValueError, TypeError, KeyError):
            told = json.loads(path.read_text())
            found.append(JobAtWork(tuple(told["run_ids"]), told["pid"], told["step"], told["started"]))
    return found


def loss_of(job: JobAtWork, results: Path, killed_at: float) -> Loss | None:
    """What a job lost whose process is dead; None where all its runs are recorded."""
    if all(any(results.glob(f"pieces/{run_id}*.parquet")) for run_id in job.run_ids):
        return None
    checkpoint = results / ".sweep" / "checkpoints" / f"{job.run_ids[0]}.safetensors"
    written_at, step = 0.0, 0
    with suppress(OSError, SafetensorError, KeyError, ValueError, TypeError):
        with safe_open(checkpoint, framework="np") as file:
            step = json.loads(file.metadata()["harness"])["step"]
        written_at = checkpoint.stat().st_mtime
    return Loss(job, max(0.0, killed_at - max(written_at, job.started)), step)
