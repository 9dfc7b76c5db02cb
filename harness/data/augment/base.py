"""What augmentation is: numbers drawn on the host, applied to training batches on the device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness.data.dataset import Kind
from harness.ranges import Checked

if TYPE_CHECKING:
    from torch import Tensor

    from harness.tasks.base import Batch


class Augmenter(ABC):
    """Changes training batches by random numbers; evaluation is never augmented."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, batch: Batch) -> dict[str, np.ndarray]:
        """The random numbers of a batch of B examples: small arrays (B, ...), by name."""

    @abstractmethod
    def apply(self, inputs: Tensor, targets: Tensor, drawn: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The changed inputs (N, ...) and targets, on the device that they are on.

        Args:
            inputs: N = M * B examples of M members side by side, each member's after those of the one before.
            targets: (N, S) classes, or (N, S, V) soft targets or values.
            drawn: what each member drew, (N, ...).
        """


class Augmentation(Checked, Augmenter):
    """One step of `data.augment`: a dataclass of settings made by `harness.ranges.setting`.

    One of your own is a subclass that implements `draw` and `apply`; write it as ``module.Class`` in `data.augment`. At
    strength 0 it must change nothing, and an example must depend on its own numbers alone, so that members are
    independent of those beside them. Inputs are images (N, C, H, W), frames of audio (N, T, F), tokens (N, T) or
    features (N, F).
    """

    #: The kinds of data that it works on.
    kinds: ClassVar[tuple[Kind, ...]]
    #: Whether it mixes examples, and so needs classes as soft targets (N, S, V).
    mixes: ClassVar[bool] = False
