"""Claims: which process trains a run, so that several sweeps of one results folder share its runs.

A claim is a file ``<run_id>.<generation>`` that names the process. Making a file that must not exist yet is one step
wherever results may be (`sweeping.shared_files`), so only one process can make it. A claim whose process
is gone is not removed, for somebody else might be taking it over just then: whoever makes the next generation has it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UserError
from harness.sweeping.presence import Sweeper, Watch, read_sweeper, sweepers
from harness.sweeping.progress import JobProgress, running
from harness.sweeping.shared_files import SharedFiles, shared_files

_FILE = re.compile(r"(?P<run_id>[0-9a-f]{16})\.(?P<generation>[1-9][0-9]{0,8})")


@dataclass
class Claims:
    """The claims of one process in one results folder.

    Attributes:
        sweeper_id: of the process.
        mine: run_id -> generations of the claims that go with this process's, which is the last of them.
    """

    results: Path
    sweeper_id: str
    mine: dict[str, list[int]] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)

    def take(self, run_id: str) -> bool:
        """Claim a run; False where another process has it, or was quicker.

        Raises:
            UserError: the folder cannot be written.
        """
        if run_id in self.mine:
            return True
        before = sorted(generation for claimed, generation in _listed(self.files) if claimed == run_id)
        last = max(before, default=0)
        if last and not self._is_free(_name(run_id, last)):
            return False
        try:
            self.files.create(_name(run_id, last + 1), self.sweeper_id)
        except FileExistsError:
            return False
        except OSError as error:
            raise UserError(f"{error.filename} cannot be written: {error.strerror}") from error
        self.mine[run_id] = [*before, last + 1]
        return True

    def release(self, run_id: str) -> None:
        """Give up a claim; whoever looks next finds the run recorded, or free."""
        # The lowest first: whoever looks meanwhile sees the last one, or none.
        for generation in self.mine.pop(run_id):
            with contextlib.suppress(OSError):
                self.files.remove(_name(run_id, generation))

    def release_all(self) -> None:
        """Give up every claim."""
        for run_id in list(self.mine):
            self.release(run_id)

    def release_ended(self) -> None:
        """Remove the claims of processes that have ended, by taking them over."""
        for run_id in {run_id for run_id, _ in _listed(self.files)}:
            if run_id not in self.mine and self.take(run_id):
                self.release(run_id)

    @property
    def files(self) -> SharedFiles:
        return shared_files(self.results)

    def _is_free(self, name: str) -> bool:
        try:
            owner = self.files.read(name)
        except FileNotFoundError:  # released since it was listed; the next attempt will tell
            return False
        except (OSError, ValueError):  # not what a sweep writes
            owner = ""
        return owner != self.sweeper_id and self.watch.is_gone(self.results, owner, name)


def in_training(results: Path) -> list[JobProgress]:
    """The jobs in training in a folder, as far as one look can tell.

    Progress files of a process that was killed stay behind; only with a claim are they of a job that is trained.
    """
    at_work = claimed(results)
    return [job for job in running(results) if not at_work.isdisjoint(job.run_ids)]


def claimed(results: Path) -> set[str]:
    """The runs that processes have claimed which work, as far as one look can tell."""
    working = {sweeper.id for sweeper in sweepers(results)}
    return {run_id for run_id, owner in _owners(results) if owner in working}


def owners(results: Path, run_ids: Collection[str]) -> list[Sweeper]:
    """The processes that have claimed some of these runs."""
    ids = sorted({owner for run_id, owner in _owners(results) if run_id in run_ids})
    return [sweeper for sweeper_id in ids if (sweeper := read_sweeper(results, sweeper_id)) is not None]


def _owners(results: Path) -> Iterator[tuple[str, str]]:
    """Each claimed run, and the id of the process whose claim is the last."""
    last: dict[str, int] = {}
    files = shared_files(results)
    for run_id, generation in _listed(files):
        last[run_id] = max(generation, last.get(run_id, 0))
    for run_id, generation in last.items():
        with contextlib.suppress(OSError, ValueError):
            yield run_id, files.read(_name(run_id, generation))


def _listed(files: SharedFiles) -> Iterator[tuple[str, int]]:
    try:
        names = files.names("claims")
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}") from error
    for name in names:
        if found := _FILE.fullmatch(name):
            yield found["run_id"], int(found["generation"])


def _name(run_id: str, generation: int) -> str:
    return f"claims/{run_id}.{generation}"
