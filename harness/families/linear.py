"""A linear map of the features: linear and logistic regression, the smallest of models."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from harness.errors import SettingError
from harness.families.base import Family, ParameterCount, Shape
from harness.families.parametrization import Role
from harness.ranges import Flag, setting
from harness.settings import ParametrizationSettings
from harness.tasks.base import InputKind, Signature


class LinearModel(nn.Module):
    """Features (B, *feature_shape) -> outputs (B, 1, n_outputs)."""

    def __init__(self, n_inputs: int, n_outputs: int, zero: bool) -> None:
        super().__init__()
        self.n_inputs, self.zero = n_inputs, zero
        self.head = nn.Linear(n_inputs, n_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x.flatten(1)).unsqueeze(1)

    def roles(self) -> dict[str, Role]:
        std = 0.0 if self.zero else 1 / math.sqrt(self.n_inputs)
        return {"head.weight": Role("head", "input", std), "head.bias": Role("head", "input", 0.0, decays=False)}


@dataclass
class Linear(Family):
    """Outputs linear in the features. It has one size; what can grow is the data, by `ladder.train_examples`."""

    zero: bool = setting(True, "start at zero", Flag())

    @property
    def name(self) -> str:
        return "linear"

    @property
    def reads(self) -> tuple[InputKind, ...]:
        return ("features", "images", "frames")

    def check(self, shape: Shape, signature: Signature) -> None:
        if (shape.width, shape.depth) != (1, 1):
            allowed = "one size, of width and depth 1, as ladder=one has it; a linear map does not grow"
            raise SettingError("ladder", f"width {shape.width}, depth {shape.depth}", allowed)

    def build(self, shape: Shape, signature: Signature, parametrization: ParametrizationSettings) -> LinearModel:
        return LinearModel(_n_inputs(signature), signature.n_outputs, self.zero)

    def count(self, shape: Shape, signature: Signature) -> ParameterCount:
        return ParameterCount(head=(_n_inputs(signature) + 1) * signature.n_outputs)

    def forward_flops(self, shape: Shape, signature: Signature) -> float:
        return 2.0 * _n_inputs(signature) * signature.n_outputs

    def training_flops(self, shape: Shape, signature: Signature) -> float:
        return 2 * self.forward_flops(shape, signature)  # features need no gradient


def _n_inputs(signature: Signature) -> int:
    assert signature.feature_shape is not None
    return math.prod(signature.feature_shape)
