"""Trunks: which jobs of a sweep share their first steps, and the states that shorter ones leave to longer ones.

A trunk has one file, the state in which the last job left it. A job that finds none, or none that can be used, trains
from the beginning: it ends with the same numbers, later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.branches import Branch
from harness.errors import UserError
from harness.ladder import Job, identity_settings
from harness.records.files import remove_unfinished
from harness.records.pieces import Recorded
from harness.sweeping.checkpoints import about_code
from harness.sweeping.claims import in_training
from harness.sweeping.kept import KeptCheckpoints
from harness.sweeping.plan import DONE
from harness.sweeping.progress import STATE, remove
from harness.sweeping.state_file import StateFile, stated
from harness.training.schedules import stable_steps
from harness.training.state import Keeper, State

#: Where the states are, in the folder `STATE`.
FOLDER = "trunks"


def with_branches(jobs: Iterable[Job]) -> list[Job]:
    """Jobs, in the order given, those of branched studies with their part of the trunk that they share."""
    found = list(jobs)
    sharing: dict[str, list[int]] = {}
    for index, job in enumerate(found):
        if job.settings.ladder.branched:
            sharing.setdefault(trunk_of(job), []).append(index)
    for trunk, indices in sharing.items():
        ordered = sorted(indices, key=lambda index: found[index].steps)
        begins = [0, *(min(leaves_at(found[a]), leaves_at(found[b])) for a, b in pairwise(ordered))]
        for place, (index, begin) in enumerate(zip(ordered, begins, strict=True)):
            longer = tuple(found[other].duration for other in ordered[place + 1 :])
            found[index] = replace(found[index], branch=Branch(trunk, begin, longer))
    return found


def in_order(jobs: Sequence[Job], cost: Callable[[Job], float]) -> list[Job]:
    """Costly jobs first; those of one trunk, which count as one, after each other, the shortest first."""
    ordered = sorted(by_trunk(jobs), key=lambda together: sum(map(cost, together)), reverse=True)
    return [job for together in ordered for job in together]


def by_trunk(jobs: Sequence[Job]) -> list[list[Job]]:
    """The jobs that are trained one after another, the shortest first: those of one trunk, else each by itself."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.branch.trunk if job.branch else job.members[0].run_id, []).append(job)
    return [sorted(group, key=lambda job: job.steps) for group in groups.values()]


def leaves_at(job: Job) -> int:
    """The step at which a job leaves its trunk, because its own decay begins."""
    return stable_steps(job.settings.schedule, job.steps)


def trunk_of(job: Job) -> str:
    """What stands for the trunk of a job's members: the settings that change the numbers of its steps.

    That is their identity but for the number of steps. How they are measured is part of it: a state holds measurements.
    """
    identities = []
    for member in job.members:
        identity = identity_settings(job.settings, job.rung, job.duration, member.seed, member.lr)
        identities.append({name: value for name, value in identity.items() if name != "steps"})
    return hashlib.sha256(json.dumps(identities, sort_keys=True).encode()).hexdigest()[:16]


class JobTrunk:
    """The trunk of one job, as training has it (`harness.training.state.Trunk`)."""

    def __init__(self, job: Job) -> None:
        self.job, self.file = job, None
        durations = job.branch.longer if job.branch else ()
        longer = (job.at_duration(duration) for duration in durations)
        self.longer: Sequence[tuple[Job, Keeper]] = [(other, KeptCheckpoints(other)) for other in longer]
        if job.branch is not None:
            self.file = StateFile(Path(job.settings.results), trunk_path(job), self._about(), self._is_usable)

    def write(self, state: State) -> None:
        """Replace the state of the trunk. One that cannot be written costs longer jobs time, and no more."""
        if self.file is not None:
            with suppress(UserError):
                self.file.write(state)
                self.file.push()

    def fetch(self) -> None:
        """Take the state that another machine has left of the trunk, where that is further; raises UserError."""
        if self.file is not None:
            self.file.fetch()

    def read(self) -> State | None:
        """The state in which the last job left the trunk, where this one is of it still."""
        return None if self.file is None else self.file.read()

    @property
    def step(self) -> int | None:
        """The step that `read` would begin at; without reading the tensors."""
        return None if self.file is None else self.file.step

    def _about(self) -> dict[str, Any]:
        return about_code(self.job) | {"trunk": trunk_of(self.job)}

    def _is_usable(self, step: int, facts: dict[str, Any]) -> bool:
        """Whether a state lies on this job's path, with its measurements and what `training.keep` asks for so far."""
        own = facts.get(self.job.members[0].run_id)
        return own is not None and step <= leaves_at(self.job) and KeptCheckpoints(self.job).has_all_of(own["outcomes"])


def trunk_path(job: Job) -> Path:
    """Of the state of a job's trunk."""
    return Path(job.settings.results) / STATE / FOLDER / f"{trunk_of(job)}.safetensors"


def remove_used(results: Path, found: Recorded) -> None:
    """Remove the states of trunks whose runs have all ended, and what a killed worker had not completed there.

    Args:
        found: what the folder holds.
    """
    folder = results / STATE / FOLDER
    if folder.is_symlink() or not folder.is_dir():
        return
    remove_unfinished(folder)
    busy = {run_id for job in in_training(results) for run_id in job.run_ids}
    for path in filter(Path.is_file, folder.glob("*.safetensors")):
        with suppress(KeyError, TypeError, AttributeError):
            facts = (stated(path) or {})["facts"]
            run_ids = {run_id for ledger in facts.values() for run_id in ledger["run_ids"]}
            ended = [found.rows.get(run_id, {}).get("status") in DONE for run_id in run_ids]
            if ended and all(ended) and not run_ids & busy:
                remove(path)
