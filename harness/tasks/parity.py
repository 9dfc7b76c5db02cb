"""Multitask sparse parity: many discrete skills with Zipf-distributed frequencies, each of which is learnt or not.

Michaud et al. 2023, "The Quantization Model of Neural Scaling", section 3 (arXiv:2303.13506).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np

from harness.metrics import ACCURACY, LOSS
from harness.ranges import Following, between, count, setting, whole
from harness.tasks.base import Batch, Signature, Task
from harness.tasks.streams import eval_stream, problem_stream

#: Examples that training works out at once.
_AT_ONCE = 2**12


@dataclass
class Parity(Task):
    """The parity of `k` of `n_bits` random bits; one-hot control bits choose the subtask, and with it which `k` bits.

    Inputs are n_subtasks control bits followed by n_bits random bits, all 0.0 or 1.0 as in the paper. Every training
    example is drawn anew; the evaluation set has the same number of examples of each subtask.
    """

    n_bits: int = setting(16, "random bits", count(1))
    k: int = setting(3, "bits whose parity is asked for: difficulty", whole(1, "n_bits"))
    n_subtasks: int = setting(
        32,
        "subtasks, each with a subset of bits of its own",
        whole(1, Following("the number of subsets of k of n_bits bits", lambda task: math.comb(task.n_bits, task.k))),
    )
    zipf: float = setting(
        1.6, "subtask i = 1, 2, ... has probability proportional to i^-zipf (the paper's alpha + 1)", between(0, 100)
    )
    task_seed: int = setting(0, "seed of the subsets of bits", whole(0))
    n_eval_per_subtask: int = setting(256, "evaluation examples of each subtask", count(1))
    eval_seed: int = setting(0, "seed of the evaluation set", whole(0))

    metrics = (LOSS, ACCURACY)
    name = "parity"

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
        return self._examples(self._subtask(rng.random(batch_size)), self._bits(rng, batch_size))

    def train_batches(self, rng: np.random.Generator, batch_size: int, examples: int | None = None) -> Iterator[Batch]:
        if examples is not None or getattr(self.train_batch, "__func__", None) is not Parity.train_batch:
            yield from super().train_batches(rng, batch_size, examples)
        while True:
            # The draws are those of one batch after another; what follows from them is worked out for many at once.
            steps = range(max(1, _AT_ONCE // batch_size))
            drawn = [(rng.random(batch_size), self._bits(rng, batch_size)) for _ in steps]
            uniform, bits = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
            many = self._examples(self._subtask(uniform), bits)
            yield from (many.rows(slice(i * batch_size, (i + 1) * batch_size)) for i in steps)

    def eval_batch(self) -> Batch:
        subtask = np.repeat(np.arange(self.n_subtasks), self.n_eval_per_subtask)
        return self._examples(subtask, self._bits(eval_stream(self.eval_seed), len(subtask)))

    def chance(self, metric: str) -> float | None:
        return {"loss": math.log(2), "accuracy": 0.5}.get(metric)

    def _subtask(self, uniform: np.ndarray) -> np.ndarray:
        """(n,) subtasks, of numbers (n,) that are uniform in [0, 1)."""
        return np.searchsorted(_cumulative(self.n_subtasks, self.zipf), uniform, side="right")

    def _bits(self, rng: np.random.Generator, n: int) -> np.ndarray:
        # The numbers of rng.integers(2, size=..., dtype=np.uint8), in half its time.
        return np.frombuffer(rng.bytes(n * self.n_bits), np.uint8).reshape(n, self.n_bits) >> 7

    def _examples(self, subtask: np.ndarray, bits: np.ndarray) -> Batch:
        inputs = np.empty((len(subtask), self.n_subtasks + self.n_bits), dtype=np.float32)
        inputs[:, : self.n_subtasks] = np.arange(self.n_subtasks) == subtask[:, None]
        inputs[:, self.n_subtasks :] = bits
        first = np.arange(0, bits.size, self.n_bits)
        chosen = (bits.take(first + bit.take(subtask)) for bit in self.subsets.T)
        targets = reduce(np.bitwise_xor, chosen).astype(np.int64)[:, None]
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
