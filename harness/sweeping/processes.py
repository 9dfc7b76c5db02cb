"""One-thread processes that run jobs for this one, and end when it does.

They are forked from a server that has torch loaded already (0.02 s a worker, where importing it takes seconds). All
that ties a worker to its parent is one pipe: jobs go in, answers come out, and each side sees the other's death at
once, whoever killed it, as the end of the pipe. The server's death takes no worker with it, and the next worker starts
a new server.

A worker imports the modules of the job's family and task and never the program that started it, so a script that sweeps
needs no ``if __name__ == "__main__"``.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import connection, spawn
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from queue import SimpleQueue
from threading import RLock, Thread
from typing import Any
from unittest.mock import patch

from harness.errors import UserError
from harness.ladder import Job
from harness.sweeping import server
from harness.sweeping.checkpoints import ASKED_TO_STOP
from harness.sweeping.failures import Ended, JobError, JobStopped, OutOfMemoryError, job_error

#: What is made of a job and the revision of the code: for one that is trained, how its runs ended.
Work = Callable[[Job, str | None], Any]

#: What a worker answers: how the job's runs ended, or why it has no outcomes.
Answer = list[Ended] | JobError | JobStopped | UserError

#: What is sent in place of a job to a worker that is to end.
_STOP = b""

#: How long a worker may take to end once its pipe has.
_END_S = 3.0

_preparation_data = spawn.get_preparation_data


class _Process(ForkServerProcess):
    """A process that does not begin by running the main module once more, which may be a script that sweeps."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        with patch.object(spawn, "get_preparation_data", _without_main):
            return ForkServerProcess._Popen(process_obj)


class _Context(ForkServerContext):
    Process = _Process


def _without_main(name: str) -> dict[str, Any]:
    return {key: value for key, value in _preparation_data(name).items() if not key.startswith("init_main_from")}


class Worker:
    """A process that runs one job after another.

    Attributes:
        ready: whether it has come up and waits for a job.
        is_fresh: whether it has had none yet, so that all memory is its next job's.

    Raises:
        OSError, EOFError: it cannot be started.
    """

    def __init__(self, work: Work, git_revision: str | None) -> None:
        context = _Context()
        server.start()
        self.ready, self.is_fresh = False, True
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work, git_revision))
        try:
            with theirs, server.what_it_inherits():
                self.process.start()
        except BaseException:
            self.pipe.close()
            raise

    def give(self, job: Job) -> None:
        """Raises OSError where it has died."""
        self.pipe.send(job)
        self.ready, self.is_fresh = False, False

    def stop(self) -> None:
        """Ask it to end; what it trains writes its checkpoint first, and it answers with a JobStopped."""
        with suppress(OSError):
            self.pipe.send_bytes(_STOP)

    def hear(self) -> Any:
        """Its answer to the job that it was given, an `Answer` if that is trained; None for word that it has come up.

        Waits for it.

        Raises:
            OSError, EOFError: it has died.
        """
        answer = self.pipe.recv()
        self.ready = not isinstance(answer, JobStopped | OutOfMemoryError)
        return answer

    def end(self) -> int | None:
        """End it, in mid-training too; its exit code, negative for a signal."""
        self.pipe.close()
        self.process.join(_END_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        return self.process.exitcode


def heard(workers: Sequence[Worker], timeout_s: float) -> list[Worker]:
    """Those that have answered, or died, at the latest after `timeout_s` seconds."""
    ready = connection.wait([worker.pipe for worker in workers], timeout_s)
    return [worker for worker in workers if worker.pipe in ready]


def _serve(pipe: Connection, work: Work, git_revision: str | None) -> None:
    """Run the jobs that come through a pipe, one after another, until it ends: what a worker does."""
    gc.freeze()  # what has been imported stays: to look through all of it for garbage takes .3 s each time
    _share_no_lock()
    jobs: SimpleQueue[bytes] = SimpleQueue()
    signal.signal(signal.SIGTERM, lambda *_: jobs.put(_stop()))
    Thread(target=_listen, args=(pipe, jobs), daemon=True).start()
    answer: Any = None
    while True:
        with suppress(OSError):  # no parent is left, and `_listen` ends this process
            pipe.send(answer)
        if (message := jobs.get()) == _STOP:
            return
        try:
            answer = work(pickle.loads(message), git_revision)
        except UserError as error:
            answer = UserError(str(error))
        except (JobError, JobStopped) as error:
            answer = error
        except Exception as error:
            answer = job_error(error)
        if isinstance(answer, OutOfMemoryError):
            pipe.send(answer)
            return  # memory that libraries hold on to is the next job's only in another process


def _share_no_lock() -> None:
    """Keep torch.compile's progress bars from a lock of processes, which one that ends at once would leave behind."""
    from torch.hub import tqdm  # that of the package where it is installed, else torch's own, which takes no lock

    if hasattr(tqdm, "set_lock"):
        tqdm.set_lock(RLock())


def _stop() -> bytes:
    """Let the job in training end at its next step, and no other begin."""
    ASKED_TO_STOP.set()
    return _STOP


def _listen(pipe: Connection, jobs: SimpleQueue[bytes]) -> None:
    """Take jobs out of a pipe and end this process at the pipe's end, for then nobody waits for what it trains."""
    try:
        while True:
            message = pipe.recv_bytes()
            jobs.put(_stop() if message == _STOP else message)
    except (OSError, EOFError):
        os._exit(0)
