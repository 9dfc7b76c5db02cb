"""Layers of a convolutional network, each written in a few words.

conv CHANNELS HxW same|valid [norm]   convolution, then ReLU: "conv 32 3x3 valid". `same` pads with zeros, so that
                                      height and width stay; `valid` does not pad. With `norm` all channels of an
                                      example are normalised before the ReLU, and the convolution has no bias.
max_pool HxW                          the largest value of each window, windows side by side: "max_pool 2x2"
global_mean                           the mean of each channel over the image
dense UNITS                           fully connected, then ReLU: "dense 64"; an image is flattened first
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import nn

from harness.errors import SettingError
from harness.families.base import ParameterCount
from harness.families.parametrization import Kind, Role

#: Shape of what goes into a layer or comes out of it: (channels, height, width), or (units,).
Size = tuple[int, ...]


class Layer(ABC):
    """One layer; what it costs follows from the size of what comes in."""

    @abstractmethod
    def output(self, size: Size) -> Size:
        """What comes out; a height or width below 1 where nothing would."""

    @abstractmethod
    def build(self, size: Size) -> nn.Module:
        """(B, *size) -> (B, *output(size))"""

    def count(self, size: Size) -> ParameterCount:
        return ParameterCount()

    def flops(self, size: Size) -> float:
        """Of one example's forward pass."""
        return 0.0


@dataclass(frozen=True)
class Conv(Layer):
    """Convolution, normalisation if asked for, ReLU."""

    width: int
    kernel: tuple[int, int]
    padding: str
    norm: bool

    def output(self, size: Size) -> Size:
        if self.padding == "same":
            return (self.width, *size[1:])
        return (self.width, *(have - needed + 1 for have, needed in zip(size[1:], self.kernel, strict=True)))

    def build(self, size: Size) -> nn.Module:
        return ConvBlock(size[0], self)

    def count(self, size: Size) -> ParameterCount:
        weights = math.prod(self.kernel) * size[0] * self.width
        return ParameterCount(mlp=weights + (0 if self.norm else self.width), norm=2 * self.width * self.norm)

    def flops(self, size: Size) -> float:
        return 2.0 * math.prod(self.kernel) * size[0] * math.prod(self.output(size))


@dataclass(frozen=True)
class MaxPool(Layer):
    """The largest value of each window; rows and columns left over at the end are dropped."""

    window: tuple[int, int]

    def output(self, size: Size) -> Size:
        return (size[0], *(have // needed for have, needed in zip(size[1:], self.window, strict=True)))

    def build(self, size: Size) -> nn.Module:
        return nn.MaxPool2d(self.window)


@dataclass(frozen=True)
class GlobalMean(Layer):
    """The mean of each channel over height and width."""

    def output(self, size: Size) -> Size:
        return size[:1]

    def build(self, size: Size) -> nn.Module:
        return MeanOverImage()


@dataclass(frozen=True)
class Dense(Layer):
    """Fully connected, ReLU."""

    width: int

    def output(self, size: Size) -> Size:
        return (self.width,)

    def build(self, size: Size) -> nn.Module:
        return DenseBlock(math.prod(size), self.width)

    def count(self, size: Size) -> ParameterCount:
        return ParameterCount(mlp=(math.prod(size) + 1) * self.width)

    def flops(self, size: Size) -> float:
        return 2.0 * math.prod(size) * self.width


# ------------------------------------------------------------------------------------------------------------- modules


class ConvBlock(nn.Module):
    """Images (B, C, H, W) -> (B, layer.width, H', W')."""

    def __init__(self, n_in: int, layer: Conv) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, layer.width, layer.kernel, padding=layer.padding, bias=not layer.norm)
        # No running statistics: members stack, and train and eval are alike.
        self.norm = nn.GroupNorm(1, layer.width) if layer.norm else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return torch.relu(x if self.norm is None else self.norm(x))

    def roles(self, kind: Kind) -> dict[str, Role]:
        roles = {"conv.weight": _weight(kind, self.conv.weight)}
        if self.norm is None:
            return roles | {"conv.bias": Role("mlp", "input", 0.0, decays=False)}
        gain, shift = Role("norm", "input", 0.0, mean=1.0, decays=False), Role("norm", "input", 0.0, decays=False)
        return roles | {"norm.weight": gain, "norm.bias": shift}


class DenseBlock(nn.Module):
    """(B, ...) of n_in values in all -> (B, width)."""

    def __init__(self, n_in: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.linear(x.flatten(1)))

    def roles(self, kind: Kind) -> dict[str, Role]:
        weight = _weight(kind, self.linear.weight)
        return {"linear.weight": weight, "linear.bias": Role("mlp", "input", 0.0, decays=False)}


class MeanOverImage(nn.Module):
    """Images (B, C, H, W) -> (B, C)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3))


def _weight(kind: Kind, weight: torch.Tensor) -> Role:
    # He et al. 2015: sqrt(2 / fan_in) keeps the size of activations through ReLUs.
    return Role("mlp", kind, math.sqrt(2 / weight[0].numel()))


# ------------------------------------------------------------------------------------------------------- in a few words

_FORMS = {
    r"conv (?P<width>[1-9]\d*) (?P<H>[1-9]\d*)x(?P<W>[1-9]\d*) (?P<padding>same|valid)(?P<norm> norm)?": (
        lambda m: Conv(int(m["width"]), (int(m["H"]), int(m["W"])), m["padding"], bool(m["norm"]))
    ),
    r"max_pool (?P<H>[1-9]\d*)x(?P<W>[1-9]\d*)": lambda m: MaxPool((int(m["H"]), int(m["W"]))),
    r"global_mean": lambda m: GlobalMean(),
    r"dense (?P<width>[1-9]\d*)": lambda m: Dense(int(m["width"])),
}

#: What an entry may be, in words.
FORMS = "'conv CHANNELS HxW same|valid [norm]', 'max_pool HxW', 'global_mean' or 'dense UNITS'"


def read_layers(setting: str, entries: Sequence[str]) -> list[Layer]:
    """The layers that `entries` write.

    Raises:
        SettingError: an entry is no layer, one that needs an image comes after one that leaves none, or none of them
            has a width.
    """
    layers: list[Layer] = []
    for i, entry in enumerate(entries):
        matches = ((re.fullmatch(form, entry), make) for form, make in _FORMS.items())
        made = next((make(match) for match, make in matches if match), None)
        if made is None:
            raise SettingError(f"{setting}[{i}]", repr(entry), FORMS)
        flat = any(isinstance(before, Dense | GlobalMean) for before in layers)
        if flat and not isinstance(made, Dense):
            allowed = f"'dense UNITS', for {entries[i - 1]!r} leaves no image"
            raise SettingError(f"{setting}[{i}]", repr(entry), allowed)
        layers.append(made)
    if not depth(layers):
        raise SettingError(setting, list(entries), "layers of which one at least is conv or dense")
    return layers


def depth(layers: Sequence[Layer]) -> int:
    """The number of layers that have weights."""
    return sum(isinstance(layer, Conv | Dense) for layer in layers)


def at_width(layers: Sequence[Layer], width: int) -> list[Layer]:
    """The layers with all widths multiplied, so that the first is `width`."""
    first = next(layer.width for layer in layers if isinstance(layer, Conv | Dense))
    return [
        replace(layer, width=max(1, round(layer.width * width / first))) if isinstance(layer, Conv | Dense) else layer
        for layer in layers
    ]


def sizes(layers: Sequence[Layer], image: Size) -> list[Size]:
    """What goes into each layer, and what comes out of the last."""
    return list(accumulate(layers, lambda size, layer: layer.output(size), initial=image))
