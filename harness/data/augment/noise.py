"""Random numbers by position: the host draws a seed an example, the device computes as many numbers as it needs.

A number is a hash of seed and position, so that it is the same on every device; normal deviates, which go through a
logarithm and a cosine, agree within rounding.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

_BITS = 0xFFFFFFFF


def seeds(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count,) int64 below 2^32."""
    return rng.integers(2**32, size=count)


def uniform(seed: Tensor, count: int) -> Tensor:
    """(N, count) float32 above 0 and at most 1, of (N,) seeds."""
    import torch

    positions = torch.arange(count, device=seed.device)
    hashed = _mixed((_mixed(seed[:, None]) + positions) & _BITS)
    return (hashed.float() + 0.5) / 2**32


def normal(seed: Tensor, count: int) -> Tensor:
    """(N, count) float32 of mean 0 and deviation 1 (Box & Muller 1958)."""
    radius, angle = uniform(seed, 2 * count).chunk(2, dim=1)
    return (-2 * radius.log()).sqrt() * (2 * math.pi * angle).cos()


def _mixed(x: Tensor) -> Tensor:
    """A bijection of 32 bits (C. Wellons' triple-free lowbias32, hash-prospector); products stay below 2^63."""
    x = ((x ^ (x >> 16)) * 0x21F0AAAD) & _BITS
    x = ((x ^ (x >> 15)) * 0x735A2D97) & _BITS
    return x ^ (x >> 15)
