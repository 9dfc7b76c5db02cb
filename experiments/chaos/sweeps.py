"""The sweep that is disturbed, by the command line alone; all that is done to mend it is the same command again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from victims import kill, processes_of, session_of
from work_lost import JobAtWork, jobs_at_work

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]

#: Seconds for which nothing is trained further and nothing recorded, after which a sweep hangs.
HANG_S = 180.0


@dataclass(frozen=True)
class Study:
    """What is swept: settings of the command line."""

    settings: tuple[str, ...]

    def command(self, results: Path) -> list[str]:
        return [sys.executable, "-m", "harness", "sweep", *self.settings, f"results={results}"]


@dataclass
class Running:
    """A command that was started, in a session of its own.

    Attributes:
        started: when, in seconds of `time.time`.
        trains_after_s: seconds until its first job was in training; None before.
    """

    study: Study
    results: Path
    log: Path
    started: float = field(default_factory=time.time)
    trains_after_s: float | None = None

    def __post_init__(self) -> None:
        # Not through a pipe: workers that outlive the command would hold it open.
        self.offset = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                self.study.command(self.results),
                cwd=HERE,  # where conf/ is
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def session(self) -> int:
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """Negative for a signal; None while it runs."""
        return self.process.poll()

    @property
    def startup_s(self) -> float:
        """Seconds that it did not train in before its first job; all of its life if there was none."""
        return time.time() - self.started if self.trains_after_s is None else self.trains_after_s

    @property
    def printed(self) -> str:
        """What it, and any process that writes into the same log at the same time, has printed."""
        return self.log.read_text(errors="replace")[self.offset :]

    def at_work(self) -> list[JobAtWork]:
        """The jobs that its processes train now."""
        jobs = [job for job in jobs_at_work(self.results) if session_of(job.pid) == self.session]
        if jobs and self.trains_after_s is None:
            self.trains_after_s = time.time() - self.started
        return jobs

    def end(self) -> None:
        """Kill what is left of it."""
        kill([process.pid for process in processes_of(self.session)])
        self.process.wait()


class Patience:
    """Notices that a results folder has not changed for `HANG_S`."""

    def __init__(self, results: Path) -> None:
        self.results, self.last, self.since = results, (-1, -1), time.monotonic()

    @property
    def exhausted(self) -> bool:
        """Whether nothing was trained or recorded for too long; to be asked again and again."""
        now = (
            sum(1 for _ in self.results.glob("pieces/*.parquet")),
            sum(job.step for job in jobs_at_work(self.results)),
        )
        if now != self.last:
            self.last, self.since = now, time.monotonic()
        return time.monotonic() - self.since > HANG_S


def environment() -> dict[str, str]:
    """Of every command: this checkout's harness."""
    return os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}


def collect(results: Path) -> None:
    """Write the tables of a results folder.

    Raises:
        subprocess.CalledProcessError: it cannot be collected.
    """
    command = [sys.executable, "-m", "harness", "collect", str(results)]
    subprocess.run(command, cwd=HERE, env=environment(), check=True, stdout=subprocess.DEVNULL)
