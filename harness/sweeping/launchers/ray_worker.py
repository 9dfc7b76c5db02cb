"""What a worker on Ray does in its process: come up where the driver is, then train one job after another."""

from __future__ import annotations

import ctypes
import os
import pickle
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.records.machine import HOST

#: Parameters of glibc's mallopt, which as environment variables would come too late for this process.
_MALLOC = {"MALLOC_TRIM_THRESHOLD_": -1, "MALLOC_MMAP_THRESHOLD_": -3}


@dataclass(frozen=True)
class Driver:
    """The process that sweeps, as its workers have to find it.

    Attributes:
        folder: its working folder, which names of files are relative to and whose modules may be the user's own.
        path: where it looks for modules.
        files: what it has written into results folders, which nodes have to see.
        kinds: the classes of the jobs' families and tasks, pickled.
        version: of the harness, and the digest of its code and that of the classes.
    """

    folder: str
    path: tuple[str, ...]
    files: tuple[str, ...]
    kinds: bytes
    version: tuple[str, str]


class RayWorker:
    """An actor. Its jobs run in one thread, and `stop` in another."""

    def come_up(self, driver: Driver, device: str) -> UserError | None:
        """Load what training needs; why this node cannot train for the driver, or None.

        Args:
            device: kind of device that jobs train on.
        """
        if device == "cpu":
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        _set_libraries()
        try:
            _follow(driver)
            _refuse_other_code(driver)
        except UserError as error:
            return UserError(str(error))
        from harness.sweeping.worker import settle

        settle()
        return None

    def train(self, job: bytes, git_revision: str | None) -> Any:
        """What became of a job, pickled: a `sweeping.crew.Answer`."""
        from harness.sweeping.worker import answer_to, run_job

        return answer_to(run_job, job, git_revision)

    def stop(self) -> None:
        """Let the job in training write its checkpoint and end."""
        from harness.sweeping.checkpoints import ASKED_TO_STOP

        ASKED_TO_STOP.set()


def _set_libraries() -> None:
    """As `sweeping.server` starts workers with, before torch is loaded here."""
    from harness.sweeping.server import OF_WORKERS

    os.environ.update(OF_WORKERS)
    with suppress(OSError, AttributeError):
        for name, parameter in _MALLOC.items():
            ctypes.CDLL(None).mallopt(parameter, ctypes.c_int(min(int(OF_WORKERS[name]), 2**31 - 1)))


def _follow(driver: Driver) -> None:
    """Go where the driver is.

    Raises:
        UserError: this node does not see it.
    """
    try:
        os.chdir(driver.folder)
    except OSError as error:
        raise UserError(f"{driver.folder} is not on the node {HOST}: {_SHARED}") from error
    for file in driver.files:
        if not os.path.exists(file):
            raise UserError(f"{Path(file).parents[2]} is not the same folder on the node {HOST}: {_SHARED}")
    sys.path += [place for place in driver.path if place not in sys.path]


_SHARED = "Ray's nodes have to share it with the machine that sweeps"


def _refuse_other_code(driver: Driver) -> None:
    from harness.sweeping.launchers.submission import version_of_kinds

    try:
        kinds: Sequence[type] = pickle.loads(driver.kinds)
    except Exception as error:
        raise UserError(f"the node {HOST} cannot import what it is to train: {error}") from error
    if (found := version_of_kinds(kinds)) != driver.version:
        other = found[0] if found[0] != driver.version[0] else f"{found[0]}, of other code"
        raise UserError(f"the node {HOST} has harness {other}, and {driver.version[0]} sweeps: they need the same")
