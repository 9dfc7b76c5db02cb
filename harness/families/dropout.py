"""Dropout whose masks follow from a member's seed, the step and the layer alone.

A device's own generator would give a member other masks on another device, or beside other members. Here the mask of an
entry is a hash of its index and a key (a counter-based generator, Salmon et al. 2011, "Parallel random numbers: as easy
as 1, 2, 3"), in 32-bit integers, which every device has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import nn

#: Multipliers of the 32-bit finaliser of MurmurHash3 (Appleby 2008), as signed integers.
_FIRST, _SECOND = 0x85EBCA6B - 2**32, 0xC2B2AE35 - 2**32

#: Keeps the key's stream of a member apart from any other use of the same seed.
_STREAM = 5

Integers = TypeVar("Integers", torch.Tensor, np.ndarray)


class Dropout(nn.Module):
    """Zeroes a share `rate` of all entries in training and divides the rest by 1 - rate (Srivastava et al. 2014).

    Off until `train()` is called. The buffer `key`, an int32 scalar, chooses the mask: a member is given another one
    at every step (`keys`). For a micro-batch the buffer `part`, int32 (2,), says how many examples of the whole batch
    come before it and how many it has, so that it draws the masks that the whole batch would; examples are the outer
    axis of what is dropped.
    """

    key: torch.Tensor
    part: torch.Tensor | None

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("key", torch.zeros((), dtype=torch.int32))
        self.register_buffer("part", None)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        index = torch.arange(x.numel(), dtype=torch.int32, device=x.device).view(x.shape)
        if self.part is not None:
            before, size = self.part.unbind()
            index = index + before * (x.numel() // size)
        kept = _mixed(_mixed(index) ^ self.key) >= round(self.rate * 2**32) - 2**31
        return x * (kept.to(x.dtype) / (1 - self.rate))


def dropout(rate: float) -> nn.Module:
    """A layer that drops a share of its inputs in training; at rate 0 it is nothing."""
    return Dropout(rate) if rate else nn.Identity()


def keys(seeds: Sequence[int], step: int, n_layers: int) -> np.ndarray:
    """(members, layers) int32 keys of a step."""
    of_member = np.array([np.random.SeedSequence([seed, _STREAM]).generate_state(1) for seed in seeds]).view(np.int32)
    places = (step * n_layers + np.arange(n_layers)).astype(np.int32)
    return _mixed(of_member + _mixed(places))


def _mixed(values: Integers) -> Integers:
    """A bijection of 32-bit integers that flips each bit of the result for half of all flips of a bit of `values`."""
    values = values ^ ((values >> 16) & 0xFFFF)
    values = values * _FIRST
    values = values ^ ((values >> 13) & 0x7FFFF)
    values = values * _SECOND
    return values ^ ((values >> 16) & 0xFFFF)
