"""Multitask sparse parity: many discrete skills with Zipf-distributed frequencies, each of which is learnt or not.

Michaud et al. 2023, "The Quantization Model of Neural Scaling", section 3 (arXiv:2303.13506).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.metrics import ACCURACY, LOSS
from harness.tasks.base import Batch, Signature, Task
from harness.tasks.checks import check_range
from harness.tasks.streams import eval_stream, problem_stream


@dataclass
class Parity(Task):
    """The parity of `k` of `n_bits` random bits; one-hot control bits choose the subtask, and with it which `k` bits.

    Inputs are n_subtasks control bits followed by n_bits random bits, all 0.0 or 1.0 as in the paper. Every training
    example is drawn anew; the evaluation set has the same number of examples of each subtask.

    Attributes:
        n_bits: number of random bits.
        k: number of bits whose parity is asked for.
        n_subtasks: number of subtasks, each with a subset of bits of its own.
        zipf: exponent of the subtasks' frequencies: subtask i = 1, 2, ... has probability proportional to i^-zipf (the
            paper's alpha + 1).
        task_seed: seed of the subsets of bits.
        n_eval_per_subtask: evaluation examples of each subtask.
        eval_seed: seed of the evaluation set.
    """

    n_bits: int = 16
    k: int = 3
    n_subtasks: int = 32
    zipf: float = 1.6
    task_seed: int = 0
    n_eval_per_subtask: int = 256
    eval_seed: int = 0

    metrics = (LOSS, ACCURACY)
    name = "parity"

    def __post_init__(self) -> None:
        check_range("task.n_bits", self.n_bits, 1)
        check_range("task.k", self.k, 1, self.n_bits)
        check_range("task.n_subtasks", self.n_subtasks, 1, math.comb(self.n_bits, self.k))
        check_range("task.zipf", self.zipf, 0, 100)
        check_range("task.task_seed", self.task_seed, 0)
        check_range("task.n_eval_per_subtask", self.n_eval_per_subtask, 1)
        check_range("task.eval_seed", self.eval_seed, 0)

    @property
    def signature(self) -> Signature:
        return Signature(n_outputs=2, feature_shape=(self.n_subtasks + self.n_bits,))

    @property
    def subtasks(self) -> Sequence[str]:
        digits = len(str(self.n_subtasks))
        return [f"subtask {i:0{digits}d}" for i in range(1, self.n_subtasks + 1)]

    @property
    def subsets(self) -> np.ndarray:
        """(n_subtasks, k) the bits of each subtask, all subsets different."""
        return _subsets(self.n_bits, self.k, self.n_subtasks, self.task_seed)

    def subtask_weight(self) -> np.ndarray:
        return np.diff(_cumulative(self.n_subtasks, self.zipf), prepend=0.0)

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        subtask = np.searchsorted(_cumulative(self.n_subtasks, self.zipf), rng.random(batch_size), side="right")
        return self._examples(rng, subtask)

    def eval_batch(self) -> Batch:
        subtask = np.repeat(np.arange(self.n_subtasks), self.n_eval_per_subtask)
        return self._examples(eval_stream(self.eval_seed), subtask)

    def chance(self, metric: str) -> float | None:
        return {"loss": math.log(2), "accuracy": 0.5}.get(metric)

    def _examples(self, rng: np.random.Generator, subtask: np.ndarray) -> Batch:
        rows = np.arange(len(subtask))
        bits = rng.integers(2, size=(len(subtask), self.n_bits), dtype=np.uint8)
        inputs = np.zeros((len(subtask), self.n_subtasks + self.n_bits), dtype=np.float32)
        inputs[rows, subtask] = 1
        inputs[:, self.n_subtasks :] = bits
        targets = bits[rows[:, None], self.subsets[subtask]].sum(axis=1, keepdims=True, dtype=np.int64) % 2
        return Batch.of_answers(inputs, targets, subtask)


@lru_cache
def _subsets(n_bits: int, k: int, n_subtasks: int, task_seed: int) -> np.ndarray:
    rng = problem_stream(task_seed)
    distinct: dict[tuple[int, ...], None] = {}
    while len(distinct) < n_subtasks:
        distinct[tuple(sorted(rng.permutation(n_bits)[:k].tolist()))] = None
    return np.array(list(distinct))


@lru_cache
def _cumulative(n_subtasks: int, zipf: float) -> np.ndarray:
    weights = np.arange(1, n_subtasks + 1) ** -zipf
    cumulative = np.cumsum(weights / weights.sum())
    cumulative[-1] = 1.0  # rounding could leave it below a draw of rng.random
    return cumulative
