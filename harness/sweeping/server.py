"""The server that workers are forked from: it loads torch once, beside whatever this process does meanwhile.

It is started where a sweep is certain to be asked for and before anything slow, and knows nothing of jobs. A machine
that has no such servers starts it with the first worker.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from unittest.mock import patch

#: What it loads. The tracer that training uses imports torch._inductor when first called, 1.6 s that each worker would
#: pay.
_LOADED = ["harness.sweeping.worker", "torch._inductor"]

#: Settings of libraries that would otherwise start a thread for each core in every worker, and give memory back to the
#: system that the next step wants again (glibc's; for small models 15 % of a step).
OF_WORKERS = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"),
    # torch.compile would start a pool of processes beside each worker, which nobody ends.
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
}

#: Signals that stop a sweep and may reach its whole process group: its parent alone decides what follows.
_OF_THE_PARENT = [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]


def start() -> None:
    """Start the server if there is none; returns at once.

    Raises:
        OSError, EOFError: it cannot be started.
    """
    forkserver.set_forkserver_preload(_LOADED)
    with what_it_inherits():
        forkserver.ensure_running()


@contextmanager
def what_it_inherits() -> Iterator[None]:
    """What the server, and with it each worker, is to inherit if it is started now."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_PARENT)
    try:
        resource_tracker.ensure_running()  # the server would start it, which unblocks SIGINT for both
        signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_PARENT)
        with patch.dict(os.environ, OF_WORKERS):
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
