"""Jobs on one-thread processes: a job that fails or is killed takes no other with it.

Workers are forked from a server that has torch loaded already (0.02 s a worker, where importing it takes seconds).
pebble's pool replaces a worker that dies and says which job it had. A worker imports the modules of the job's family
and task and never the program that started it, so a script that sweeps needs no ``if __name__ == "__main__"``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import spawn
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.forkserver import ensure_running
from typing import Any
from unittest.mock import patch

from pebble import ProcessExpired, ProcessPool

from harness.ladder import Job
from harness.sweeping.display import Display
from harness.sweeping.failures import Ended, JobError, death
from harness.sweeping.worker import run_job, write_failure

POLL_S = 0.25

#: Settings of libraries that would otherwise start a thread for each core in every worker.
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

Work = Callable[[Job, str | None], list[Ended]]

_preparation_data = spawn.get_preparation_data


class _Worker(ForkServerProcess):
    """A worker that does not begin by running the main module once more, which may be a script that sweeps."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        with patch.object(spawn, "get_preparation_data", _without_main):
            return ForkServerProcess._Popen(process_obj)


class _Context(ForkServerContext):
    Process = _Worker


def _without_main(name: str) -> dict[str, Any]:
    return {key: value for key, value in _preparation_data(name).items() if not key.startswith("init_main_from")}


def run_jobs(
    jobs: Sequence[Job], workers: int, git_revision: str | None, display: Display, work: Work = run_job
) -> list[Ended]:
    """Run jobs in the order given on `workers` processes; returns how every run ended.

    Failed jobs are recorded as failed runs. On an exception (Ctrl-C) the workers are ended: runs that they had not
    written yet are lost, and none is written in part.

    Raises:
        UserError: a results folder cannot be written.
    """
    ended: list[Ended] = []
    pool = ProcessPool(max_workers=min(workers, len(jobs)) or 1, context=_fork_server())
    try:
        left: dict[Future[list[Ended]], Job] = {pool.schedule(work, args=[job, git_revision]): job for job in jobs}
        while left:
            done, _ = wait(left, timeout=POLL_S, return_when=FIRST_COMPLETED)
            for future in done:
                job = left.pop(future)
                try:
                    results = future.result()
                except ProcessExpired as error:
                    results = write_failure(job, death(error.exitcode), git_revision)
                except (JobError, BrokenProcessPool) as error:
                    results = write_failure(job, str(error), git_revision)
                ended += results
                display.ended(job, results)
            display.refresh(list(left.values()))
    finally:
        pool.stop()
        pool.join()
    return ended


def _fork_server() -> ForkServerContext:
    context = _Context()
    # The tracer that training uses imports torch._inductor when first called, 1.6 s that each worker would pay.
    context.set_forkserver_preload(["harness.sweeping.pool", "torch._inductor"])
    # Ctrl-C reaches the whole process group; the server and its workers leave it to this process to end them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        with patch.dict(os.environ, dict.fromkeys(_ONE_THREAD, "1")):
            ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context
