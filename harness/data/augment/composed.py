"""The steps of `data.augment` one after the other, as one augmenter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.data.augment import STEPS
from harness.data.augment.base import Augmentation, Augmenter
from harness.data.dataset import Kind
from harness.data.settings import DataSettings
from harness.data.steps import Steps, name_of
from harness.errors import SettingError

if TYPE_CHECKING:
    from torch import Tensor

    from harness.tasks.base import Batch


def augmenter(settings: DataSettings, kind: Kind, n_outputs: int) -> Augmenter | None:
    """What `data.augment` asks for; None where it asks for nothing.

    Args:
        kind: of the data; audio is augmented as frames, text as tokens.
        n_outputs: number of classes, which mixup makes soft targets of.

    Raises:
        SettingError: a step that is for another kind.
    """
    steps: list[Augmentation] = Steps("harness.data.augment").build("data.augment", settings.augment)
    for i, step in enumerate(steps):
        if kind not in step.kinds:
            name = name_of(step, STEPS)
            wanted = f"a step for {kind}; {name} is for {' and '.join(step.kinds)}"
            raise SettingError(f"data.augment[{i}]", name, wanted)
    return Composed(steps, n_outputs) if steps else None


@dataclass(frozen=True)
class Composed(Augmenter):
    """Steps in their order."""

    steps: Sequence[Augmentation]
    n_outputs: int

    def draw(self, rng: np.random.Generator, batch: Batch) -> dict[str, np.ndarray]:
        return {
            f"{i}.{name}": numbers
            for i, step in enumerate(self.steps)
            for name, numbers in step.draw(rng, batch).items()
        }

    def apply(self, inputs: Tensor, targets: Tensor, drawn: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        from torch.nn.functional import one_hot

        for i, step in enumerate(self.steps):
            if step.mixes and targets.ndim == 2:
                targets = one_hot(targets, self.n_outputs).float()
            own = {name.partition(".")[2]: numbers for name, numbers in drawn.items() if name.startswith(f"{i}.")}
            inputs, targets = step.apply(inputs, targets, own)
        return inputs, targets
