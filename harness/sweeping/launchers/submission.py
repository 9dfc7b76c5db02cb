"""What a sweep has handed to a scheduler: a folder in the results, which the nodes and whoever looks later read."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import secrets
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import harness
from harness.code_digest import digest_with
from harness.errors import UserError
from harness.ladder import Job
from harness.records.files import make_own_folder, open_own, write_whole
from harness.records.machine import HOST
from harness.sweeping.plan import DONE
from harness.sweeping.progress import STATE

_FOLDER = "submissions"


@dataclass(frozen=True)
class Task:
    """A task of an array.

    Attributes:
        run_ids: of the runs that it is to train.
        seconds: what they are predicted to take.
    """

    run_ids: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Start:
    """One of the times that a task has begun.

    Attributes:
        host: the name of its node.
        sweeper: what stands for its process in the results folder (`sweeping.presence`).
        refused: why it trained nothing; None where it began to.
    """

    host: str
    at: float
    sweeper: str = ""
    refused: str | None = None


@dataclass(frozen=True)
class Submission:
    """Jobs in tasks of one array.

    Attributes:
        folder: its own, in the results folder.
        array_id: the scheduler's name for the array; None before it has one.
        submitted: seconds since the epoch.
        minutes: the walltime of a task.
        version: of the harness that submitted it, and a digest of the code of harness, families and tasks.
        where: the folder of the command, which names of files are relative to.
    """

    folder: Path
    array_id: str | None
    submitted: float
    minutes: float
    version: tuple[str, str]
    where: str
    tasks: tuple[Task, ...]

    @property
    def results(self) -> Path:
        """The results folder."""
        return self.folder.parents[2]

    @property
    def log(self) -> Path:
        """The folder of what tasks print."""
        return self.folder / "log"

    @classmethod
    def make(cls, tasks: Sequence[Sequence[Job]], seconds: Sequence[float], minutes: float) -> Submission:
        """Write the jobs of each task, all of one results folder, for the nodes to read.

        Raises:
            UserError: the folder cannot be written.
        """
        results, now = Path(tasks[0][0].settings.results).resolve(), time.time()
        name = f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        made = tuple(
            Task(tuple(member.run_id for job in jobs for member in job.members), each)
            for jobs, each in zip(tasks, seconds, strict=True)
        )
        here = os.getcwd()
        found = cls(results / STATE / _FOLDER / name, None, now, minutes, version_of(tasks), here, made)
        try:
            for folder in (
                results / STATE,
                results / STATE / _FOLDER,
                found.folder,
                found.log,
                found.folder / "starts",
            ):
                make_own_folder(folder)
            write_whole(found.folder / "jobs.pickle", pickle.dumps([list(jobs) for jobs in tasks]))
            found._write()
        except OSError as error:
            raise UserError(f"{found.folder} cannot be written: {error.strerror}") from error
        return found

    def submitted_as(self, array_id: str) -> Submission:
        """The same under the name that the scheduler has for it, which is written down."""
        named = replace(self, array_id=array_id)
        named._write()
        return named

    def _write(self) -> None:
        stated = asdict(self) | {"folder": self.folder.name}
        write_whole(self.folder / "submission.json", json.dumps(stated).encode())

    def jobs(self) -> list[list[Job]]:
        """The jobs of each task, on a node: in the folder of the command, whose modules may be the user's own.

        Raises:
            UserError: the code here is not that which submitted them.
        """
        if self.version[0] != harness.__version__:
            raise UserError(self._other_version(harness.__version__))
        os.chdir(self.where)
        if self.where not in sys.path:
            sys.path.insert(0, self.where)
        tasks: list[list[Job]] = pickle.loads((self.folder / "jobs.pickle").read_bytes())
        if (version := version_of(tasks)) != self.version:
            raise UserError(self._other_version(f"{version[0]}, of other code"))
        return tasks

    def _other_version(self, found: str) -> str:
        return f"{HOST} has harness {found}, and {self.version[0]} submitted these jobs: they need the same"

    def ended(self, rows: Iterable[Mapping[str, Any]]) -> set[str]:
        """The runs that have ended in the results: finished or diverged whenever, failed since this was submitted.

        Args:
            rows: of the runs table.
        """
        since = datetime.fromtimestamp(self.submitted, UTC)
        return {row["run_id"] for row in rows if row["status"] in DONE or row["finished_at"] >= since}

    def cancel(self) -> None:
        """Note that its tasks were ended on purpose."""
        with contextlib.suppress(OSError), open_own(self._cancelled_file, "w"):
            pass

    @property
    def is_cancelled(self) -> bool:
        """Whether its tasks were ended on purpose."""
        return self._cancelled_file.exists()

    @property
    def _cancelled_file(self) -> Path:
        return self.folder / "cancelled"

    def begin(self, index: int, sweeper: str = "", refused: str | None = None) -> None:
        """Note that a task has begun here."""
        start = Start(HOST, time.time(), sweeper, refused)
        with contextlib.suppress(OSError), open_own(self.starts_file(index), "a") as file:
            file.write(json.dumps(asdict(start)) + "\n")

    def starts_file(self, index: int) -> Path:
        """Where a task notes that it has begun."""
        return self.folder / "starts" / f"{index}.jsonl"

    def starts(self, index: int) -> list[Start]:
        """Each time that a task has begun, the last one last."""
        try:
            with open_own(self.starts_file(index), "r") as file:
                return [Start(**json.loads(line)) for line in file]
        except (OSError, ValueError, TypeError):
            return []


def version_of(tasks: Sequence[Sequence[Job]]) -> tuple[str, str]:
    """As `version_of_kinds`, of all these jobs."""
    return version_of_kinds(kinds_of(job for jobs in tasks for job in jobs))


def kinds_of(jobs: Iterable[Job]) -> list[type]:
    """The classes of the jobs' families and tasks, each once, in an order that is the same everywhere."""
    kinds = {type(part) for job in jobs for part in (job.settings.family, job.settings.task)}
    return sorted(kinds, key=lambda each: (each.__module__, each.__qualname__))


def version_of_kinds(kinds: Sequence[type]) -> tuple[str, str]:
    """Of the harness, and a digest of its code and that of the files which these classes stand in."""
    return harness.__version__, digest_with(*kinds)


def read(folder: Path) -> Submission | None:
    """The submission in a folder; None where there is none that can be read."""
    try:
        with open_own(folder / "submission.json", "r") as file:
            stated: dict[str, Any] = json.load(file)
        tasks = tuple(Task(tuple(task["run_ids"]), float(task["seconds"])) for task in stated["tasks"])
        version = (str(stated["version"][0]), str(stated["version"][1]))
        return Submission(**stated | {"folder": folder, "tasks": tasks, "version": version})
    except (OSError, ValueError, TypeError, KeyError, IndexError, RecursionError):
        return None


def submissions(results: Path) -> Iterator[Submission]:
    """What has been submitted from a results folder, the oldest first."""
    for folder in sorted((results.resolve() / STATE / _FOLDER).glob("*")):
        if (found := read(folder)) is not None:
            yield found
