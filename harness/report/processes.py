"""Work of which each part takes seconds, such as drawing the pictures of a study, on several cores."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TypeVar

from harness.records.machine import cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def on_all_cores(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """What `work` makes of each item.

    Processes are forked for it, which have in memory all that this one has. This one does it alone where a fork is not
    safe: beside other threads, as in a notebook, and elsewhere than on Linux; or where memory does not suffice.

    Args:
        work: can be pickled, as items and results can.
    """
    n = min(cores(), len(items))
    if n > 1 and sys.platform == "linux" and threading.active_count() == 1:
        # Ctrl-C reaches them too, and is this process's to answer.
        ignore = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
        try:
            with ProcessPoolExecutor(n, multiprocessing.get_context("fork"), initializer=ignore) as processes:
                return list(processes.map(work, items))
        except BrokenProcessPool:  # the kernel killed one for its memory
            pass
    return [work(item) for item in items]
