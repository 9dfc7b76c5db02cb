"""The training batches of members side by side, many steps at a time, augmented where the task says so."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from harness.errors import UserError
from harness.ladder import Job, Member
from harness.tasks.base import Batch, Task
from harness.training.augmentation import Views

# The second entropy word keeps each stream of a member apart from any other use of the same seed.
DATA_STREAM, AUGMENTATION_STREAM = 1, 4

#: Steps whose batches are handed to the device together, and how many bytes they may take: what a core has in cache,
#: or for a GPU enough that a copy is worth its call.
STEPS, _BYTES, _BYTES_OF_COPY = 64, 2**21, 2**25


@dataclass(frozen=True)
class _Block:
    """The batches of K steps, on the host: what they were drawn as, and in tensors (K, M, B, ...)."""

    drawn: list[tuple[Batch, ...]]
    inputs: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor


def training_batches(
    job: Job, device: torch.device, first: int = 0
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Inputs (M, B, ...), targets (M, B, ...) and loss weights (M, B, S) of each step, each member's own streams'.

    Under loss=contrastive B is two views of each of `ladder.batch_size` examples. They are drawn and copied to a device
    many steps at a time; to a GPU while it trains on those before.

    Args:
        first: the step whose batch comes first; those before it are drawn, and dropped.
    """
    views = _views(job)
    on_host = _blocks(job, views, first, _BYTES if device.type == "cpu" else _BYTES_OF_COPY)
    for block in _ahead(on_host) if device.type == "cuda" and torch.cuda.is_available() else on_host:
        # From pinned memory this does not wait for what the device is at.
        on_device = (each.to(device, non_blocking=True) for each in (block.inputs, block.targets, block.weights))
        for drawn, inputs, targets, weights in zip(block.drawn, *on_device, strict=True):
            if views is not None:
                inputs, targets = views.of(drawn, inputs, targets)
                weights = weights.repeat(1, views.count, 1) / views.count
            yield inputs, targets, weights


def _blocks(job: Job, views: Views | None, first: int, most_bytes: int) -> Iterator[_Block]:
    """The batches from a step on to the last, in blocks of so many bytes or one step."""
    task, batch_size = job.settings.task, job.settings.ladder.batch_size
    streams = [_stream(member, DATA_STREAM) for member in job.members]
    of_members = zip(*(task.train_batches(stream, batch_size, job.examples) for stream in streams), strict=True)
    for batches in islice(of_members, first):
        if views is not None:
            views.skip(batches)
    left = job.steps - first
    at_once = 1
    while left > 0 and (drawn := list(islice(of_members, min(at_once, left)))):
        block = _block(drawn)
        _refuse_scores_before(task, block)
        yield block
        left -= len(drawn)
        n_bytes = sum(each[0].nbytes for each in (block.inputs, block.targets, block.weights))
        at_once = max(1, min(STEPS, most_bytes // n_bytes))


def _block(drawn: list[tuple[Batch, ...]]) -> _Block:
    def together(name: str) -> np.ndarray:
        of_each = np.stack([getattr(batch, name) for batches in drawn for batch in batches])
        return of_each.reshape(len(drawn), -1, *of_each.shape[1:])

    inputs, targets, scored = map(together, ("inputs", "targets", "scored"))
    # The mean over examples of the mean over an example's scored positions, as metrics.LOSS has it.
    weights = (scored / (scored.sum(axis=-1, keepdims=True) * scored.shape[-2])).astype(np.float32)
    return _Block(drawn, *(torch.from_numpy(array) for array in (inputs, targets, weights)))


def _refuse_scores_before(task: Task, block: _Block) -> None:
    """Raise UserError for a task that scores a position that it says it never scores."""
    first = task.first_scored
    if first and block.weights[..., :first].any():
        raise UserError(f"task={task.name} scores a position before its first_scored, {first}")


def _ahead(blocks: Iterator[_Block]) -> Iterator[_Block]:
    """The same blocks, in pinned memory, each drawn while the one before is in use."""

    def pinned() -> _Block | None:
        block = next(blocks, None)
        if block is None:
            return None
        return _Block(block.drawn, *(each.pin_memory() for each in (block.inputs, block.targets, block.weights)))

    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(pinned)
        while (block := following.result()) is not None:
            following = thread.submit(pinned)
            yield block


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
