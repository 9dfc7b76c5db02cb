"""The training batches of members side by side, augmented where the task says so."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from harness.ladder import Job, Member
from harness.training.augmentation import Views

# The second entropy word keeps each stream of a member apart from any other use of the same seed.
DATA_STREAM, AUGMENTATION_STREAM = 1, 4


def training_batches(
    job: Job, device: torch.device, first: int = 0
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Inputs (M, B, ...), targets (M, B, ...) and loss weights (M, B, S), each member's from its own streams; endless.

    Under loss=contrastive B is two views of each of `ladder.batch_size` examples.

    Args:
        first: the step whose batch comes first; those before it are drawn, and dropped.
    """
    task, batch_size = job.settings.task, job.settings.ladder.batch_size
    streams = [_stream(member, DATA_STREAM) for member in job.members]
    views = _views(job)
    of_members = zip(*(task.train_batches(stream, batch_size, job.examples) for stream in streams), strict=True)
    for step, batches in enumerate(of_members):
        if step < first:
            if views is not None:
                views.skip(batches)
            continue
        scored = np.stack([batch.scored for batch in batches])
        # The mean over examples of the mean over an example's scored positions, as metrics.LOSS has it.
        of_each = (scored / (scored.sum(axis=2, keepdims=True) * batch_size)).astype(np.float32)
        weights = torch.from_numpy(of_each).to(device)
        inputs = torch.from_numpy(np.stack([batch.inputs for batch in batches])).to(device)
        targets = torch.from_numpy(np.stack([batch.targets for batch in batches])).to(device)
        if views is not None:
            inputs, targets = views.of(batches, inputs, targets)
            weights = weights.repeat(1, views.count, 1) / views.count
        yield inputs, targets, weights


def _stream(member: Member, use: int) -> np.random.Generator:
    """A member's own; one that goes on from another run does not see that run's batches again."""
    of_parent = [] if member.parent is None else [int(member.parent.run_id, 16)]
    return np.random.default_rng([member.seed, use, *of_parent])


def _views(job: Job) -> Views | None:
    """The augmentation of a job's batches; None for none."""
    if (augmenter := job.settings.task.augmenter) is None:
        return None
    streams = [_stream(member, AUGMENTATION_STREAM) for member in job.members]
    return Views(augmenter, streams, job.settings.loss.views)
