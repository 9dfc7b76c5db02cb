"""What a step of preparation is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from harness.data.dataset import Dataset, Kind
from harness.ranges import Checked

#: What a step is for. Those that clean stand before all others.
Stage = Literal["clean", "scale", "balance"]


@dataclass(frozen=True)
class Change:
    """What a step did to one side of the split.

    Attributes:
        split: "train" or "eval".
        removed, changed: examples.
        note: in a phrase, what was fitted or what else there is to know.
    """

    split: str
    removed: int = 0
    changed: int = 0
    note: str = ""


class Step(Checked, ABC):
    """One step of `data.prepare`: a dataclass of settings made by `harness.ranges.setting`.

    A step of your own is a subclass that implements `apply`; write it as ``module.Class`` in `data.prepare`. What it
    estimates (a mean, a threshold) it estimates on the training examples alone, and it never changes in place what it
    is given.
    """

    #: The kinds of data that it works on.
    kinds: ClassVar[tuple[Kind, ...]] = get_args(Kind)
    stage: ClassVar[Stage] = "clean"

    @abstractmethod
    def apply(
        self, train: Dataset, evaluation: Dataset, rng: np.random.Generator
    ) -> tuple[Dataset, Dataset, list[Change]]:
        """Both sides after the step, and what it did; a side that is not in the list is as it was.

        Raises:
            DataError: the data cannot be prepared in this way.
        """
