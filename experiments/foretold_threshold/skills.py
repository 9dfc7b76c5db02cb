"""A mixture of parities, some of them rare, of which one alone can be trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.metrics import ACCURACY, LOSS
from harness.ranges import setting, whole
from harness.tasks.base import Batch, Signature, Task
from harness.tasks.streams import eval_stream, problem_stream


@dataclass
class ParitySkills(Task):
    """The parity of some of `n_bits` random bits; one-hot control bits choose the skill, and with it which bits.

    As `harness.tasks.parity.Parity`, but each skill has its own number of bits and its own share of training, and
    `only` trains on one of them alone, with the inputs of the whole mixture. Every skill is evaluated.
    """

    n_bits: int = setting(32, "random bits", whole(1))
    bits: list[int] = field(default_factory=lambda: [3, 3])
    shares: list[float] = field(default_factory=lambda: [0.9, 0.1])
    only: int = setting(0, "the skill to train on alone, from 1; 0 for all of them", whole(0))
    task_seed: int = setting(0, "seed of the bits of each skill", whole(0))
    n_eval_per_skill: int = setting(256, "evaluation examples of each skill", whole(1))
    eval_seed: int = setting(0, "seed of the evaluation set", whole(0))

    metrics = (LOSS, ACCURACY)
    name = "parity_skills"

    @property
    def signature(self) -> Signature:
        return Signature(n_outputs=2, feature_shape=(len(self.bits) + self.n_bits,))

    @property
    def subtasks(self) -> Sequence[str]:
        return [f"skill {i}" for i in range(1, len(self.bits) + 1)]

    def subtask_weight(self) -> np.ndarray:
        if self.only:
            return np.eye(len(self.bits))[self.only - 1]
        return np.asarray(self.shares) / np.sum(self.shares)

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        return self._examples(rng, rng.choice(len(self.bits), size=batch_size, p=self.subtask_weight()))

    def eval_batch(self) -> Batch:
        return self._examples(eval_stream(self.eval_seed), np.repeat(np.arange(len(self.bits)), self.n_eval_per_skill))

    def chance(self, metric: str) -> float | None:
        return {"loss": math.log(2), "accuracy": 0.5}.get(metric)

    @property
    def masks(self) -> np.ndarray:
        """(skills, n_bits) of 0 and 1: the bits whose parity each skill asks for."""
        rng = problem_stream(self.task_seed)
        masks = np.zeros((len(self.bits), self.n_bits), dtype=np.int64)
        for mask, k in zip(masks, self.bits, strict=True):
            mask[rng.permutation(self.n_bits)[:k]] = 1
        return masks

    def _examples(self, rng: np.random.Generator, skill: np.ndarray) -> Batch:
        bits = rng.integers(2, size=(len(skill), self.n_bits), dtype=np.int64)
        control = np.eye(len(self.bits), dtype=np.float32)[skill]
        targets = (bits * self.masks[skill]).sum(axis=1, keepdims=True) % 2
        return Batch.of_answers(np.concatenate([control, bits.astype(np.float32)], axis=1), targets, skill)
