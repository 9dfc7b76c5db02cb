"""When jobs will have ended that workers take one after another, in their order."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.ladder import Job


def makespan(seconds: Sequence[float], workers: int, under_way: Sequence[float] = ()) -> float:
    """Seconds until the last job ends, each taken by the first worker that is free, as the pool does it.

    This is list scheduling (Graham 1966): longest first it takes at most 4/3 of the shortest time that there is.

    Args:
        seconds: of each job that waits, in the order in which they are handed out.
        workers: processes side by side.
        under_way: seconds that are left of the jobs that workers are at.
    """
    free = sorted(under_way)
    free += [0.0] * (min(workers, len(free) + len(seconds) + 1) - len(free))
    heapq.heapify(free)
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def spread(jobs: Sequence[Job], seconds: Callable[[Job], float], workers: int) -> list[Job]:
    """Jobs, of which those that would keep a worker busy when the others have ended are split between members.

    Members of small models together take less time than one after another, but no less than on workers beside each
    other. Where settings or the family say that they train together, and where durations share steps, jobs stay as they
    are.
    """
    split = list(jobs)
    while split:
        longest = max(split, key=seconds)
        settings, half = longest.settings, len(longest.members) // 2
        fixed = settings.launcher.members_together is not None or settings.ladder.branched
        fixed = fixed or math.isinf(settings.family.together_flops)
        if fixed or half == 0 or seconds(longest) * workers <= sum(map(seconds, split)):
            break
        at = split.index(longest)
        parts = [replace(longest, members=members) for members in (longest.members[:half], longest.members[half:])]
        split[at : at + 1] = parts
    return split
