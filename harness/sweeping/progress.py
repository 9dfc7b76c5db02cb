"""How far running jobs are: one small file a job, which any process can read.

Files outlive a worker that is killed, and another terminal can read them. A queue that workers share would stay locked
if one of them died while it held the lock.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.records.files import make_own_folder, open_own
from harness.records.working_copy import discard, pull, push

if TYPE_CHECKING:  # whoever only reads how far a sweep is need not wait for torch
    from harness.ladder import Job
    from harness.training.loop import Progress

#: Folder, inside a results folder, of files that only matter while a sweep runs.
STATE = ".sweep"

#: Seconds after which progress is put into a store again, where results are on one.
_PUSHED_S = 10.0

#: Progress files, complete or not: named by the run_id of the job's first member.
_FILE = re.compile(r"[0-9a-f]{16}\.(json|tmp)")


@dataclass(frozen=True)
class JobProgress:
    """A running job.

    Attributes:
        run_ids: the runs of its members.
        loss: mean of the members' latest training losses in nats; NaN until the first one.
        started: seconds since the epoch.
        first: the step that it went on from then.
    """

    label: str
    run_ids: tuple[str, ...]
    pid: int
    step: int
    steps: int
    loss: float
    started: float
    first: int = 0

    @property
    def seconds_left(self) -> float:
        """At the average pace since it started; NaN before a hundredth of its steps, which tells no pace yet."""
        is_known = self.step - self.first >= 0.01 * self.steps
        return (self.steps - self.step) / rate if is_known and (rate := self.steps_per_s) else math.nan

    @property
    def steps_per_s(self) -> float:
        """The average pace since it started; 0 before its first step."""
        return max(0.0, (self.step - self.first) / max(time.time() - self.started, 1e-9))


class Reporter:
    """Writes the progress file of one job, and removes it when the `with` block is left.

    Args:
        first: the step that it goes on from.
    """

    def __init__(self, job: Job, first: int = 0) -> None:
        self.path, self.pushed_at = progress_path(job), -math.inf
        run_ids = tuple(member.run_id for member in job.members)
        self.state = JobProgress(job.label, run_ids, os.getpid(), first, job.steps, math.nan, time.time(), first)

    def __enter__(self) -> Reporter:
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        remove(self.path)

    def __call__(self, progress: Progress) -> None:
        finite = [loss for loss in progress.losses if math.isfinite(loss)]
        loss = sum(finite) / len(finite) if finite else math.nan
        self.state = dataclasses.replace(self.state, step=progress.step, loss=loss)
        self._write()

    def _write(self) -> None:
        # Progress that cannot be shown is no reason to lose a run.
        with contextlib.suppress(OSError):
            make_own_folder(self.path.parent)
            temporary = self.path.with_suffix(".tmp")
            with open_own(temporary, "w") as file:
                file.write(json.dumps(dataclasses.asdict(self.state)))
            temporary.replace(self.path)
        if time.monotonic() - self.pushed_at >= _PUSHED_S:
            self.pushed_at = time.monotonic()
            with contextlib.suppress(UserError):
                push(self.path)


def progress_path(job: Job) -> Path:
    return Path(job.settings.results) / STATE / f"{job.members[0].run_id}.json"


def remove(path: Path) -> None:
    """Remove a file under `STATE`. One that cannot be removed costs a moment's confusion, and no run."""
    with contextlib.suppress(OSError, UserError):
        path.unlink(missing_ok=True)
        discard(path)


def read_progress(path: Path) -> JobProgress | None:
    """The state in one progress file; None where it is gone, or not complete."""
    try:
        with open_own(path, "r") as file:
            state = json.load(file)
        return JobProgress(**state | {"run_ids": tuple(state["run_ids"])})
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def running(results: Path) -> Iterator[JobProgress]:
    """The jobs that are running in a results folder.

    Raises:
        UserError: the folder is on an object store, which cannot be asked.
    """
    pull(results / STATE)
    for path in sorted((results / STATE).glob("*.json")):
        if (progress := read_progress(path)) is not None:
            yield progress


def remove_progress(results: Path, running: Collection[str]) -> None:
    """Remove the progress files of a results folder but for those of jobs that somebody trains.

    Args:
        running: the run_ids of the first members of these.
    """
    for path in (results / STATE).glob("*"):
        if _FILE.fullmatch(path.name) and path.stem not in running:
            remove(path)
