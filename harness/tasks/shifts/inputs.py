"""Changes of the inputs: blur, tokens at random, and the steps of `data.augment`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.data.dataset import Kind
from harness.ranges import Number, setting
from harness.tasks.shifts.base import Change, Place

if TYPE_CHECKING:
    from harness.data.augment.base import Augmentation
    from harness.families.base import Family
    from harness.tasks.base import Batch, Task

#: What data are of which a task gives such inputs.
_KINDS: dict[str, Kind] = {"images": "images", "frames": "audio", "features": "features", "tokens": "text"}


@dataclass
class Blur(Change):
    """Blurs images by a Gaussian; what lies beyond the border repeats the pixels at the border."""

    deviation: float = setting(1.0, "of the Gaussian, in pixels", Number(0, 100, above=True))

    def refuse(self, task: Task, family: Family, place: Place) -> None:
        if task.signature.kind != "images":
            raise place.refused(f"another change: blur is of images, and task={task.name} gives {task.signature.kind}")

    def of_batch(self, batch: Batch, task: Task, rng: np.random.Generator) -> Batch:
        from scipy.ndimage import gaussian_filter  # slow to load, for the few that blur

        sigma = (0, 0, self.deviation, self.deviation)
        blurred = gaussian_filter(batch.inputs, sigma, mode="nearest").astype(batch.inputs.dtype)
        return dataclasses.replace(batch, inputs=blurred)


@dataclass
class Tokens(Change):
    """Puts another token, drawn uniformly from the vocabulary, in the place of some; what is to be predicted stays."""

    probability: float = setting(0.1, "of a token to be replaced", Number(0, 1, above=True))

    def refuse(self, task: Task, family: Family, place: Place) -> None:
        if task.signature.kind != "tokens":
            raise place.refused(f"another change: it is of tokens, and task={task.name} gives {task.signature.kind}")
        _refuse_choices(task, place)

    def of_batch(self, batch: Batch, task: Task, rng: np.random.Generator) -> Batch:
        vocabulary = task.signature.vocab_size or 0
        shape = batch.inputs.shape
        replaced = rng.random(shape) < self.probability
        others = (batch.inputs + rng.integers(1, vocabulary, size=shape)) % vocabulary
        return dataclasses.replace(batch, inputs=np.where(replaced, others, batch.inputs))


@dataclass
class Augmented(Change):
    """A step of `data.augment`, with its random numbers drawn once from a fixed seed."""

    step: Augmentation
    name: str

    def refuse(self, task: Task, family: Family, place: Place) -> None:
        if self.step.mixes:
            raise place.refused("another change: this one mixes examples")
        kind = _KINDS.get(task.signature.kind, task.signature.kind)
        if kind not in self.step.kinds:
            of = " and ".join(self.step.kinds)
            raise place.refused(f"another change: {self.name} is of {of}, and task={task.name} gives {kind}")
        _refuse_choices(task, place)

    def of_batch(self, batch: Batch, task: Task, rng: np.random.Generator) -> Batch:
        import torch

        drawn = {name: torch.from_numpy(numbers) for name, numbers in self.step.draw(rng, batch).items()}
        inputs, _ = self.step.apply(torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets), drawn)
        return dataclasses.replace(batch, inputs=inputs.numpy())


def _refuse_choices(task: Task, place: Place) -> None:
    """Raise SettingError for a task whose answers to choose from are inputs of their own."""
    if task.choices is not None:
        raise place.refused(f"groups or files: task={task.name} compares answers, and each would be changed otherwise")
