"""One-thread processes that run jobs for this one, and end when it does.

They are forked from a server that has torch loaded already (0.02 s a worker, where importing it takes seconds). All
that ties a worker to its parent is one pipe: jobs go in, answers come out, and each side sees the other's death at
once, whoever killed it, as the end of the pipe. The server's death takes no worker with it, and the next worker starts
a new server.

A worker imports the modules of the job's family and task and never the program that started it, so a script that sweeps
needs no ``if __name__ == "__main__"``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing import connection, spawn
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from queue import SimpleQueue
from threading import Thread
from typing import Any
from unittest.mock import patch

from harness.ladder import Job
from harness.sweeping import server
from harness.sweeping.checkpoints import ASKED_TO_STOP
from harness.sweeping.crew import Death, Work
from harness.sweeping.failures import JobStopped, OutOfMemoryError, death, job_error
from harness.sweeping.memory import oom_kills, ran_out
from harness.sweeping.worker import answer_to, run_job, settle
from harness.training.device import cards_of, see_only

#: What is sent in place of a job to a worker that is to end.
_STOP = b""

#: How long a worker may take to end once its pipe has.
_END_S = 3.0

_preparation_data = spawn.get_preparation_data


class _Forked(ForkServerProcess):
    """A process that does not begin by running the main module once more, which may be a script that sweeps."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        with patch.object(spawn, "get_preparation_data", _without_main):
            return ForkServerProcess._Popen(process_obj)


class _Context(ForkServerContext):
    Process = _Forked


def _without_main(name: str) -> dict[str, Any]:
    return {key: value for key, value in _preparation_data(name).items() if not key.startswith("init_main_from")}


class Processes:
    """A crew on this machine (`sweeping.crew.Crew`).

    Args:
        work: what each process makes of a job.
        cards: GPUs that they share; each is told which is its own where there are several.
    """

    def __init__(self, size: int, work: Work = run_job, cards: int = 0) -> None:
        self.size, self.work, self.cards = size, work, cards
        self.places: list[Process | None] = [None] * size

    def start(self, git_revision: str | None) -> Process:
        """Raises OSError or EOFError where no process can be started."""
        place = free_place(self.places)
        cards = cards_of(place, 1, self.cards)
        self.places[place] = started = Process(self.work, git_revision, partial(see_only, cards[0]) if cards else None)
        return started

    def heard(self, workers: Sequence[Process], timeout_s: float) -> list[Process]:
        """Those that have answered, or died, at the latest after `timeout_s` seconds."""
        return heard(workers, timeout_s)


class Process:
    """A worker of its own process; methods as `sweeping.crew.Worker` has them.

    Args:
        prepare: what it does before it says that it has come up.

    Attributes:
        has_ended: whether `end` has been called.

    Raises:
        OSError, EOFError: it cannot be started.
    """

    def __init__(self, work: Work, git_revision: str | None, prepare: Callable[[], None] | None = None) -> None:
        context = _Context()
        server.start()
        self.ready, self.is_fresh, self.has_ended = False, True, False
        self.unprepared: str | None = None
        self.oom_kills: int | None = None
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work, git_revision, prepare))
        try:
            with theirs, server.what_it_inherits():
                self.process.start()
        except BaseException:
            self.pipe.close()
            raise

    def give(self, job: Job) -> None:
        """Raises OSError where it has died."""
        self.oom_kills = oom_kills()
        self.pipe.send(job)
        self.ready, self.is_fresh = False, False

    def stop(self) -> None:
        """Ask it to end once what it trains has written its checkpoint."""
        with suppress(OSError):
            self.pipe.send_bytes(_STOP)

    def hear(self) -> Any:
        """Its answer, waited for; raises OSError or EOFError where it has died."""
        answer = self.pipe.recv()
        if self.is_fresh and answer is not None:
            self.unprepared = str(answer)
            raise EOFError(self.unprepared)
        self.ready = not isinstance(answer, JobStopped | OutOfMemoryError)
        return answer

    def dismiss(self) -> None:
        """Let it see that nobody listens."""
        self.pipe.close()

    def end(self) -> Death:
        """End it, in mid-training too, or find that it has ended; why it did."""
        self.pipe.close()
        self.has_ended = True
        self.process.join(_END_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        exit_code = self.process.exitcode
        if self.unprepared is not None:
            return Death(self.unprepared)
        if (short := ran_out(exit_code, self.oom_kills)) is not None:
            return Death(short, out_of_memory=True)
        return Death(death(exit_code))


def free_place(places: Sequence[Any]) -> int:
    """The first place of a crew that no worker has, or one that has ended."""
    return next(i for i, worker in enumerate(places) if worker is None or worker.has_ended)


def heard(workers: Sequence[Process], timeout_s: float) -> list[Process]:
    """Those that have answered, or died, at the latest after `timeout_s` seconds."""
    ready = connection.wait([worker.pipe for worker in workers], timeout_s)
    return [worker for worker in workers if worker.pipe in ready]


def _serve(pipe: Connection, work: Work, git_revision: str | None, prepare: Callable[[], None] | None) -> None:
    """Run the jobs that come through a pipe, one after another, until it ends: what a worker does."""
    settle()
    jobs: SimpleQueue[bytes] = SimpleQueue()
    signal.signal(signal.SIGTERM, lambda *_: jobs.put(_stop()))
    Thread(target=_listen, args=(pipe, jobs), daemon=True).start()
    answer: Any = None
    try:
        if prepare is not None:
            prepare()
    except Exception as error:
        pipe.send(job_error(error))
        return
    while True:
        with suppress(OSError):  # no parent is left, and `_listen` ends this process
            pipe.send(answer)
        if (message := jobs.get()) == _STOP:
            return
        answer = answer_to(work, message, git_revision)
        if isinstance(answer, OutOfMemoryError):
            pipe.send(answer)
            return  # memory that libraries hold on to is the next job's only in another process


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
