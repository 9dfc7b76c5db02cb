"""Training on finitely many examples: the first of a fixed order, visited epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from harness.tasks.streams import limit_stream

if TYPE_CHECKING:
    from harness.tasks.base import Batch, Task

#: Examples that a generating task draws at a time, so that a larger set begins with a smaller one.
_BLOCK = 1024

#: The set drawn last, by task and size: members of a job train on the same one.
_drawn: dict[tuple[type, str, int], Batch] = {}


def drawn(task: Task, examples: int) -> Batch:
    """The first `examples` that a task without a training set generates, in blocks from fixed streams."""
    key = type(task), repr(task), examples
    if key not in _drawn:
        blocks = [task.train_batch(limit_stream(block), _BLOCK) for block in range(-(-examples // _BLOCK))]
        _drawn.clear()
        _drawn[key] = type(blocks[0]).concatenated(blocks).rows(slice(examples))
    return _drawn[key]


def fixed_order(n: int) -> np.ndarray:
    """(n,) the order of a training set of n examples, of which a limit keeps the first."""
    return limit_stream(0).permutation(n)


def epochs(examples: Batch, rng: np.random.Generator, batch_size: int) -> Iterator[Batch]:
    """Batches without end, in which every example comes once before any comes again.

    The order of each epoch is a fresh permutation from `rng`. A batch may hold the end of one epoch and the start of
    the next, so that all are of one size.

    Args:
        batch_size: at most the number of examples.
    """
    left = np.empty(0, dtype=np.int64)
    while True:
        if len(left) < batch_size:
            left = np.concatenate([left, rng.permutation(len(examples.inputs))])
        chosen, left = left[:batch_size], left[batch_size:]
        yield examples.rows(chosen)
