"""What is done to running sweeps at random instants, and what it cost."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sweeps import Running
from victims import VICTIMS, find, kill, wait_for_death
from work_lost import JobAtWork, Loss, loss_of

#: Share of each kind of victim among kills.
SHARES = {"worker": 0.5, "parent": 0.17, "fork server": 0.13, "resource tracker": 0.05, "whole tree": 0.15}

#: Whose death takes a worker with it; the fork server's and the tracker's must not.
_TAKE_WORKERS_ALONG = ("worker", "parent", "whole tree")


@dataclass
class Tally:
    """What one kind of disturbance has come to.

    Attributes:
        restarts: how often the command was started again after it.
        losses: of the jobs that were in training.
        anew: those of them that left their checkpoint unused afterwards.
    """

    kind: str
    times: int = 0
    restarts: int = 0
    losses: list[Loss] = field(default_factory=list)
    anew: list[Loss] = field(default_factory=list)
    _unseen: list[Loss] = field(default_factory=list)

    @property
    def most_lost_s(self) -> float:
        return max((loss.lost_s for loss in self.losses), default=0.0)

    def lose(self, losses: Iterable[Loss]) -> None:
        """Count jobs that were killed, and see in what follows whether they go on from their checkpoints."""
        found = list(losses)
        self.losses += found
        self._unseen += found

    def watch(self, jobs: Iterable[JobAtWork]) -> None:
        """See whether one of these jobs is a later attempt at one that was lost."""
        for job in jobs:
            for loss in list(self._unseen):
                if (anew := loss.began_anew(job)) is not None:
                    self._unseen.remove(loss)
                    self.anew += [loss] if anew else []


def draw_victims(rng: random.Random, n: int) -> list[str]:
    """Whom `n` kills hit, by `SHARES`, in random order; each kind at least once where there are enough."""
    each = list(VICTIMS[:n])
    rest = rng.choices(list(SHARES), list(SHARES.values()), k=n - len(each))
    return rng.sample(each + rest, n)


class Disturbance(Protocol):
    """Something that happens to sweeps now and then."""

    @property
    def tallies(self) -> Sequence[Tally]:
        """For each kind of it."""

    @property
    def latest(self) -> Tally | None:
        """The one that happened last; None before the first."""

    def act(self, sweeps: Sequence[Running]) -> None:
        """Happen, if it is time; called again and again while sweeps run."""

    def excuses(self, exit_code: int) -> bool:
        """Whether a sweep may end with this code because of it."""

    def end(self) -> None:
        """Leave no trace."""


class Calm:
    """Nothing happens."""

    tallies: Sequence[Tally] = ()
    latest: Tally | None = None

    def act(self, sweeps: Sequence[Running]) -> None:
        pass

    def excuses(self, exit_code: int) -> bool:
        return False

    def end(self) -> None:
        pass


class Kills:
    """SIGKILLs after waiting times of an exponential distribution.

    Args:
        victims: whom they hit, of `VICTIMS`, the last one first; those that were hit are taken out.
        mean_s: seconds from one to the next, in the mean.
        until: time.monotonic() after which there are no more.
    """

    def __init__(self, rng: random.Random, victims: list[str], mean_s: float, until: float = math.inf) -> None:
        self.rng, self.to_come, self.mean_s, self.until = rng, victims, mean_s, until
        self.by_kind = {kind: Tally(kind) for kind in VICTIMS}
        self.latest: Tally | None = None
        self.next_at = self._draw()

    @property
    def tallies(self) -> Sequence[Tally]:
        return list(self.by_kind.values())

    @property
    def done(self) -> bool:
        return not self.to_come or time.monotonic() > self.until

    def act(self, sweeps: Sequence[Running]) -> None:
        """Kill the next victim of a sweep chosen at random; where it has none at this moment, try again later."""
        if self.done or not sweeps or time.monotonic() < self.next_at:
            return
        sweep, kind = self.rng.choice(sweeps), self.to_come[-1]
        if not (victims := find(kind, sweep.session)):
            return
        if kind in ("worker", "fork server"):
            victims = [self.rng.choice(sorted(victims))]
        before = sweep.at_work()
        killed_at = time.time()
        kill(victims)
        self.to_come.pop()
        self.latest = self.by_kind[kind]
        self.latest.times += 1
        if kind in _TAKE_WORKERS_ALONG:
            hit = [job for job in before if kind != "worker" or job.pid in victims]
            wait_for_death([job.pid for job in hit], at_most_s=5)
            self.latest.lose(_losses(hit, sweep, killed_at))
        self.next_at = self._draw()

    def excuses(self, exit_code: int) -> bool:
        """Killed itself, or a job whose workers were killed three times is recorded as failed."""
        return exit_code in (-9, 1)

    def end(self) -> None:
        pass

    def _draw(self) -> float:
        return time.monotonic() + self.rng.expovariate(1 / self.mean_s)


class FullDisk:
    """A disk that is full now and then, for some seconds.

    Args:
        folder: on that disk.
        n: how often.
        mean_s: seconds from one time to the next, in the mean.
        full_s: least and most seconds that it lasts.
    """

    def __init__(
        self, rng: random.Random, folder: Path, n: int, mean_s: float, full_s: tuple[float, float] = (2.0, 8.0)
    ) -> None:
        self.rng, self.ballast, self.n, self.mean_s, self.full_s = rng, folder / "ballast", n, mean_s, full_s
        self.tally = Tally("disk full")
        self.tallies: Sequence[Tally] = [self.tally]
        self.full = False
        self.next_at = time.monotonic() + rng.expovariate(1 / mean_s)

    @property
    def latest(self) -> Tally | None:
        return self.tally if self.tally.times else None

    def act(self, sweeps: Sequence[Running]) -> None:
        if time.monotonic() < self.next_at:
            return
        if self.full:
            self.end()
            self.next_at = time.monotonic() + self.rng.expovariate(1 / self.mean_s)
        elif self.tally.times < self.n and any(sweep.at_work() for sweep in sweeps):
            fill(self.ballast)
            self.full = True
            self.tally.times += 1
            self.next_at = time.monotonic() + self.rng.uniform(*self.full_s)

    def excuses(self, exit_code: int) -> bool:
        """It cannot write its results, and says so."""
        return exit_code in (1, 2)

    def end(self) -> None:
        self.ballast.unlink(missing_ok=True)
        self.full = False


def fill(ballast: Path) -> None:
    """Write a file until not a byte more fits on its disk."""
    with open(ballast, "ab", buffering=0) as file:
        for size in (1 << 16, 1 << 9, 1):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


def _losses(jobs: Sequence[JobAtWork], sweep: Running, killed_at: float) -> list[Loss]:
    return [loss for job in jobs if (loss := loss_of(job, sweep.results, killed_at)) is not None]
