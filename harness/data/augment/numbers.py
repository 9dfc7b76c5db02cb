"""Augmentation of numbers of any kind: noise and mixup."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.data.augment.base import Augmentation
from harness.data.augment.noise import normal, seeds
from harness.ranges import at_least, setting

if TYPE_CHECKING:
    from torch import Tensor

    from harness.tasks.base import Batch


@dataclass
class Noise(Augmentation):
    """Adds normal noise, independent at every number."""

    kinds = ("images", "audio", "features")

    deviation: float = setting(0.1, "its deviation, in the units of the prepared inputs", at_least(0))

    def draw(self, rng: np.random.Generator, batch: Batch) -> dict[str, np.ndarray]:
        return {"seed": seeds(rng, len(batch.inputs))}

    def apply(self, inputs: Tensor, targets: Tensor, drawn: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        noise = normal(drawn["seed"], math.prod(inputs.shape[1:])).reshape(inputs.shape)
        return inputs + self.deviation * noise.to(inputs.dtype), targets


@dataclass
class Mixup(Augmentation):
    """Mixes each example, and its targets alike, with another of its batch (Zhang et al. 2018, "mixup", equation 1).

    The share of the example itself is drawn from Beta(alpha, alpha).
    """

    kinds = ("images", "audio", "features")
    mixes = True

    alpha: float = setting(0.2, "of the distribution of shares; 0 changes nothing, 1 is uniform", at_least(0))

    def draw(self, rng: np.random.Generator, batch: Batch) -> dict[str, np.ndarray]:
        count = len(batch.inputs)
        share = rng.beta(self.alpha, self.alpha, size=count) if self.alpha else np.ones(count)
        # How far away the partner stands, so that it is one of the same member's wherever that stands.
        return {"share": share.astype(np.float32), "offset": rng.permutation(count) - np.arange(count)}

    def apply(self, inputs: Tensor, targets: Tensor, drawn: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        import torch

        partner = torch.arange(len(inputs), device=inputs.device) + drawn["offset"]

        def mixed(values: Tensor) -> Tensor:
            share = drawn["share"].to(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
            return share * values + (1 - share) * values[partner]

        return mixed(inputs), mixed(targets)
