"""The processes of a running sweep, as /proc shows them (Linux)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: What can be killed with SIGKILL.
VICTIMS = ("worker", "parent", "fork server", "resource tracker", "whole tree")


@dataclass(frozen=True)
class Process:
    """One process that is alive; `session` is the process id of the command that it belongs to."""

    pid: int
    parent: int
    session: int
    command: str


def processes_of(session: int) -> list[Process]:
    """The living processes of a session, its leader too."""
    pids = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return [process for pid in pids if (process := _process(pid)) is not None and process.session == session]


def session_of(pid: int) -> int | None:
    """The session of a living process; None for one that is dead."""
    process = _process(pid)
    return None if process is None else process.session


def wait_for_death(pids: Iterable[int], at_most_s: float) -> None:
    """Wait until processes have died, or so many seconds."""
    until = time.monotonic() + at_most_s
    while any(_process(pid) is not None for pid in pids) and time.monotonic() < until:
        time.sleep(0.01)


def _process(pid: int) -> Process | None:
    """A living process; one that only waits to be reaped is dead."""
    folder = Path("/proc") / str(pid)
    try:
        # The name of the program, in parentheses, may hold spaces.
        state, parent, _, session, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
        command = (folder / "cmdline").read_text().replace("\0", " ")
    except OSError:
        return None
    return None if state in "ZX" else Process(pid, int(parent), int(session), command)


def find(victim: str, session: int) -> list[int]:
    """Process ids of one of `VICTIMS`, several where there are several; none where there is no such process now."""
    processes = processes_of(session)
    servers = [each.pid for each in processes if "forkserver" in each.command and each.parent == session]
    of_kind = {
        "parent": [each.pid for each in processes if each.pid == session],
        "fork server": servers,
        "resource tracker": [each.pid for each in processes if "resource_tracker" in each.command],
        # Forked from the server, they show its command; once it is dead, another process is their parent.
        "worker": [each.pid for each in processes if "forkserver" in each.command and each.pid not in servers],
        "whole tree": [each.pid for each in processes],
    }
    return of_kind[victim]


def kill(pids: list[int]) -> None:
    """SIGKILL; those that have ended meanwhile are passed over."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
