"""Which processes sweep a results folder: a small file each, renewed as long as the process works.

Nothing here needs a lock of the file system, so several machines may share a folder. On the machine of a process the
kernel says whether it is alive. Elsewhere it counts as gone when its file has not changed for `GONE_S` by the clock of
whoever looks, so that clocks need not agree.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import UserError
from harness.records.files import make_own_folder, open_own
from harness.records.machine import HOST, MACHINE, is_running, process_start
from harness.sweeping.progress import STATE

#: Seconds after which a process renews its file, and after which one that has not is gone.
RENEWED_S, GONE_S = 5.0, 30.0

#: Seconds after which a file is removed that nobody renews. Clocks of machines differ by less.
_FORGOTTEN_S = 24 * 3600.0

#: Where the files are, in the folder `STATE`.
_FOLDER = "sweeps"

_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Sweeper:
    """A process that sweeps.

    Attributes:
        id: its own, never used again.
        host: name of its machine, for people.
        machine: what stands for its machine and the process numbers there.
        started: when the process started, as its machine counts; None where that cannot be known.
        beat: how often it has renewed this.
    """

    id: str
    host: str
    machine: str
    pid: int
    started: int | None
    beat: int = 0

    @property
    def is_here(self) -> bool:
        """Whether it is of this machine, where the kernel can be asked."""
        return self.machine == MACHINE

    @property
    def has_ended(self) -> bool:
        """Whether its process is known to have ended; False for another machine's."""
        return self.is_here and not is_running(self.pid, self.started)

    def __str__(self) -> str:
        return f"process {self.pid}" if self.host == HOST else f"process {self.pid} on {self.host}"


class Presence:
    """This process in one results folder.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(self, results: Path) -> None:
        self.results = results
        self.beat, self.renewed_at = 0, time.monotonic()
        pid = os.getpid()
        self.sweeper = Sweeper(secrets.token_hex(8), HOST, MACHINE, pid, process_start(pid))
        create(self.path, self._stated())

    def renew(self) -> None:
        """Show that this process still works, if the time for it has come; in a folder that is gone, nothing."""
        if time.monotonic() - self.renewed_at < RENEWED_S:
            return
        self.beat, self.renewed_at = self.beat + 1, time.monotonic()
        path = self.path
        with contextlib.suppress(OSError):
            if path.exists():
                # In place: a client of a network file system sees the change when it opens the file again, where it
                # might take a file that is renamed to this name for the one it knows.
                with open_own(path, "r+") as file:
                    file.write(self._stated())
            elif self.results.is_dir():
                create(path, self._stated())

    def end(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self.path.unlink()

    @property
    def path(self) -> Path:
        """Of the file."""
        return _path(self.results, self.sweeper.id)

    def _stated(self) -> str:
        """Of one length, so that the file can be written over."""
        return json.dumps(asdict(self.sweeper) | {"beat": f"{self.beat:012}"})


def create(path: Path, content: str) -> None:
    """Make a file two folders below a results folder, which must not exist yet, and the folders where they do not.

    Raises:
        FileExistsError: it exists.
        OSError: it cannot be written, or a folder is a symbolic link.
    """
    for attempt in range(3):
        try:
            make_own_folder(path.parent.parent)
            make_own_folder(path.parent)
            with open_own(path, "x") as file:
                file.write(content)
            return
        except FileNotFoundError:  # whoever left last has removed the empty folder just then
            if attempt == 2:
                raise


def sweepers(results: Path) -> Iterator[Sweeper]:
    """The processes that sweep a folder, as far as one look can tell; see `Watch` for whether one is gone.

    Another machine's counts for as long as its file looks young by the clock here.
    """
    for path in sorted((results / STATE / _FOLDER).glob("*.json")):
        if (found := read_sweeper(results, path.stem)) is not None and not found.has_ended:
            with contextlib.suppress(OSError):
                if found.is_here or time.time() - path.stat().st_mtime < 2 * GONE_S:
                    yield found


def read_sweeper(results: Path, sweeper_id: str) -> Sweeper | None:
    """What a process says of itself; None where it has left, or says nothing that can be read."""
    if not _ID.fullmatch(sweeper_id):
        return None
    try:
        with open_own(_path(results, sweeper_id), "r") as file:
            stated = json.load(file)
        found = Sweeper(**stated | {"beat": int(stated["beat"]), "pid": int(stated["pid"])})
        return found if found.pid > 0 else None
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def remove_ended(results: Path) -> None:
    """Remove the files of processes that have ended, and of those that nobody has renewed for a day."""
    for path in (results / STATE / _FOLDER).glob("*.json"):
        if not _ID.fullmatch(path.stem):
            continue
        with contextlib.suppress(OSError):
            found, age_s = read_sweeper(results, path.stem), time.time() - path.stat().st_mtime
            if (found is not None and found.has_ended) or age_s > _FORGOTTEN_S:
                path.unlink()


class Watch:
    """Tells which processes are gone by looking again and again: those whose files no longer change."""

    def __init__(self) -> None:
        self.seen: dict[Path, tuple[Sweeper | None, float]] = {}

    def is_gone(self, results: Path, sweeper_id: str, named_in: Path) -> bool:
        """Whether a process has ended, left the folder, or shown no sign of life for `GONE_S` since it was first seen.

        Args:
            sweeper_id: what `named_in` says; in a file that is not complete yet it is no id, and nobody renews that.
        """
        found = read_sweeper(results, sweeper_id)
        if found is None and _ID.fullmatch(sweeper_id) and not _path(results, sweeper_id).exists():
            return True
        if found is not None and found.has_ended:
            return True
        now = time.monotonic()
        before, since = self.seen.get(named_in, (None, now))
        if found != before:
            since = now
        self.seen[named_in] = (found, since)
        return now - since >= GONE_S


def _path(results: Path, sweeper_id: str) -> Path:
    return results / STATE / _FOLDER / f"{sweeper_id}.json"


def refuse_if_swept(results: Path) -> None:
    """Raises UserError where a process sweeps the folder."""
    if found := next(sweepers(results), None):
        raise UserError(f"{results} is in use by a sweep, {found}")
