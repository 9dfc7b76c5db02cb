"""Who trains the jobs of a sweep: workers, whatever they are and wherever they run (`sweeping.processes`: here)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.errors import UserError
from harness.ladder import Job
from harness.sweeping.failures import Ended, JobError, JobStopped

#: What is made of a job and the revision of the code: for one that is trained, how its runs ended.
Work = Callable[[Job, str | None], Any]

#: What a worker answers: how the job's runs ended, or why it has no outcomes.
Answer = list[Ended] | JobError | JobStopped | UserError


@dataclass(frozen=True)
class Death:
    """Why a worker is no more.

    Attributes:
        out_of_memory: whether the same job in smaller parts may live.
    """

    why: str
    out_of_memory: bool = False


class Worker(Protocol):
    """What runs one job after another.

    Attributes:
        ready: whether it has come up and waits for a job.
        is_fresh: whether it has had none yet, so that all memory is its next job's.
    """

    ready: bool
    is_fresh: bool

    def give(self, job: Job) -> None:
        """Raises OSError where it has died."""

    def stop(self) -> None:
        """Ask it to end; what it trains writes its checkpoint first, and it answers with a JobStopped."""

    def hear(self) -> Any:
        """Its answer to the job that it was given, an `Answer` if that is trained; None for word that it has come up.

        Waits for it.

        Raises:
            OSError, EOFError: it has died.
        """

    def dismiss(self) -> None:
        """Let it end as soon as it can, without waiting for that."""

    def end(self) -> Death:
        """End it, in mid-training too, or find that it has ended; why it did."""


class Crew(Protocol):
    """Where workers come from.

    Attributes:
        size: how many of them may work side by side.
    """

    size: int

    def start(self, git_revision: str | None) -> Worker:
        """Raises OSError or EOFError where no worker can be started."""

    def heard(self, workers: Sequence[Any], timeout_s: float) -> list[Any]:
        """Those that have answered, or died, at the latest after `timeout_s` seconds."""
