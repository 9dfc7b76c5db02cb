"""Which processes sweep a results folder: a small file each, renewed as long as the process works.

Nothing here needs a lock of the file system, so several machines may share a folder (`sweeping.shared_files`). On the
machine of a process the kernel says whether it is alive. Elsewhere it counts as gone when its file has not changed for
`GONE_S` by the clock of whoever looks, so that clocks need not agree.
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
from harness.records.machine import HOST, MACHINE, is_running, process_start
from harness.sweeping.shared_files import LocalFiles, SharedFiles, shared_files

#: Seconds after which a process renews its file, and after which one that has not is gone. With the time between two
#: looks, which is when the last renewal is seen and when its age is, a death is known within 30 s.
RENEWED_S, GONE_S = 5.0, 20.0

#: Seconds after which a file is removed that nobody renews. Clocks of machines differ by less.
_FORGOTTEN_S = 24 * 3600.0

_FILE = re.compile(r"(?P<id>[0-9a-f]{16})\.json")


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
        self.files = shared_files(results)
        self.beat, self.renewed_at = 0, time.monotonic()
        pid = os.getpid()
        self.sweeper = Sweeper(secrets.token_hex(8), HOST, MACHINE, pid, process_start(pid))
        self.files.create(_name(self.sweeper.id), self._stated())

    def renew(self) -> None:
        """Show that this process still works, if the time for it has come; in a folder that is gone, nothing."""
        if time.monotonic() - self.renewed_at < RENEWED_S:
            return
        self.beat, self.renewed_at = self.beat + 1, time.monotonic()
        with contextlib.suppress(OSError):
            self.files.renew(_name(self.sweeper.id), self._stated())

    def end(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self.files.remove(_name(self.sweeper.id))

    @property
    def path(self) -> Path | None:
        """Where the file is; None on an object store."""
        return self.files.path(_name(self.sweeper.id)) if isinstance(self.files, LocalFiles) else None

    def _stated(self) -> str:
        """Of one length, so that the file can be written over."""
        return json.dumps(asdict(self.sweeper) | {"beat": f"{self.beat:012}"})


def sweepers(results: Path) -> Iterator[Sweeper]:
    """The processes that sweep a folder, as far as one look can tell; see `Watch` for whether one is gone.

    Another machine's counts for as long as its file looks young by the clock here.

    Raises:
        UserError: the folder is on an object store, which cannot be asked.
    """
    files = shared_files(results)
    for sweeper_id in _ids(files):
        if (found := _read(files, sweeper_id)) is not None and not found.has_ended:
            with contextlib.suppress(OSError):
                if found.is_here or files.age_s(_name(sweeper_id)) < GONE_S + RENEWED_S:
                    yield found


def read_sweeper(results: Path, sweeper_id: str) -> Sweeper | None:
    """What a process says of itself; None where it has left, or says nothing that can be read."""
    return _read(shared_files(results), sweeper_id)


def remove_ended(results: Path) -> None:
    """Remove the files of processes that have ended, and of those that nobody has renewed for a day."""
    files = shared_files(results)
    for sweeper_id in _ids(files):
        with contextlib.suppress(OSError):
            found, name = _read(files, sweeper_id), _name(sweeper_id)
            if (found is not None and found.has_ended) or files.age_s(name) > _FORGOTTEN_S:
                files.remove(name)


def _ids(files: SharedFiles) -> list[str]:
    try:
        return [found["id"] for name in files.names("sweeps") if (found := _FILE.fullmatch(name))]
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}") from error


def _read(files: SharedFiles, sweeper_id: str) -> Sweeper | None:
    if not _is_id(sweeper_id):
        return None
    try:
        stated = json.loads(files.read(_name(sweeper_id)))
        found = Sweeper(**stated | {"beat": int(stated["beat"]), "pid": int(stated["pid"])})
        return found if found.pid > 0 else None
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _has_left(files: SharedFiles, sweeper_id: str) -> bool:
    try:
        files.read(_name(sweeper_id))
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        pass
    return False


class Watch:
    """Tells which processes are gone by looking again and again: those whose files no longer change."""

    def __init__(self) -> None:
        self.seen: dict[Path | str, tuple[Sweeper | None, float]] = {}

    def is_gone(self, results: Path, sweeper_id: str, named_in: Path | str) -> bool:
        """Whether a process has ended, left the folder, or shown no sign of life for `GONE_S` since it was first seen.

        Args:
            sweeper_id: what `named_in` says; in a file that is not complete yet it is no id, and nobody renews that.
        """
        files = shared_files(results)
        found = _read(files, sweeper_id)
        if found is None and _is_id(sweeper_id) and _has_left(files, sweeper_id):
            return True
        if found is not None and found.has_ended:
            return True
        now = time.monotonic()
        before, since = self.seen.get(named_in, (None, now))
        if found != before:
            since = now
        self.seen[named_in] = (found, since)
        return now - since >= GONE_S


def _is_id(text: str) -> bool:
    return _FILE.fullmatch(f"{text}.json") is not None


def _name(sweeper_id: str) -> str:
    return f"sweeps/{sweeper_id}.json"


def refuse_if_swept(results: Path) -> None:
    """Raises UserError where a process sweeps the folder."""
    if found := next(sweepers(results), None):
        raise UserError(f"{results} is in use by a sweep, {found}")
