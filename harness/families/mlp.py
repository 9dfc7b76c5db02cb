"""Multi-layer perceptron on features: hidden layers of one width or of several, ReLU, a linear readout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from harness.families.base import Family, ParameterCount, Shape
from harness.families.dropout import dropout
from harness.families.parametrization import Role
from harness.ranges import Flag, ListOf, Number, or_null, setting, whole
from harness.settings import ParametrizationSettings
from harness.tasks.base import InputKind, Signature


class MLPModel(nn.Module):
    """Features (B, *feature_shape) -> logits (B, 1, n_outputs)."""

    def __init__(self, sizes: Sequence[int], n_outputs: int, zero_head: bool, dropout_rate: float = 0.0) -> None:
        """`sizes`: the number of inputs, then the width of each hidden layer."""
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairwise(sizes))
        self.head = nn.Linear(sizes[-1], n_outputs)
        self.dropouts = nn.ModuleList(dropout(dropout_rate) for _ in self.layers)
        self.sizes, self.zero_head = sizes, zero_head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        for layer, drop in zip(self.layers, self.dropouts, strict=True):
            x = drop(torch.relu(layer(x)))
        return self.head(x).unsqueeze(1)

    def roles(self) -> dict[str, Role]:
        roles = {}
        for i, fan_in in enumerate(self.sizes[:-1]):
            # He et al. 2015: sqrt(2 / fan_in) keeps the size of activations through ReLUs.
            std = math.sqrt(2 / fan_in)
            roles[f"layers.{i}.weight"] = Role("mlp", "hidden" if i else "input", std)
            roles[f"layers.{i}.bias"] = Role("mlp", "input", 0.0, decays=False)
        head_std = 0.0 if self.zero_head else 1 / math.sqrt(self.sizes[-1])
        roles["head.weight"] = Role("head", "output", head_std)
        roles["head.bias"] = Role("head", "input", 0.0, decays=False)
        return roles


@dataclass
class MLP(Family):
    """Multi-layer perceptron on features: `depth` hidden layers of one width, or those that `layers` lists; ReLU."""

    layers: Any = setting(
        None,
        "widths of the hidden layers; a size's width is that of the first, and the others are multiplied alike",
        or_null(ListOf(whole(1)), "equal layers, as many as the size is deep"),
        default_in_identity=False,
    )
    zero_head: bool = setting(False, "start with all logits equal: a readout of zeros", Flag())
    dropout: float = setting(
        0.0,
        "share of each hidden layer's outputs that training drops",
        Number(0, 1, below=True),
        default_in_identity=False,
    )

    @property
    def name(self) -> str:
        return "mlp"

    @property
    def free_in_children(self) -> tuple[str, ...]:
        return ("dropout", "zero_head")

    @property
    def reads(self) -> tuple[InputKind, ...]:
        return ("features", "images", "frames")

    @property
    def fixed_depth(self) -> int | None:
        return None if self.layers is None else len(self.layers)

    def build(self, shape: Shape, signature: Signature, parametrization: ParametrizationSettings) -> MLPModel:
        return MLPModel(self._sizes(shape, signature), signature.n_outputs, self.zero_head, self.dropout)

    def count(self, shape: Shape, signature: Signature) -> ParameterCount:
        sizes = self._sizes(shape, signature)
        hidden = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
        return ParameterCount(mlp=hidden, head=(sizes[-1] + 1) * signature.n_outputs)

    def forward_flops(self, shape: Shape, signature: Signature) -> float:
        sizes = [*self._sizes(shape, signature), signature.n_outputs]
        return 2.0 * sum(n_in * n_out for n_in, n_out in pairwise(sizes))

    def training_flops(self, shape: Shape, signature: Signature) -> float:
        # Backward costs a product for the weights and one for the inputs of each layer, but data need no gradient.
        return 3 * self.forward_flops(shape, signature) - 2.0 * math.prod(self._sizes(shape, signature)[:2])

    def kept_for_backward(self, shape: Shape, signature: Signature) -> float:
        return float(sum(self._sizes(shape, signature)))  # a ReLU keeps what comes out, which the next layer takes

    def _sizes(self, shape: Shape, signature: Signature) -> list[int]:
        """The number of inputs, then the width of each hidden layer."""
        assert signature.feature_shape is not None
        if self.layers is None:
            widths = [shape.width] * shape.depth
        else:
            widths = [max(1, round(width * shape.width / self.layers[0])) for width in self.layers]
        return [math.prod(signature.feature_shape), *widths]
