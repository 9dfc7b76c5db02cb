"""Jobs of a sweep packed into the array tasks of a batch scheduler.

A task holds `slots` workers side by side, takes its jobs in their order, and is ended at its walltime. How many tasks
there are is decided first: as many as may run at once, or a multiple of that where the walltime asks for several
rounds, and fewer where their start would count. Then each unit (a job, or the jobs of one trunk), longest first, goes
to the slot that is free first. This is longest processing time first: the last slot ends within 4/3 - 1/(3 slots) of
the least time that so many slots could take (Graham 1969). Bin packing into the fewest tasks, as first-fit decreasing
does (Coffman, Garey and Johnson 1978), leaves places empty and lets all wait where one job was predicted too long.

Tasks that keep to what is packed into them end later than tasks that then take each other's jobs by their claims, and
hold more: see experiments/scale_simulation.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.errors import UserError
from harness.ladder import Job
from harness.sweeping.cost import START_S
from harness.sweeping.schedule import makespan
from harness.sweeping.trunks import by_trunk

#: A task is to end within its walltime even if its jobs take this many times what is predicted.
SAFETY = 1.5

#: Of a task's time, at most this share goes into its start, where there are jobs enough.
START_SHARE = 0.05


@dataclass(frozen=True)
class _Unit:
    """Jobs that follow each other in one slot, and their predicted seconds together."""

    jobs: Sequence[Job]
    seconds: float


def pack(
    jobs: Sequence[Job],
    seconds: Callable[[Job], float],
    walltime_s: float,
    at_once: int | None = None,
    slots: int = 1,
    start_s: float = START_S,
    safety: float = SAFETY,
) -> list[list[Job]]:
    """Array tasks, longest predicted first; the jobs of each in the order in which its workers are to take them.

    Each job is in one task, and the jobs of one trunk follow each other there, the shortest first. Where a job or trunk
    alone does not end within the walltime it has a slot to itself, in a task of such jobs only: they go on from their
    checkpoints when the task is queued again.

    Args:
        seconds: predicted of a job on one worker, at least 0.
        walltime_s: after which the scheduler ends a task.
        at_once: tasks that may run at a time; None where their start alone limits how many it pays to have.
        slots: workers side by side in a task.
        start_s: that a task takes before its first job.
        safety: a task that does not only hold jobs of the kind above is predicted to take at most
            start_s + (walltime_s - start_s) / safety.

    Raises:
        UserError: a task would have no time left after its start.
    """
    room = (walltime_s - start_s) / safety
    if room <= 0:
        raise UserError(
            f"a task of {walltime_s:g} s has no time for a job: allowed are more than the {start_s:g} s of its start"
        )
    units = [_Unit(together, math.fsum(map(seconds, together))) for together in by_trunk(jobs)]
    units.sort(key=lambda unit: unit.seconds, reverse=True)
    over = [unit for unit in units if unit.seconds > room]
    tasks = [over[first : first + slots] for first in range(0, len(over), slots)]
    tasks += _even(units[len(over) :], room, start_s, len(tasks), at_once, slots)
    packed = [[job for unit in task for job in unit.jobs] for task in tasks]
    return sorted(packed, key=lambda task: task_seconds(task, seconds, slots), reverse=True)


def task_seconds(task: Sequence[Job], seconds: Callable[[Job], float], slots: int = 1, start_s: float = 0.0) -> float:
    """Predicted seconds of a task: of its start, and until the last of its jobs has ended; 0 for no jobs.

    Its workers take the jobs in their order, those of one trunk one after another.
    """
    units = [math.fsum(map(seconds, together)) for together in by_trunk(task)]
    return start_s + makespan(units, slots) if units else 0.0


def _even(
    units: Sequence[_Unit], room: float, start_s: float, beside: int, at_once: int | None, slots: int
) -> list[list[_Unit]]:
    """As many tasks as pay and may run at once, or as many rounds of these as it takes for each to end within `room`.

    Args:
        units: longest first, each at most `room`.
        beside: tasks that there are already.
    """
    if not units:
        return []
    total, most = math.fsum(unit.seconds for unit in units), math.ceil(len(units) / slots)
    pays = total / slots * START_SHARE / (1 - START_SHARE)
    n_tasks = most if pays >= most * start_s else max(1, int(pays / start_s))
    places = most if at_once is None else at_once - beside % at_once
    n_tasks = min(n_tasks, places)
    while True:
        tasks, longest = _to_whom_is_free(units, n_tasks, slots)
        if longest <= room:
            return tasks
        n_tasks = min(most, max(n_tasks + 1, math.ceil(n_tasks * longest / room)))
        if at_once is not None and n_tasks < most:
            n_tasks = places + math.ceil(max(0, n_tasks - places) / at_once) * at_once


def _to_whom_is_free(units: Sequence[_Unit], n_tasks: int, slots: int) -> tuple[list[list[_Unit]], float]:
    """Each unit in the task of the slot that is free first, of all slots; and when the last slot is free again.

    Within a task that slot is its first free one, so that the workers take the units to where they are put here.
    """
    free = [(0.0, slot) for slot in range(n_tasks * slots)]
    tasks: list[list[_Unit]] = [[] for _ in range(n_tasks)]
    for unit in units:
        busy, slot = free[0]
        heapq.heapreplace(free, (busy + unit.seconds, slot))
        tasks[slot // slots].append(unit)
    return [task for task in tasks if task], max(free)[0]
