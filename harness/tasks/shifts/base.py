"""What a change of an evaluation set is."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import SettingError
from harness.ranges import Checked

if TYPE_CHECKING:
    from harness.families.base import Family
    from harness.tasks.base import Batch, Task


@dataclass(frozen=True)
class Place:
    """Where a change is written, for what is said of a mistake.

    Attributes:
        setting: full name, such as ``shifts.noisy.noise``.
        found: its value, as it is written.
    """

    setting: str
    found: Any

    def refused(self, allowed: str) -> SettingError:
        """The error that says what would have been accepted."""
        return SettingError(self.setting, self.found, allowed)


class Change(Checked, ABC):
    """One change of a shift: a dataclass of settings, the first of which may be written alone.

    It never sees the training batches.
    """

    def of_task(self, task: Task, place: Place) -> Task:
        """The task whose evaluation set is to be measured; the same one where only its inputs change.

        Raises:
            SettingError: this task cannot be changed so.
        """
        return task

    def refuse(self, task: Task, family: Family, place: Place) -> None:
        """Raise SettingError where this task's inputs cannot be changed so, or the family cannot read them then."""

    def of_batch(self, batch: Batch, task: Task, rng: np.random.Generator) -> Batch:
        """The evaluation set with its inputs changed."""
        return batch
