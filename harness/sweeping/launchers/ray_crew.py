"""Workers on the nodes of a Ray cluster, each an actor that trains one job after another.

Ray says where a worker runs and when it has died. What follows a death is the pool's: Ray restarts and retries nothing,
so that nothing is tried twice as often as it should be. The driver's process has the claims.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayError

from harness.errors import UserError
from harness.ladder import Job
from harness.settings import LauncherSettings
from harness.sweeping.crew import Death
from harness.sweeping.failures import JobStopped, OutOfMemoryError
from harness.sweeping.launchers.ray_cluster import join, refuse_gone
from harness.sweeping.launchers.ray_worker import Driver, RayWorker
from harness.sweeping.launchers.submission import kinds_of, version_of_kinds

#: Seconds that a worker may take to end once it is told to.
_END_S = 3.0

#: What Ray says where it has killed a worker because its node was about to run out of memory.
_SHORT = "low on memory"

#: What Ray says, now one and now the other, where a node cannot import the worker's module.
_NOT_LOADED = ("ModuleNotFoundError", "ImportError", "never ran")

#: The group of calls that does not wait for a job in training to end.
_CONTROL = "control"


class RayCrew:
    """A crew on a Ray cluster (`sweeping.crew.Crew`).

    Args:
        jobs: that it is to train; their families and tasks have to be the same code on every node.
        files: what this process has written into the results folders, which nodes have to see.
        device: kind of device that jobs train on.

    Raises:
        UserError: as `ray_cluster.join`.
    """

    def __init__(
        self, size: int, jobs: Sequence[Job], files: Sequence[str], launcher: LauncherSettings, device: str
    ) -> None:
        join(launcher)
        kinds = kinds_of(jobs)
        path = tuple(os.path.abspath(place) for place in sys.path if place)
        self.driver = Driver(os.getcwd(), path, tuple(files), pickle.dumps(kinds), version_of_kinds(kinds))
        self.size, self.device = size, device
        self.actor = ray.remote(
            num_cpus=launcher.cpus_per_task,
            num_gpus=launcher.gpus_of_job(device),
            max_restarts=0,
            max_task_retries=0,
            concurrency_groups={_CONTROL: 1},
        )(RayWorker)

    def start(self, git_revision: str | None) -> Slot:
        """Raises OSError where Ray takes no worker."""
        try:
            return Slot(self.actor.remote(), self.driver, self.device, git_revision)
        except RayError as error:
            refuse_gone()
            raise OSError(_reason(error)) from error

    def heard(self, workers: Sequence[Slot], timeout_s: float) -> list[Slot]:
        """Those that have answered, or died, at the latest after `timeout_s` seconds."""
        asked = [worker.asked for worker in workers if worker.asked is not None]
        if not asked:
            time.sleep(timeout_s)
        # Not by ray.wait, in which every signal becomes Ctrl-C's.
        answered = wait(asked, timeout_s, FIRST_COMPLETED).done
        return [worker for worker in workers if worker.asked in answered]


class Slot:
    """A worker on some node; methods as `sweeping.crew.Worker` has them.

    Attributes:
        asked: the answer that is due; None where none is.
        death: what Ray said of its end.
    """

    def __init__(self, actor: Any, driver: Driver, device: str, git_revision: str | None) -> None:
        self.actor, self.git_revision = actor, git_revision
        self.ready, self.is_fresh = False, True
        self.asked: Future[Any] | None = actor.come_up.remote(driver, device).future()
        self.death: RayError | None = None

    def give(self, job: Job) -> None:
        """Its death is heard of."""
        self.asked = self.actor.train.remote(pickle.dumps(job), self.git_revision).future()
        self.ready, self.is_fresh = False, False

    def stop(self) -> None:
        """Ask it to end once what it trains has written its checkpoint."""
        with suppress(RayError):
            self.actor.stop.options(concurrency_group=_CONTROL).remote()

    def hear(self) -> Any:
        """Its answer, waited for.

        Raises:
            EOFError: it has died.
            UserError: its node cannot train for this process; the cluster is gone.
        """
        assert self.asked is not None
        try:
            answer = self.asked.result()
        except RayError as error:
            refuse_gone()
            self.death = error
            raise EOFError(_reason(error)) from error
        self.asked = None
        if self.is_fresh and isinstance(answer, UserError):
            raise answer
        if isinstance(answer, JobStopped | OutOfMemoryError):
            # Memory that libraries hold on to is the next job's only in another process.
            self.dismiss()
            self.asked = self.actor.stop.remote().future()  # which fails, as the end of a process's pipe does
        else:
            self.ready = True
        return answer

    def dismiss(self) -> None:
        """Let it end at once."""
        with suppress(RayError):
            ray.kill(self.actor, no_restart=True)

    def end(self) -> Death:
        """End it, in mid-training too, or find that it has ended; why it did."""
        self.dismiss()
        if self.asked is not None and self.death is None:
            wait([self.asked], _END_S)
        if self.death is None:
            return Death("its process on Ray has ended")
        return Death(_reason(self.death), out_of_memory=_SHORT in str(self.death))


def _reason(error: RayError) -> str:
    """Why a worker is no more, in one line."""
    said = str(error)
    if _SHORT in said:
        return "out of memory: killed by Ray"
    if any(words in said for words in _NOT_LOADED):
        return "a node of Ray cannot load the worker; is the same harness installed there?"
    if "worker process has died" in said:
        return "its process on Ray was killed"
    if "node" in said and ("died" in said or "dead" in said):
        return "its node has left the Ray cluster"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    named = [line for line in lines if "Error: " in line]
    return (named or lines or [type(error).__name__])[-1]
