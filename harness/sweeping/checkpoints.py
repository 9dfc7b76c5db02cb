"""Checkpoints of a job in training, in one file without code, so that a job that was stopped goes on from there.

A file is safetensors: the tensors, and in its header what is not a tensor, as JSON. Neither can hold code. The next one
replaces it in one step, after it is on disk, so that a good one is there at any time.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

import harness
from harness.code_digest import code_digest
from harness.errors import UserError
from harness.ladder import Job
from harness.records.files import write_whole
from harness.sweeping.progress import STATE
from harness.training.state import State

#: Version of what a checkpoint holds; others are left alone and trained anew.
FORMAT = "1"


def checkpoint_path(job: Job) -> Path:
    """Of the checkpoint of a job."""
    return Path(job.settings.results) / STATE / "checkpoints" / f"{job.members[0].run_id}.safetensors"


class JobCheckpoints:
    """Writes the checkpoints of one job every `training.checkpoint_s`, a file at most, and reads it."""

    def __init__(self, job: Job) -> None:
        every_s = job.settings.training.checkpoint_s
        self.path, self.every_s = checkpoint_path(job), math.inf if every_s is None else every_s
        self.about = _about(job)
        self.written_at = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the time for the next one has come."""
        return time.monotonic() - self.written_at >= self.every_s

    def write(self, state: State) -> None:
        """Replace the checkpoint. One that cannot be written costs what it would have saved, not the run."""
        from safetensors.torch import save  # needed by long runs alone

        facts = {"about": self.about, "step": state.step, "facts": state.facts}
        on_host = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
        try:
            write_whole(self.path, save(on_host, metadata={"harness": json.dumps(facts)}))
        except UserError:
            self.every_s = math.inf
        self.written_at = time.monotonic()

    def read(self) -> State | None:
        """What was written of this job by the same code; None where there is none, or none that can be read."""
        with self._opened() as (file, known):
            if known is not None:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
                return State(known["step"], tensors, known["facts"])
        return None

    @property
    def step(self) -> int | None:
        """The step that `read` would go on from; without reading the tensors."""
        with self._opened() as (_, known):
            return None if known is None else int(known["step"])

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, dict[str, Any] | None]]:
        """The file and what its header says; None for one that is absent, damaged or of another job."""
        from safetensors import SafetensorError, safe_open

        with ExitStack() as stack:
            try:
                file = stack.enter_context(safe_open(self.path, framework="pt"))
                known = json.loads((file.metadata() or {})["harness"])
                usable = known["about"] == self.about
                usable &= isinstance(known["step"], int) and isinstance(known["facts"], dict)
            except (OSError, SafetensorError, KeyError, ValueError, TypeError, RecursionError):
                usable = False
            yield (file, known) if usable else (None, None)

    def remove(self) -> None:
        """Remove the file, if there is one."""
        self.path.unlink(missing_ok=True)


def _about(job: Job) -> dict[str, Any]:
    """What must be the same for a job to go on: its runs, how they are measured, and the code that trains them."""
    measured = dataclasses.asdict(job.settings.training) | {"checkpoint_s": None}
    classes = (type(job.settings.family), type(job.settings.task))
    files = (getattr(sys.modules[cls.__module__], "__file__", None) for cls in classes)
    return {
        "format": FORMAT,
        "run_ids": [member.run_id for member in job.members],
        "steps": job.steps,
        "training": measured,
        "torch": torch.__version__,
        "code": code_digest(Path(harness.__file__).parent, *map(Path, filter(None, files))),
    }
