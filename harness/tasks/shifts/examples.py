"""Other examples of the same source: of other groups, such as speakers, or from other files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.data.load import prepared
from harness.data.settings import DataSettings
from harness.errors import DataError
from harness.ranges import ListOf, Text, setting
from harness.tasks.shifts.base import Change, Place

if TYPE_CHECKING:
    from harness.tasks.base import Task


@dataclass
class Groups(Change):
    """The examples of these groups, none of which is trained on: `data.reserve` keeps groups for this."""

    names: Any = setting([], "of groups", ListOf(Text("names of groups")))

    def of_task(self, task: Task, place: Place) -> Task:
        return _evaluated_on(task, {"groups": self.names}, place)


@dataclass
class Files(Change):
    """The examples of files whose names match one of these patterns, none of which is trained on (`data.reserve`)."""

    patterns: Any = setting([], "of names, such as 2024/*", ListOf(Text("patterns of names of files, such as 2024/*")))

    def of_task(self, task: Task, place: Place) -> Task:
        return _evaluated_on(task, {"files": self.patterns}, place)


def _evaluated_on(task: Task, chosen: dict[str, Sequence[str]], place: Place) -> Task:
    """The task with these examples in the place of those held out."""
    data = getattr(task, "data", None)
    if not isinstance(data, DataSettings):
        raise place.refused(f"another change: it is of data from elsewhere (data=NAME), not of task={task.name}")
    kind = task.data_kind  # type: ignore[attr-defined]  # every task that reads data has it
    try:
        shifted = replace(data, evaluate_on=(data.evaluate_on or {}) | chosen)
        left = len(prepared(shifted, kind).train)
    except DataError as error:
        raise place.refused(f"what is there and not trained on; {error}") from error
    if (copies := len(prepared(data, kind).train) - left) > 0:
        raise place.refused(f"what is not trained on; {copies:,} training examples are copies of these")
    return replace(task, data=shifted)  # type: ignore[type-var]  # a task is a dataclass
