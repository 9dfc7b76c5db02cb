"""This machine, as files say it that several machines share."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from pathlib import Path

#: Its name, for people.
HOST = platform.node() or "unknown"


def _identity() -> str:
    """What differs between machines, boots and, with them, containers whose process numbers are their own."""
    parts = [HOST]
    for path in ("/proc/sys/kernel/random/boot_id", "/etc/machine-id"):
        with contextlib.suppress(OSError):
            parts.append(Path(path).read_text().strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


#: Stands for the process numbers of this machine, since it was started.
MACHINE = _identity()


def is_running(pid: int, started: int | None = None) -> bool:
    """Whether a process of this machine has not ended.

    Args:
        started: its `process_start`, so that another one that has been given its number since is not taken for it.
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        pass
    state, since = _state(pid)
    # One that has ended keeps its number until its parent asks how.
    return state not in ("Z", "X") and (started is None or since in (started, None))


def process_start(pid: int) -> int | None:
    """When a process started, in clock ticks since its machine did; None where that cannot be known."""
    return _state(pid)[1]


def _state(pid: int) -> tuple[str | None, int | None]:
    """The state of a process, in the letters of proc(5), and `process_start`."""
    try:
        # The name in brackets may hold spaces and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, ValueError, IndexError):
        return None, None


def cores() -> int:
    """How many cores this process may use; on macOS, which cannot tell, how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
