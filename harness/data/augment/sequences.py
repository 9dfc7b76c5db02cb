"""Augmentation of frames of audio (N, T, F) and of tokens (N, T)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.data.augment.base import Augmentation
from harness.data.augment.images import shifted
from harness.data.augment.noise import seeds, uniform
from harness.ranges import Number, between, setting, whole

if TYPE_CHECKING:
    from torch import Tensor

    from harness.tasks.base import Batch


@dataclass
class SpecAugment(Augmentation):
    """Masks bands of frequencies and stretches of time by the mean of the example (Park et al. 2019, section 2).

    A mask's width is uniform from 0 to the largest, and its place uniform among those where it fits. Time is not
    warped.
    """

    kinds = ("audio",)

    frequency_masks: int = setting(2, "masks of frequencies", whole(0))
    frequency_width: float = setting(0.2, "largest width of one, as a share of the frequencies", between(0, 1))
    time_masks: int = setting(2, "masks of time", whole(0))
    time_width: float = setting(0.2, "largest width of one, as a share of the frames", between(0, 1))

    def draw(self, rng: np.random.Generator, batch: Batch) -> dict[str, np.ndarray]:
        count, frames, frequencies = batch.inputs.shape
        return {
            "time": _masks(rng, (count, self.time_masks), frames, self.time_width),
            "frequency": _masks(rng, (count, self.frequency_masks), frequencies, self.frequency_width),
        }

    def apply(self, inputs: Tensor, targets: Tensor, drawn: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        masked = _covered(drawn["time"], inputs.shape[1])[:, :, None]
        masked = masked | _covered(drawn["frequency"], inputs.shape[2])[:, None, :]
        mean = inputs.mean(dim=(1, 2), keepdim=True)
        return mean.where(masked, inputs), targets


def _masks(rng: np.random.Generator, shape: tuple[int, int], size: int, largest: float) -> np.ndarray:
    """(B, masks, 2) int64: the first place that is masked, and the first after it that is not."""
    width = rng.integers(int(largest * size) + 1, size=shape)
    start = rng.integers(size - width + 1)
    return np.stack([start, start + width], axis=-1)


def _covered(masks: Tensor, size: int) -> Tensor:
    """(N, size) bool."""
    import torch

    places = torch.arange(size, device=masks.device)
    return ((places >= masks[..., :1]) & (places < masks[..., 1:])).any(dim=1)


@dataclass
class Shift(Augmentation):
    """Moves frames in time; the first or the last one is repeated."""

    kinds = ("audio",)

    shift: float = setting(0.1, "largest shift, as a share of the frames; 0 changes nothing", between(0, 1))

    def draw(self, rng: np.random.Generator, batch: Batch) -> dict[str, np.ndarray]:
        most = int(self.shift * batch.inputs.shape[1])
        return {"by": rng.integers(-most, most + 1, size=len(batch.inputs))}

    def apply(self, inputs: Tensor, targets: Tensor, drawn: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        return shifted(inputs, drawn["by"], 1), targets


@dataclass
class TokenDropout(Augmentation):
    """Puts one token in the place of some of the inputs; what is to be predicted stays."""

    kinds = ("text",)

    probability: float = setting(0.1, "of a token to be replaced; 0 changes nothing", Number(0, 1, below=True))
    token: int = setting(0, "the number of the token that stands for them", whole(0))

    def draw(self, rng: np.random.Generator, batch: Batch) -> dict[str, np.ndarray]:
        return {"seed": seeds(rng, len(batch.inputs))}

    def apply(self, inputs: Tensor, targets: Tensor, drawn: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        # A number is above 0, so that a probability of 0 replaces none.
        return inputs.masked_fill(uniform(drawn["seed"], inputs.shape[1]) <= self.probability, self.token), targets
