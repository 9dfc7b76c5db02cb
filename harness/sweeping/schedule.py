"""When jobs will have ended that workers take one after another, in their order."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def makespan(seconds: Sequence[float], workers: int, under_way: Sequence[float] = ()) -> float:
    """Seconds until the last job ends, each taken by the first worker that is free, as the pool does it.

    This is list scheduling (Graham 1966): longest first it takes at most 4/3 of the shortest time that there is.

    Args:
        seconds: of each job that waits, in the order in which they are handed out.
        workers: processes side by side.
        under_way: seconds that are left of the jobs that workers are at.
    """
    free = sorted(under_way)
    free += [0.0] * (workers - len(free))
    heapq.heapify(free)
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)
