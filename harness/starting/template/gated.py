"""A family: layers of which one half gates the other, value * sigmoid(gate), at any width and depth.

A family builds the model of a size, and counts its parameters and FLOPs by formula, so that planning costs nothing.
``harness plan --check`` compares the formulas with the models that are built.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import prod, sqrt

import torch
from torch import nn

from harness.errors import UserError
from harness.families.base import Family, ParameterCount, Shape
from harness.families.parametrization import Role
from harness.settings import ParametrizationSettings
from harness.tasks.base import Signature


class GatedLayer(nn.Module):
    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.value = nn.Linear(n_inputs, n_outputs)
        self.gate = nn.Linear(n_inputs, n_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.value(x) * torch.sigmoid(self.gate(x))


class GatedModel(nn.Module):
    """Features (B, *feature_shape) -> logits (B, 1, n_outputs); for tokens they would be (B, T) -> (B, T, n_outputs).

    Several seeds train side by side in one process, by `torch.vmap` over a plain module, which asks of `forward`:

    - no Python `if` or loop that depends on the values of tensors, and no `.item()`; `torch.where` can choose;
    - no change in place of its input or of a parameter: write ``x = x + y``, not ``x += y``;
    - no state that a step leaves behind, such as the running averages of batch normalisation. Constants belong in
      `register_buffer`, and all seeds share them;
    - nothing random, dropout included, for every seed would have to draw its own.

    A model that vmap cannot run is trained one seed after another: slower, but with the same numbers, and `harness
    sweep` says why.
    """

    def __init__(self, n_inputs: int, width: int, depth: int, n_outputs: int) -> None:
        super().__init__()
        self.sizes = [n_inputs, *[width] * depth]
        self.layers = nn.ModuleList(GatedLayer(a, b) for a, b in pairwise(self.sizes))
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        for layer in self.layers:
            x = layer(x)
        return self.head(x).unsqueeze(1)

    def roles(self) -> dict[str, Role]:
        """What each parameter is: the group it is counted in, how it grows with width, and its initial values.

        "input": only its outputs grow with width, as those of the first layer, and all biases; "hidden": both sides
        grow; "output": only its inputs grow. muP (``parametrization=mup``) scales learning rates by it. The number is
        the standard deviation of the initial values, 0 for zeros: what torch has drawn is not used. Biases usually
        have ``decays=False``, so that weight decay leaves them alone.
        """
        roles = {}
        for i, n_inputs in enumerate(self.sizes[:-1]):
            for part in ("value", "gate"):
                weight, bias = f"layers.{i}.{part}.weight", f"layers.{i}.{part}.bias"
                if i == 0:  # gates of the first layer open along lines that lie all over the square
                    roles[weight], roles[bias] = Role("mlp", "input", 3.0), Role("mlp", "input", 1.0, decays=False)
                else:
                    roles[weight] = Role("mlp", "hidden", 2 / sqrt(n_inputs))
                    roles[bias] = Role("mlp", "input", 0.0, decays=False)
        roles["head.weight"] = Role("head", "output", 1 / sqrt(self.sizes[-1]))
        roles["head.bias"] = Role("head", "input", 0.0, decays=False)
        return roles


@dataclass
class Gated(Family):
    """The family's settings would be fields here, with their values in conf/family/gated.yaml; it has none."""

    name = "gated"

    def check(self, shape: Shape, signature: Signature) -> None:
        if signature.feature_shape is None:
            raise UserError("family=gated reads features and this task gives tokens: allowed is family=transformer")

    def build(self, shape: Shape, signature: Signature, parametrization: ParametrizationSettings) -> GatedModel:
        return GatedModel(_n_inputs(signature), shape.width, shape.depth, signature.n_outputs)

    def count(self, shape: Shape, signature: Signature) -> ParameterCount:
        """Parameters by the groups that `roles` names, weights and biases."""
        n, w = _n_inputs(signature), shape.width
        return ParameterCount(
            mlp=2 * (n + 1) * w + (shape.depth - 1) * 2 * (w + 1) * w, head=(w + 1) * signature.n_outputs
        )

    def forward_flops(self, shape: Shape, signature: Signature) -> float:
        """Of one example: 2 for each multiply-add of the matrix products; all else is left out."""
        n, w = _n_inputs(signature), shape.width
        return 2.0 * (2 * n * w + (shape.depth - 1) * 2 * w * w + w * signature.n_outputs)

    def training_flops(self, shape: Shape, signature: Signature) -> float:
        """The backward pass costs twice the forward pass, but the data need no gradient."""
        return 3 * self.forward_flops(shape, signature) - 4.0 * _n_inputs(signature) * shape.width


def _n_inputs(signature: Signature) -> int:
    assert signature.feature_shape is not None
    return prod(signature.feature_shape)
