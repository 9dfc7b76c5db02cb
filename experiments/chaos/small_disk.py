"""A disk of a few MB, where this system lets us make one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_INSIDE = "CHAOS_IN_NAMESPACE"


def enter_namespace() -> None:
    """Run this program anew where disks that it mounts are its own and go with it, if the system has such places."""
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    if _INSIDE not in os.environ and _succeeds(*unshare, "true"):
        os.environ[_INSIDE] = "1"
        os.execvp("unshare", [*unshare, sys.executable, *sys.argv])


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """Mount an empty disk at a folder, which is made; False where that is not allowed."""
    folder.mkdir(parents=True)
    size = f"size={megabytes}m"
    mounted = _INSIDE in os.environ and _succeeds("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder))
    try:
        yield mounted
    finally:
        if mounted:
            _succeeds("umount", "--lazy", str(folder))


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False
