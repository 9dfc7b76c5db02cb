"""Runs that several processes train together, one on each of `launcher.gpus_per_run` GPUs.

A group of processes is one worker of the pool. Each has a pipe to the pool's process by itself, and with the first that
dies all are ended: the others would wait for it until their patience ran out. Only the first process writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from multiprocessing import connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from harness.ladder import Job
from harness.settings import LauncherSettings
from harness.sweeping.checkpoints import JobCheckpoints
from harness.sweeping.crew import Crew, Death, Work
from harness.sweeping.failures import JobStopped
from harness.sweeping.processes import Process, Processes, free_place
from harness.sweeping.starting import weights_of
from harness.sweeping.trunks import JobTrunk
from harness.sweeping.worker import run_job
from harness.training import group
from harness.training.device import cards_for, cards_of, see_only
from harness.training.loop import train_job
from harness.training.state import Checkpoints, Keeper, KeepsNothing, State, Trunk

#: How long a group that reports an error is listened to for the death of one of its processes, which would explain it.
EXPLAINS_S = 1.0


def crew_here(launcher: LauncherSettings, workers: int, device: torch.device) -> Crew:
    """So many workers on this machine, each on GPUs of its own where there are several."""
    cards = cards_for(device)
    if launcher.gpus_per_run == 1:
        return Processes(workers, cards=cards)
    return Groups(workers, launcher.gpus_per_run, device.type, cards=cards)


class Groups:
    """A crew whose workers are groups of processes (`sweeping.crew.Crew`).

    Args:
        size: how many groups.
        per_run: processes of each.
        device: the kind of device that they train on.
        work, follow: what the first process makes of a job, and what the others do.
        cards: GPUs that they share.
    """

    def __init__(
        self, size: int, per_run: int, device: str, work: Work = run_job, follow: Work | None = None, cards: int = 0
    ) -> None:
        self.size, self.per_run, self.device, self.cards = size, per_run, device, cards
        self.works = [work, *[follow or follow_job] * (per_run - 1)]
        self.places: list[Together | None] = [None] * size

    def start(self, git_revision: str | None) -> Together:
        """Raises OSError or EOFError where no process can be started."""
        place = free_place(self.places)
        cards = cards_of(place, self.per_run, self.cards)
        self.places[place] = started = Together(self.works, git_revision, self.device, cards)
        return started

    def heard(self, workers: Sequence[Together], timeout_s: float) -> list[Together]:
        """Those that have answered, or died, at the latest after `timeout_s` seconds."""
        if not any(worker.has_word for worker in workers):
            _listen(workers, timeout_s)
        return [worker for worker in workers if worker.has_word]


class Together:
    """A worker that is a group of processes; methods as `sweeping.crew.Worker` has them.

    Attributes:
        words: what processes have said since they were last heard together, by their places in the group.
        fallen: those that have died.
        has_ended: whether `end` has been called.

    Raises:
        OSError, EOFError: it cannot be started.
    """

    def __init__(self, works: Sequence[Work], git_revision: str | None, device: str, cards: Sequence[int]) -> None:
        self.ready, self.is_fresh, self.has_ended = False, True, False
        self.words: dict[int, Any] = {}
        self.fallen: list[Process] = []
        self.is_broken = False
        self.processes: list[Process] = []
        self.folder = TemporaryDirectory(prefix="harness-")
        meeting = str(Path(self.folder.name) / "meeting")
        try:
            for rank, work in enumerate(works):
                prepare = partial(_join, rank, len(works), meeting, device, cards[rank] if cards else None)
                self.processes.append(Process(work, git_revision, prepare))
        except BaseException:
            self.end()
            raise

    def give(self, job: Job) -> None:
        """Raises OSError where it has died."""
        self.ready, self.is_fresh = False, False
        for process in self.processes:
            process.give(job)

    def stop(self) -> None:
        """Ask it to end once what it trains has written its checkpoint, which the first process sees to."""
        self.processes[0].stop()

    @property
    def has_word(self) -> bool:
        """Whether `hear` need not wait: all have answered, one in a way that ends them all, or one has died."""
        failed = any(isinstance(word, Exception) for word in self.words.values())
        return self.is_broken or bool(self.fallen) or failed or len(self.words) == len(self.processes)

    def hear(self) -> Any:
        """The answer of the first process once all have answered, or why one has failed.

        Raises:
            OSError, EOFError: one has died.
        """
        while not self.has_word:
            _listen([self], None)
        failed = [word for _, word in sorted(self.words.items()) if isinstance(word, Exception)]
        if failed and not self.fallen and not isinstance(failed[0], JobStopped):
            # Where one is killed the others fail, for they are no longer connected.
            _listen([self], EXPLAINS_S)
        if self.fallen or self.is_broken:
            raise EOFError
        answer = failed[0] if failed else self.words[0]
        self.words.clear()
        # The others of one that has failed wait for it in the midst of a step.
        self.ready, self.is_broken = not failed, bool(failed)
        return answer

    def take(self, pipes: Sequence[Any]) -> None:
        """Take in what its processes say through these pipes."""
        for rank, process in enumerate(self.processes):
            if process.pipe in pipes:
                try:
                    self.words[rank] = process.hear()
                except (OSError, EOFError):
                    self.fallen.append(process)

    def dismiss(self) -> None:
        """Let all of it see that nobody listens."""
        for process in self.processes:
            process.dismiss()

    def end(self) -> Death:
        """End all of it, in mid-training too, or find that it has ended; why the first did that died by itself."""
        self.dismiss()
        deaths = {process: process.end() for process in self.processes}
        self.has_ended = True
        self.folder.cleanup()
        return next((deaths[process] for process in self.fallen), Death("ended with its group"))


def _listen(workers: Sequence[Together], timeout_s: float | None) -> None:
    """Take in what any process of these workers says, if one does within so many seconds."""
    living = [process.pipe for worker in workers for process in worker.processes if process not in worker.fallen]
    ready = connection.wait(living, timeout_s)
    for worker in workers:
        worker.take(ready)


def _join(rank: int, size: int, meeting: str, device: str, card: int | None) -> None:
    if card is not None:
        see_only(card)
    group.join(rank, size, meeting, device)


# -------------------------------------------------------------------------------------------------- all but the first


def follow_job(job: Job, git_revision: str | None) -> list[Any]:
    """Train a job with the first process of the group, and write nothing."""
    train_job(
        job,
        checkpoints=_OfTheFirst(JobCheckpoints(job)),
        start=partial(weights_of, job),
        trunk=_TrunkOfTheFirst(JobTrunk(job)),
    )
    return []


class _OfTheFirst:
    """The checkpoints that another process writes."""

    due = False

    def __init__(self, checkpoints: Checkpoints) -> None:
        self.read = checkpoints.read

    def write(self, state: State) -> None:
        """The first process does."""


class _TrunkOfTheFirst:
    """The trunk that another process leaves."""

    def __init__(self, trunk: Trunk) -> None:
        self.read = trunk.read
        self.longer: Sequence[tuple[Job, Keeper]] = [(job, KeepsNothing()) for job, _ in trunk.longer]

    def write(self, state: State) -> None:
        """The first process does."""
