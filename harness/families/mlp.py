"""Multi-layer perceptron on features: depth hidden layers of one width, ReLU, a linear readout."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from harness.families.base import Family, ParameterCount, Shape
from harness.families.parametrization import Role
from harness.ranges import Flag, setting
from harness.settings import ParametrizationSettings
from harness.tasks.base import InputKind, Signature


class MLPModel(nn.Module):
    """Features (B, *feature_shape) -> logits (B, 1, n_outputs)."""

    def __init__(self, n_inputs: int, width: int, depth: int, n_outputs: int, zero_head: bool) -> None:
        super().__init__()
        self.n_inputs, self.width = n_inputs, width
        self.layers = nn.ModuleList(nn.Linear(width if i else n_inputs, width) for i in range(depth))
        self.head = nn.Linear(width, n_outputs)
        self.zero_head = zero_head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x).unsqueeze(1)

    def roles(self) -> dict[str, Role]:
        roles = {}
        for i in range(len(self.layers)):
            # He et al. 2015: sqrt(2 / fan_in) keeps the size of activations through ReLUs.
            std = math.sqrt(2 / (self.width if i else self.n_inputs))
            roles[f"layers.{i}.weight"] = Role("mlp", "hidden" if i else "input", std)
            roles[f"layers.{i}.bias"] = Role("mlp", "input", 0.0, decays=False)
        head_std = 0.0 if self.zero_head else 1 / math.sqrt(self.width)
        roles["head.weight"] = Role("head", "output", head_std)
        roles["head.bias"] = Role("head", "input", 0.0, decays=False)
        return roles


@dataclass
class MLP(Family):
    """Multi-layer perceptron on features: `depth` hidden layers of one width, ReLU."""

    zero_head: bool = setting(False, "start with all logits equal: a readout of zeros", Flag())

    @property
    def name(self) -> str:
        return "mlp"

    @property
    def reads(self) -> tuple[InputKind, ...]:
        return ("features", "images")

    def build(self, shape: Shape, signature: Signature, parametrization: ParametrizationSettings) -> MLPModel:
        return MLPModel(_n_inputs(signature), shape.width, shape.depth, signature.n_outputs, self.zero_head)

    def count(self, shape: Shape, signature: Signature) -> ParameterCount:
        w = shape.width
        hidden = (_n_inputs(signature) + 1) * w + (shape.depth - 1) * (w + 1) * w
        return ParameterCount(mlp=hidden, head=(w + 1) * signature.n_outputs)

    def forward_flops(self, shape: Shape, signature: Signature) -> float:
        w = shape.width
        return 2.0 * (_n_inputs(signature) * w + (shape.depth - 1) * w * w + w * signature.n_outputs)

    def training_flops(self, shape: Shape, signature: Signature) -> float:
        # Backward costs a product for the weights and one for the inputs of each layer, but data need no gradient.
        return 3 * self.forward_flops(shape, signature) - 2.0 * _n_inputs(signature) * shape.width


def _n_inputs(signature: Signature) -> int:
    assert signature.feature_shape is not None
    return math.prod(signature.feature_shape)
