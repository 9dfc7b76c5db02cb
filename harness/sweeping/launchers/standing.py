"""How far submissions are: which of their runs have ended, train, wait, or are lost, without Slurm's accounting.

Slurm's queue says which tasks wait and which have a node. That one has died whose runs have neither ended nor a
process that shows signs of life is told by claims and heartbeats alone (`sweeping.presence`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.records.pieces import recorded
from harness.sweeping.claims import claimed
from harness.sweeping.launchers import slurm
from harness.sweeping.launchers.submission import Start, Submission, submissions
from harness.sweeping.presence import Watch, read_sweeper, sweepers
from harness.wording import counted

#: What becomes of a task, in the order in which it is told.
STATES = ("done", "running", "queued", "requeued", "cancelled", "lost")

#: Reasons of Slurm for which a task waits that will start one day, if nobody touches it.
_USUAL = ("None", "Resources", "Priority", "BeginTime", "Dependency", "JobArrayTaskLimit", "Licenses", "Reservation")


@dataclass(frozen=True)
class Standing:
    """How far a submission is.

    Attributes:
        state: of each task, one of `STATES`.
        under_way: runs that wait or train.
        lost: runs that have not ended, and that nobody has any more; cancelled ones too.
        remarks: what is to be said of tasks that trained nothing or were lost.
    """

    submission: Submission
    state: tuple[str, ...]
    under_way: frozenset[str]
    lost: frozenset[str]
    remarks: tuple[str, ...]

    def __str__(self) -> str:
        counts = Counter(self.state)
        told = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
        return f"Slurm job {self.submission.array_id}, {counted(len(self.state), 'task')}: {told}"


def standings(results: Path, watch: Watch | None = None) -> list[Standing]:
    """How far each submission of a results folder is that has runs which have not ended; the oldest first.

    Args:
        watch: of whoever looks again and again, and so sees sooner that a process has gone.

    Raises:
        UserError: Slurm is not there, or does not answer.
    """
    if not (handed_in := list(submissions(results))):
        return []
    rows, at_work = recorded(results).rows, claimed(results)
    taken, kept = set[str](), list[Standing]()
    for submission in reversed(handed_in):
        if (found := _of(submission, rows, at_work, taken, watch)) is not None:
            taken |= found.under_way | found.lost
            kept.insert(0, found)
    return kept


def _of(
    submission: Submission,
    rows: Mapping[str, Mapping[str, Any]],
    at_work: set[str],
    taken: set[str],
    watch: Watch | None,
) -> Standing | None:
    """None where all its runs have ended, or are under way in later submissions: `taken`."""
    ended = submission.ended(rows.values()) | taken
    if all(ended.issuperset(task.run_ids) for task in submission.tasks) or submission.array_id is None:
        return None
    seen = slurm.states(submission.array_id)
    states, under_way, lost, remarks = list[str](), set[str](), set[str](), list[str]()
    for index, task in enumerate(submission.tasks):
        left = set(task.run_ids) - ended
        state, its = _state(submission, index, left, seen.get(index), at_work, watch)
        states.append(state)
        remarks += its
        (lost if state in ("lost", "cancelled") else under_way).update(left)
    return Standing(submission, tuple(states), frozenset(under_way), frozenset(lost), tuple(remarks))


def _state(
    submission: Submission,
    index: int,
    left: set[str],
    seen: slurm.TaskState | None,
    at_work: set[str],
    watch: Watch | None,
) -> tuple[str, list[str]]:
    """The state of a task, and what is to be said of it.

    Args:
        left: its runs that have not ended.
    """
    if not left:
        return "done", []
    starts, name = submission.starts(index), f"task {submission.array_id}_{index}"
    if seen is not None and seen.is_queued:
        reason = seen.reason.strip("()")
        odd = reason not in _USUAL and not reason.startswith(("QOS", "Assoc", "NodeDown", "ReqNodeNotAvail"))
        remarks = [f"{name} waits in the queue: {reason} is why, as Slurm has it"] if odd else []
        return ("requeued" if starts else "queued"), remarks
    has_node = seen is not None and seen.is_running
    if left & at_work or (has_node and (not starts or _lives(submission, index, starts[-1], watch))):
        return "running", []
    if submission.is_cancelled:
        return "cancelled", []
    if not starts:
        ended = f" ({seen.state}, {seen.reason})" if seen is not None else ""
        why = f"ended before it began{ended}: do its nodes see {submission.results}? See {submission.log}"
    elif starts[-1].refused:
        why = starts[-1].refused
    else:
        state = f", as {seen.state}" if seen is not None else ""
        why = f"ended on {starts[-1].host}{state}, with {counted(len(left), 'run')} left: see {submission.log}"
    return "lost", [f"{name} {why}"]


def _lives(submission: Submission, index: int, start: Start, watch: Watch | None) -> bool:
    """Whether the process of a task that has a node shows signs of life: by a watch, or as far as one look can tell.

    One that has left the folder itself has ended or queues itself again: Slurm will say which.
    """
    if read_sweeper(submission.results, start.sweeper) is None:
        return True
    if watch is not None:
        return not watch.is_gone(submission.results, start.sweeper, submission.starts_file(index))
    return any(sweeper.id == start.sweeper for sweeper in sweepers(submission.results))
