"""Jobs of a sweep packed into the array tasks of a batch scheduler.

A task holds `slots` workers side by side, takes its jobs in their order, and is ended at its walltime. The packing is
first-fit decreasing: units (a job, or the jobs of one trunk), longest first, each into the first task that still has
room. Of tasks of one slot this takes at most 11/9 of the fewest that hold them, and 6/9 of one (Johnson 1973; Dósa
2007).

The size is found by halving, as MULTIFIT does (Coffman, Garey and Johnson 1978): the least for which tasks are no
more than may run at once, or a multiple of that where the walltime asks for several rounds. In one round of tasks of
one slot the last ends within 13/11 of the least time that there is (Yue 1990), and the tolerance of halving; longest
first to whoever is free, without walltimes, ends within 4/3 of it (Graham 1969).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import UserError
from harness.ladder import Job
from harness.sweeping.cost import START_S
from harness.sweeping.schedule import makespan
from harness.sweeping.trunks import by_trunk

#: A task is to end within its walltime even if its jobs take this many times what is predicted.
SAFETY = 1.5

#: Of a task's time, at most this share goes into its start, where there are jobs enough.
START_SHARE = 0.05

#: Halvings of the size of tasks: the least is found to within 1/1000 of the walltime.
_HALVINGS = 10


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

    Each job is in one task, and the jobs of one trunk follow each other there, the shortest first. Tasks are few: none
    is shorter than the longest job, which all wait for anyway, nor so short that its start counts (`START_SHARE`).
    Where a job or trunk alone does not end within the walltime it has a slot to itself, in a task of such jobs only:
    they go on from their checkpoints when the task is queued again.

    Args:
        seconds: predicted of a job on one worker, at least 0.
        walltime_s: after which the scheduler ends a task.
        at_once: tasks that may run at a time; None where nothing but the number of jobs limits them.
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
    """Tasks of the least size that makes them no more than a round holds, or as many rounds as `room` asks for.

    Args:
        units: longest first, each at most `room`.
        beside: tasks that there are already.
    """
    if not units:
        return []
    least = min(room, max(units[0].seconds, start_s * (1 / START_SHARE - 1)))
    tasks = _first_fit(units, least, slots)
    if at_once is None or beside + len(tasks) <= at_once:
        return tasks
    tasks = _first_fit(units, room, slots)
    most = math.ceil((beside + len(tasks)) / at_once) * at_once - beside
    for _ in range(_HALVINGS):
        size = (least + room) / 2
        found = _first_fit(units, size, slots)
        if len(found) <= most:
            tasks, room = found, size
        else:
            least = size
    return tasks


def _first_fit(units: Sequence[_Unit], size: float, slots: int) -> list[list[_Unit]]:
    """Each unit in the first task where the slot that is free first has room for it, else in a new one."""
    tasks: list[list[_Unit]] = []
    busy = np.zeros((len(units), slots))
    # When the first slot of each task is free.
    free = np.zeros(len(units))
    for unit in units:
        at = int(np.argmax(free[: len(tasks) + 1] + unit.seconds <= size))
        if at == len(tasks):
            tasks.append([])
        tasks[at].append(unit)
        busy[at, int(np.argmin(busy[at]))] += unit.seconds
        free[at] = busy[at].min()
    return tasks
