"""Augmentation of images. What comes in from beyond the border repeats the pixels at the border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.data.augment.base import Augmentation
from harness.ranges import between, one_of, setting, whole

if TYPE_CHECKING:
    from torch import Tensor

    from harness.tasks.base import Batch


def shifted(inputs: Tensor, by: Tensor, dim: int) -> Tensor:
    """Each of N examples moved by its own whole number of places along a dimension."""
    import torch

    size = inputs.shape[dim]
    source = (torch.arange(size, device=inputs.device) - by[:, None]).clamp(0, size - 1)
    shape = [len(inputs)] + [size if d == dim else 1 for d in range(1, inputs.ndim)]
    return inputs.gather(dim, source.reshape(shape).expand_as(inputs))


@dataclass
class Crop(Augmentation):
    """Pads by some pixels on every side and crops to the size that it was: a shift by whole pixels."""

    kinds = ("images",)

    padding: int = setting(2, "pixels on every side; 0 changes nothing", whole(0))

    def draw(self, rng: np.random.Generator, batch: Batch) -> dict[str, np.ndarray]:
        return {"by": rng.integers(-self.padding, self.padding + 1, size=(len(batch.inputs), 2))}

    def apply(self, inputs: Tensor, targets: Tensor, drawn: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        by = drawn["by"]
        return shifted(shifted(inputs, by[:, 0], 2), by[:, 1], 3), targets


@dataclass
class Flip(Augmentation):
    """Mirrors some images."""

    kinds = ("images",)

    probability: float = setting(0.5, "of an image to be mirrored; 0 changes nothing", between(0, 1))
    direction: str = setting("horizontal", "left and right, or top and bottom", one_of("horizontal", "vertical"))

    def draw(self, rng: np.random.Generator, batch: Batch) -> dict[str, np.ndarray]:
        return {"flip": rng.random(len(batch.inputs)) < self.probability}

    def apply(self, inputs: Tensor, targets: Tensor, drawn: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        mirrored = inputs.flip(-1 if self.direction == "horizontal" else -2)
        return mirrored.where(drawn["flip"].bool()[:, None, None, None], inputs), targets


@dataclass
class Affine(Augmentation):
    """Shifts, then rotates and scales about the centre, in one bilinear interpolation."""

    kinds = ("images",)

    rotation: float = setting(10.0, "largest angle in degrees, either way", between(0, 180))
    scale: float = setting(0.1, "largest change of size as a share: 0.1 is from 1/1.1 to 1.1", between(0, 1))
    shift: float = setting(0.05, "largest shift as a share of height and width", between(0, 1))

    def draw(self, rng: np.random.Generator, batch: Batch) -> dict[str, np.ndarray]:
        unit = rng.uniform(-1, 1, size=(len(batch.inputs), 4))
        return {
            "angle": np.deg2rad(self.rotation * unit[:, 0]).astype(np.float32),
            "scale": ((1 + self.scale) ** unit[:, 1]).astype(np.float32),
            "shift": (self.shift * unit[:, 2:]).astype(np.float32),
        }

    def apply(self, inputs: Tensor, targets: Tensor, drawn: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        import torch
        from torch.nn.functional import affine_grid, grid_sample

        height, width = inputs.shape[2:]
        # From a target pixel to its source: in units of half a side, whence the ratio of the sides.
        cos, sin = drawn["angle"].cos() / drawn["scale"], drawn["angle"].sin() / drawn["scale"]
        down, right = (-2 * drawn["shift"]).unbind(1)
        rows = [cos, -sin * height / width, right, sin * width / height, cos, down]
        grid = affine_grid(torch.stack(rows, dim=1).reshape(-1, 2, 3), list(inputs.shape), align_corners=False)
        # Clamped to the centres of the outermost pixels, for not every device can repeat the border.
        most = torch.tensor([1 - 1 / width, 1 - 1 / height], device=inputs.device)
        grid = torch.maximum(torch.minimum(grid, most), -most).to(inputs.dtype)
        return grid_sample(inputs, grid, align_corners=False), targets


@dataclass
class Cutout(Augmentation):
    """Sets a square to 0, the mean of standardised images (DeVries & Taylor 2017); part of it may lie outside."""

    kinds = ("images",)

    size: float = setting(0.3, "side of the square as a share of the shorter side; 0 changes nothing", between(0, 1))

    def draw(self, rng: np.random.Generator, batch: Batch) -> dict[str, np.ndarray]:
        return {"centre": (rng.random((len(batch.inputs), 2)) * batch.inputs.shape[2:]).astype(np.float32)}

    def apply(self, inputs: Tensor, targets: Tensor, drawn: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        import torch

        half = self.size * min(inputs.shape[2:]) / 2
        inside = [
            (torch.arange(side, device=inputs.device) + 0.5 - drawn["centre"][:, i, None]).abs() < half
            for i, side in enumerate(inputs.shape[2:])
        ]
        square = inside[0][:, None, :, None] & inside[1][:, None, None, :]
        return inputs.masked_fill(square, 0), targets
