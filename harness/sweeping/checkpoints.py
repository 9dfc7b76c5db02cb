"""Checkpoints of a job in training, so that a job that was stopped goes on from there."""

from __future__ import annotations

import dataclasses
import math
import time
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import torch

from harness.code_digest import digest_with
from harness.errors import UserError
from harness.ladder import Job
from harness.sweeping.failures import JobStopped
from harness.sweeping.kept import KeptCheckpoints
from harness.sweeping.progress import STATE
from harness.sweeping.starting import ancestry
from harness.sweeping.state_file import FORMAT, StateFile, stated
from harness.training.state import State

#: Seconds after which a checkpoint is put into a store again, where results are on one.
PUSHED_S = 30.0

#: Set where this process is to end: the job that it trains writes a checkpoint, and goes on another time.
ASKED_TO_STOP = Event()


def checkpoint_path(job: Job) -> Path:
    """Of the checkpoint of a job."""
    return Path(job.settings.results) / STATE / "checkpoints" / f"{job.members[0].run_id}.safetensors"


class JobCheckpoints:
    """Writes the checkpoints of one job every `training.checkpoint_s`, a file at most, and reads it."""

    def __init__(self, job: Job) -> None:
        every_s = job.settings.training.checkpoint_s
        self.path, self.every_s = checkpoint_path(job), math.inf if every_s is None else every_s
        self.about = about_code(job) | {"run_ids": [member.run_id for member in job.members], "steps": job.steps}
        self.kept, self.name = KeptCheckpoints(job), job.members[0].run_id
        self.file = StateFile(Path(job.settings.results), self.path, self.about, self._is_usable)
        self.written_at = self.pushed_at = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the time for the next one has come, or this process is to end."""
        return ASKED_TO_STOP.is_set() or time.monotonic() - self.written_at >= self.every_s

    def write(self, state: State) -> None:
        """Replace the checkpoint. One that cannot be written costs what it would have saved, and no more.

        Raises:
            JobStopped: this process is to end.
        """
        if self.every_s < math.inf:
            with suppress(UserError):
                self.file.write(state)
            self.written_at = time.monotonic()
            if ASKED_TO_STOP.is_set() or self.written_at - self.pushed_at >= PUSHED_S:
                with suppress(UserError):
                    self._push()
                self.pushed_at = time.monotonic()
        if ASKED_TO_STOP.is_set():
            raise JobStopped

    def _push(self) -> None:
        """Let whoever takes this job over, on another machine, go on from there."""
        self.kept.push_waiting()
        self.file.push()

    def fetch(self) -> None:
        """Take what another machine has left of this job, where that is further; raises UserError."""
        self.kept.fetch_waiting()
        self.file.fetch()

    def read(self) -> State | None:
        """What was written of this job by the same code; None where there is none, or none that can be read."""
        return self.file.read()

    @property
    def step(self) -> int | None:
        """The step that `read` would go on from; without reading the tensors."""
        return self.file.step

    def _is_usable(self, _: int, facts: dict[str, Any]) -> bool:
        """Whether all files are there that `training.keep` asks for of the steps before."""
        return self.kept.has_all_of(facts.get(self.name, {}).get("outcomes", ()))

    def remove(self) -> None:
        """Remove the file, if there is one."""
        self.file.remove()


def interrupted(results: Path) -> set[str]:
    """The runs of a folder that have a checkpoint to go on from, by run_id: stopped in training, or in training now."""
    run_ids: set[str] = set()
    for path in filter(Path.is_file, (results / STATE / "checkpoints").glob("*.safetensors")):
        with suppress(KeyError, TypeError):
            run_ids |= set((stated(path) or {})["about"]["run_ids"])
    return run_ids


def about_code(job: Job) -> dict[str, Any]:
    """What must be the same for a state to be gone on from, beside the runs: how they are trained and measured."""
    measured = dataclasses.asdict(job.settings.training) | {"checkpoint_s": None, "keep": None}
    starts = {}
    if job.settings.init_from is not None:
        starts["starts_from"] = [ancestry(job, m.parent).digest for m in job.members if m.parent is not None]
    return starts | {
        "format": FORMAT,
        "micro_batches": job.micro_batches,
        "training": measured,
        "torch": torch.__version__,
        "code": digest_with(type(job.settings.family), type(job.settings.task)),
    }
