"""The evaluation sets of a study: its own, and one for each of its shifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import SettingError
from harness.tasks.base import Batch, Task
from harness.tasks.shifts.base import Change, Place
from harness.tasks.shifts.reading import changes_of
from harness.tasks.streams import shift_stream

if TYPE_CHECKING:
    from harness.settings import Settings

#: What the largest number of shifted inputs may be, lest a slip make outputs that are no numbers.
_LARGEST_INPUT = 1e6
#: Sets of this process, by all that they follow from: the jobs of a study share them.
_kept: dict[tuple[type, str, str], EvaluationSet] = {}
_MOST_KEPT = 16


@dataclass(frozen=True)
class EvaluationSet:
    """What models are asked.

    Attributes:
        split: its name in the measurements, "eval" for the task's own.
        task: which says the subtasks, their weights and what a guesser gets.
        batch: the examples.
    """

    split: str
    task: Task
    batch: Batch

    @classmethod
    def own(cls, task: Task) -> EvaluationSet:
        """That of the task as it is trained."""
        return cls("eval", task, task.eval_batch())


def shifted_sets(settings: Settings) -> list[EvaluationSet]:
    """The evaluation set of each shift of a study, in the order in which they are written.

    Raises:
        SettingError: as `check_shifts`, or inputs that are no numbers any more.
    """
    return [_set(settings, name) for name in settings.shifts or {}]


def check_shifts(settings: Settings) -> None:
    """Refuse shifts that the study's task or family cannot have; makes no evaluation set.

    Raises:
        SettingError: which, and why.
    """
    for name in settings.shifts or {}:
        _task_of(settings, name)


def _set(settings: Settings, name: str) -> EvaluationSet:
    key = (type(settings.task), repr(settings.task), repr((name, settings.shifts[name])))
    if key not in _kept:
        task, changes = _task_of(settings, name)
        batch, rng = task.eval_batch(), shift_stream()
        for place, change in changes:
            batch = change.of_batch(batch, task, rng)
            if batch.inputs.dtype.kind == "f" and not np.abs(batch.inputs).max() <= _LARGEST_INPUT:
                raise place.refused(f"less: inputs become larger than {_LARGEST_INPUT:g}")
        while len(_kept) >= _MOST_KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = EvaluationSet(name, task, batch)
    return _kept[key]


def _task_of(settings: Settings, name: str) -> tuple[Task, Sequence[tuple[Place, Change]]]:
    """The task that a shift makes, and its changes."""
    task, changes = settings.task, changes_of(f"shifts.{name}", settings.shifts[name])
    for place, change in changes:
        change.refuse(task, settings.family, place)
        task = change.of_task(task, place)
    if task.signature.kind != settings.task.signature.kind:
        raise SettingError(f"shifts.{name}", settings.shifts[name], "one that leaves the kind of the inputs as it is")
    return task, changes
