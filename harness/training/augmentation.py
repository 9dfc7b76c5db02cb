"""A task's augmentation of training batches, for members side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.tasks.base import Batch

if TYPE_CHECKING:
    from harness.data.augment.base import Augmenter


class Views:
    """Augmented views of every example: one to train on, or two that are to find each other (loss=contrastive).

    Random numbers are drawn on the host, each member's from its own stream, so that they depend neither on the device
    nor on the members beside it; they are applied on the device.

    Args:
        streams: one a member.
        count: views of each example.
    """

    def __init__(self, augmenter: Augmenter, streams: Sequence[np.random.Generator], count: int) -> None:
        self.augmenter, self.streams, self.count = augmenter, streams, count

    def of(
        self, batches: Sequence[Batch], inputs: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs (M, B, ...) and targets (M, B, ...) of the members' batches -> (M, count B, ...), view after view."""
        views = [self._view(batches, inputs, targets) for _ in range(self.count)]
        viewed, answers = zip(*views, strict=True)
        return torch.cat(viewed, dim=1), torch.cat(answers, dim=1)

    def skip(self, batches: Sequence[Batch]) -> None:
        """Draw what `of` would draw for these batches, and drop it."""
        for _ in range(self.count):
            self._drawn(batches)

    def _view(
        self, batches: Sequence[Batch], inputs: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        drawn = self._drawn(batches)
        numbers = {name: _on_device(np.concatenate([each[name] for each in drawn]), inputs.device) for name in drawn[0]}
        changed, answers = self.augmenter.apply(inputs.flatten(0, 1), targets.flatten(0, 1), numbers)
        return changed.unflatten(0, inputs.shape[:2]), answers.unflatten(0, inputs.shape[:2])

    def _drawn(self, batches: Sequence[Batch]) -> list[dict[str, np.ndarray]]:
        return [self.augmenter.draw(stream, batch) for stream, batch in zip(self.streams, batches, strict=True)]


def _on_device(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """Floats as float32, the only ones that every device has."""
    return torch.from_numpy(values.astype(np.float32) if values.dtype == np.float64 else values).to(device)
