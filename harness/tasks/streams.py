"""Random streams of a task, independent of each other and of the training data, whose stream is seeded by (seed, 1)."""

from __future__ import annotations

import numpy as np


def eval_stream(seed: int) -> np.random.Generator:
    """The stream of an evaluation set, seeded by (seed, 2)."""
    return np.random.default_rng([seed, 2])


def problem_stream(seed: int) -> np.random.Generator:
    """The stream of what there is to learn, such as tables and subsets of bits; seeded by (seed, 3)."""
    return np.random.default_rng([seed, 3])


def limit_stream(block: int) -> np.random.Generator:
    """The stream of a block of the examples to which training is limited; seeded by (block, 5)."""
    return np.random.default_rng([block, 5])


def shift_stream() -> np.random.Generator:
    """The stream of a shifted evaluation set, the same for every shift: a stronger one so moves the same examples."""
    return np.random.default_rng([0, 8])
