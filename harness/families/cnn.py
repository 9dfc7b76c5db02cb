"""Convolutional network: equal 3x3 convolutions at full resolution and a global mean, or any list of layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from harness.errors import SettingError
from harness.families.base import Family, ParameterCount, Shape
from harness.families.dropout import dropout
from harness.families.layers import (
    FORMS,
    Conv,
    ConvBlock,
    Dense,
    DenseBlock,
    GlobalMean,
    Layer,
    Size,
    at_width,
    depth,
    read_layers,
    sizes,
)
from harness.families.parametrization import Role
from harness.ranges import Flag, ListOf, Number, Text, or_null, setting
from harness.settings import ParametrizationSettings
from harness.tasks.base import InputKind, Signature


class CNNModel(nn.Module):
    """Images (B, C, H, W), or frames (B, H, W) as images of one channel -> logits (B, 1, n_outputs)."""

    def __init__(
        self, layers: Sequence[Layer], image: Size, n_outputs: int, zero_head: bool, dropout_rate: float = 0.0
    ) -> None:
        super().__init__()
        *inputs, output = sizes(layers, image)
        self.layers = nn.Sequential(*(layer.build(size) for layer, size in zip(layers, inputs, strict=True)))
        dropped = [isinstance(layer, Dense) or layer is layers[-1] for layer in layers]
        self.dropouts = nn.ModuleList(dropout(dropout_rate if drops else 0.0) for drops in dropped)
        self.head = nn.Linear(math.prod(output), n_outputs)
        self.image, self.zero_head = image, zero_head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.reshape(-1, *self.image)
        for layer, drop in zip(self.layers, self.dropouts, strict=True):
            x = drop(layer(x))
        return self.head(x.flatten(1)).unsqueeze(1)

    def roles(self) -> dict[str, Role]:
        roles: dict[str, Role] = {}
        for i, block in enumerate(self.layers):
            if isinstance(block, ConvBlock | DenseBlock):
                own = block.roles("hidden" if roles else "input")
                roles |= {f"layers.{i}.{name}": role for name, role in own.items()}
        head_std = 0.0 if self.zero_head else 1 / math.sqrt(self.head.in_features)
        roles["head.weight"] = Role("head", "output", head_std)
        roles["head.bias"] = Role("head", "input", 0.0, decays=False)
        return roles


@dataclass
class CNN(Family):
    """Convolutional network on images: `depth` convolutions of 3 x 3, then the mean over the image; or `layers`."""

    layers: Any = setting(
        None,
        "the layers; a size's width is that of the first with weights, and the other widths are multiplied alike",
        or_null(
            ListOf(Text(f"layers, each {FORMS}")),
            "'conv WIDTH 3x3 same norm' as often as the size is deep, then 'global_mean'",
        ),
        default_in_identity=False,
    )
    zero_head: bool = setting(False, "start with all logits equal: a readout of zeros", Flag())
    dropout: float = setting(
        0.0,
        "share that training drops of what dense layers give and the readout takes",
        Number(0, 1, below=True),
        default_in_identity=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layers is not None:
            read_layers("family.layers", self.layers)

    @property
    def together_flops(self) -> float:
        # Convolutions of members are one grouped convolution, which is slow where images are large: four of 12 channels
        # together on images of 28 x 28 took 1.9 times the time of four alone at 2e8 FLOPs a member, four of 4 channels
        # as long at 2.5e7; on 8 x 8 pixels .63 at 1.5e7, .88 at 6e7 and 1.05 at 2e8 (two cores).
        return 2.5e8

    @property
    def name(self) -> str:
        return "cnn"

    @property
    def free_in_children(self) -> tuple[str, ...]:
        return ("dropout", "zero_head")

    @property
    def reads(self) -> tuple[InputKind, ...]:
        return ("images", "frames")

    @property
    def fixed_depth(self) -> int | None:
        return None if self.layers is None else depth(read_layers("family.layers", self.layers))

    @property
    def mlp_holds(self) -> str:
        """Convolutions, and dense layers where `layers` has some."""
        layers = [] if self.layers is None else read_layers("family.layers", self.layers)
        found = {"dense" if isinstance(layer, Dense) else "conv" for layer in layers if isinstance(layer, Conv | Dense)}
        return " + ".join(sorted(found)) or "conv"

    def check(self, shape: Shape, signature: Signature) -> None:
        layers, image = self._layers(shape), _image(signature)
        for i, (layer, size) in enumerate(zip(layers, sizes(layers, image), strict=False)):
            if min(layer.output(size)) < 1:
                height, width = size[1:]
                allowed = f"no larger than the {height} x {width} that is left of an image of {image[1]} x {image[2]}"
                raise SettingError(f"family.layers[{i}]", repr(self.layers[i]), allowed)

    def build(self, shape: Shape, signature: Signature, parametrization: ParametrizationSettings) -> CNNModel:
        return CNNModel(self._layers(shape), _image(signature), signature.n_outputs, self.zero_head, self.dropout)

    def count(self, shape: Shape, signature: Signature) -> ParameterCount:
        layers = self._layers(shape)
        *inputs, output = sizes(layers, _image(signature))
        counts = [layer.count(size) for layer, size in zip(layers, inputs, strict=True)]
        return ParameterCount(
            mlp=sum(count.mlp for count in counts),
            norm=sum(count.norm for count in counts),
            head=(math.prod(output) + 1) * signature.n_outputs,
        )

    def forward_flops(self, shape: Shape, signature: Signature) -> float:
        output = sizes(self._layers(shape), _image(signature))[-1]
        return sum(self._flops(shape, signature)) + 2.0 * math.prod(output) * signature.n_outputs

    def training_flops(self, shape: Shape, signature: Signature) -> float:
        # Backward costs as much again for weights and for inputs, but the images need no gradient.
        first = next(flops for flops in self._flops(shape, signature) if flops)
        return 3 * self.forward_flops(shape, signature) - first

    def kept_for_backward(self, shape: Shape, signature: Signature) -> float:
        layers = self._layers(shape)
        image, *outputs = sizes(layers, _image(signature))
        # A norm keeps what it takes, and its ReLU what comes out.
        each = [2 if isinstance(layer, Conv) and layer.norm else 1 for layer in layers]
        return float(math.prod(image) + sum(n * math.prod(out) for n, out in zip(each, outputs, strict=True)))

    def _flops(self, shape: Shape, signature: Signature) -> list[float]:
        """Of each layer's forward pass."""
        layers = self._layers(shape)
        inputs = sizes(layers, _image(signature))[:-1]
        return [layer.flops(size) for layer, size in zip(layers, inputs, strict=True)]

    def _layers(self, shape: Shape) -> list[Layer]:
        if self.layers is None:
            return [*[Conv(shape.width, (3, 3), "same", norm=True)] * shape.depth, GlobalMean()]
        return at_width(read_layers("family.layers", self.layers), shape.width)


def _image(signature: Signature) -> Size:
    """Channels, height and width."""
    assert signature.feature_shape is not None
    return (1, *signature.feature_shape) if signature.kind == "frames" else signature.feature_shape
