"""Longer sequences than those that were trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import SettingError
from harness.ranges import Number, setting
from harness.tasks.shifts.base import Change, Place

if TYPE_CHECKING:
    from harness.families.base import Family
    from harness.tasks.base import Task


@dataclass
class Length(Change):
    """Sequences so many times as long, of the same vocabulary, for families that read any length."""

    factor: float = setting(2.0, "their length over that in training", Number(1, 64, above=True))

    def of_task(self, task: Task, place: Place) -> Task:
        try:
            longer = task.longer(self.factor)
        except SettingError as error:
            raise place.refused(f"a factor that task={task.name} can follow; {error}") from None
        if longer is None:
            raise place.refused(f"another change: task={task.name} has no setting by which its sequences become longer")
        before, after = task.signature, longer.signature
        if after.context <= before.context:
            raise place.refused(f"a larger factor: {before.context} tokens would be {after.context}")
        if (before.vocab_size, before.n_outputs) != (after.vocab_size, after.n_outputs):
            raise place.refused(f"another change: the vocabulary of task={task.name} grows with the length")
        return longer

    def refuse(self, task: Task, family: Family, place: Place) -> None:
        if task.signature.vocab_size is None:
            raise place.refused(f"another change: it is of tokens, and task={task.name} gives {task.signature.kind}")
        if not family.any_length:
            instead = "family.positions=rotary" if hasattr(family, "positions") else "a family that reads any length"
            reads = f"family={family.name} here reads sequences as long as in training"
            raise place.refused(f"another change, or {instead}: {reads}")
