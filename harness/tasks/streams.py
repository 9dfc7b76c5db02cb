"""Random streams of a task, kept apart from each other and from the training data's, which is word 1 of its seed."""

from __future__ import annotations

import numpy as np


def eval_stream(seed: int) -> np.random.Generator:
    """The stream that draws an evaluation set."""
    return np.random.default_rng([seed, 2])


def problem_stream(seed: int) -> np.random.Generator:
    """The stream that draws what is to be learnt: subsets, tables."""
    return np.random.default_rng([seed, 3])
