"""A task whose training batches are augmented by noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tiny import SignOfSum


class Noise:
    """Adds normal noise to every example."""

    def __init__(self, size):
        self.size = size

    def draw(self, rng, batch):
        return {"noise": rng.standard_normal(batch.inputs.shape) * self.size}

    def apply(self, inputs, targets, drawn):
        return inputs + drawn["noise"], targets


@dataclass
class NoisySign(SignOfSum):
    noise: float = 0.1

    @property
    def augmenter(self):
        return Noise(self.noise)

    def chance(self, metric):
        return {"loss": np.log(2), "accuracy": 0.5}.get(metric)
