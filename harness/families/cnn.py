"""Convolutional network on images: depth 3x3 convolutions at full resolution, global average, a linear readout."""

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

KERNEL = 3


class Block(nn.Module):
    """Convolution, normalisation over all channels of an example, ReLU."""

    def __init__(self, n_in: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, width, KERNEL, padding="same", bias=False)
        self.norm = nn.GroupNorm(1, width)  # no running statistics: members stack, and train and eval are alike

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(self.conv(x)))


class CNNModel(nn.Module):
    """Images (B, C, H, W) -> logits (B, 1, n_outputs)."""

    def __init__(self, n_channels: int, width: int, depth: int, n_outputs: int, zero_head: bool) -> None:
        super().__init__()
        self.n_channels, self.width = n_channels, width
        self.blocks = nn.ModuleList(Block(width if i else n_channels, width) for i in range(depth))
        self.head = nn.Linear(width, n_outputs)
        self.zero_head = zero_head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(dim=(2, 3))).unsqueeze(1)

    def roles(self) -> dict[str, Role]:
        roles = {}
        for i in range(len(self.blocks)):
            std = math.sqrt(2 / (KERNEL**2 * (self.width if i else self.n_channels)))
            roles[f"blocks.{i}.conv.weight"] = Role("mlp", "hidden" if i else "input", std)
            roles[f"blocks.{i}.norm.weight"] = Role("norm", "input", 0.0, mean=1.0, decays=False)
            roles[f"blocks.{i}.norm.bias"] = Role("norm", "input", 0.0, decays=False)
        head_std = 0.0 if self.zero_head else 1 / math.sqrt(self.width)
        roles["head.weight"] = Role("head", "output", head_std)
        roles["head.bias"] = Role("head", "input", 0.0, decays=False)
        return roles


@dataclass
class CNN(Family):
    """Convolutional network on images: `depth` convolutions of 3 x 3, then the mean over the image."""

    zero_head: bool = setting(False, "start with all logits equal: a readout of zeros", Flag())

    @property
    def name(self) -> str:
        return "cnn"

    @property
    def reads(self) -> tuple[InputKind, ...]:
        return ("images",)

    def build(self, shape: Shape, signature: Signature, parametrization: ParametrizationSettings) -> CNNModel:
        n_channels, _, _ = _image(signature)
        return CNNModel(n_channels, shape.width, shape.depth, signature.n_outputs, self.zero_head)

    def count(self, shape: Shape, signature: Signature) -> ParameterCount:
        w, (n_channels, _, _) = shape.width, _image(signature)
        return ParameterCount(
            mlp=KERNEL**2 * w * (n_channels + (shape.depth - 1) * w),
            norm=2 * w * shape.depth,
            head=(w + 1) * signature.n_outputs,
        )

    def forward_flops(self, shape: Shape, signature: Signature) -> float:
        w, (_, height, width) = shape.width, _image(signature)
        hidden = (shape.depth - 1) * 2.0 * KERNEL**2 * w * w * height * width
        return _first_layer_flops(shape, signature) + hidden + 2.0 * w * signature.n_outputs

    def training_flops(self, shape: Shape, signature: Signature) -> float:
        # Backward costs as much again for weights and for inputs, but the images need no gradient.
        return 3 * self.forward_flops(shape, signature) - _first_layer_flops(shape, signature)


def _first_layer_flops(shape: Shape, signature: Signature) -> float:
    n_channels, height, width = _image(signature)
    return 2.0 * KERNEL**2 * n_channels * shape.width * height * width


def _image(signature: Signature) -> tuple[int, int, int]:
    assert signature.feature_shape is not None
    n_channels, height, width = signature.feature_shape
    return n_channels, height, width
