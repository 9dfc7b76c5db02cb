"""Checkpoints of a job in training, in one file without code, so that a job that was stopped goes on from there.

A file is safetensors: the tensors, and in its header what is not a tensor, as JSON. Neither can hold code. The next one
replaces it in one step, after it is on disk, so that a good one is there at any time.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

import torch

from harness.code_digest import digest_with
from harness.errors import UserError
from harness.ladder import Job
from harness.records.files import check_is_file, write_whole
from harness.records.seal import BLANK, is_sealed, seal
from harness.sweeping.failures import JobStopped
from harness.sweeping.kept import KeptCheckpoints, make_folders
from harness.sweeping.progress import STATE, remove
from harness.sweeping.starting import ancestry
from harness.training.state import State

#: Version of what a checkpoint holds; others are left alone and trained anew.
FORMAT = "1"


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
        self.about, self.kept = _about(job), KeptCheckpoints(job)
        self.written_at = time.monotonic()

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
            self._write(state)
        if ASKED_TO_STOP.is_set():
            raise JobStopped

    def _write(self, state: State) -> None:
        from safetensors.torch import save  # needed by long runs alone

        facts = {"about": self.about, "step": state.step, "facts": state.facts, "seal": BLANK}
        on_host = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
        with suppress(UserError):
            make_folders(self.kept.results, self.path.parent)
            write_whole(self.path, seal(save(on_host, metadata={"harness": json.dumps(facts)})))
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
        """The file and what its header says; None for one that is absent, damaged or of another job.

        None too where a file is missing that `training.keep` asks for of the steps before it.
        """
        from safetensors import SafetensorError, safe_open

        with ExitStack() as stack:
            try:
                check_is_file(self.path)
                sealed = is_sealed(self.path.read_bytes())
                file = stack.enter_context(safe_open(self.path, framework="pt"))
                known = json.loads((file.metadata() or {})["harness"])
                usable = sealed and known["about"] == self.about
                usable &= isinstance(known["step"], int) and isinstance(known["facts"], dict)
                usable = usable and self.kept.has_all_of(known["facts"].get("outcomes", ()))
            except (OSError, SafetensorError, KeyError, ValueError, TypeError, RecursionError):
                usable = False
            yield (file, known) if usable else (None, None)

    def remove(self) -> None:
        """Remove the file, if there is one."""
        remove(self.path)


def interrupted(results: Path) -> set[str]:
    """The runs of a folder that have a checkpoint to go on from, by run_id: stopped in training, or in training now."""
    from safetensors import SafetensorError, safe_open

    run_ids: set[str] = set()
    for path in filter(Path.is_file, (results / STATE / "checkpoints").glob("*.safetensors")):
        unreadable = suppress(OSError, SafetensorError, KeyError, ValueError, TypeError)
        with unreadable, safe_open(path, framework="pt") as file:
            run_ids |= set(json.loads(file.metadata()["harness"])["about"]["run_ids"])
    return run_ids


def _about(job: Job) -> dict[str, Any]:
    """What must be the same for a job to go on: its runs, how they are measured, and the code that trains them."""
    measured = dataclasses.asdict(job.settings.training) | {"checkpoint_s": None, "keep": None}
    starts = {}
    if job.settings.init_from is not None:
        starts["starts_from"] = [ancestry(job, m.parent).digest for m in job.members if m.parent is not None]
    return starts | {
        "format": FORMAT,
        "run_ids": [member.run_id for member in job.members],
        "micro_batches": job.micro_batches,
        "steps": job.steps,
        "training": measured,
        "torch": torch.__version__,
        "code": digest_with(type(job.settings.family), type(job.settings.task)),
    }
