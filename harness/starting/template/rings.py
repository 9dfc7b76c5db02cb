"""A task on features: two numbers, the place of a point in a square, and the question which colour it has.

Rings around the centre are black and white in turn. More rings make a harder task: try ``task.n_rings=3``.
"""

from dataclasses import dataclass

import numpy as np

from harness.metrics import ACCURACY, LOSS
from harness.ranges import at_least, setting, whole
from harness.tasks.base import Batch, Signature, Task


@dataclass
class Rings(Task):
    """Does a point lie in a black or in a white ring? The fields are the settings of conf/task/rings.yaml."""

    n_rings: float = setting(2.0, "rings between the centre and the middle of a side", at_least(1))
    n_eval: int = setting(4000, "points of the evaluation set", whole(1))

    name = "rings"
    metrics = (LOSS, ACCURACY)  # measured at every evaluation, on the same outputs

    @property
    def signature(self) -> Signature:
        """What a model reads and gives. A task on tokens would give `vocab_size` and `context` instead."""
        return Signature(n_outputs=2, feature_shape=(2,))

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        """A batch drawn from `rng` alone: each seed of a study is a generator of its own."""
        points = rng.uniform(-1, 1, size=(batch_size, 2)).astype(np.float32)
        ring = (np.linalg.norm(points, axis=1) * self.n_rings).astype(np.int64)
        return Batch.of_answers(points, ring % 2)

    def eval_batch(self) -> Batch:
        """The same points for every run, so that runs can be compared."""
        return self.train_batch(np.random.default_rng(0), self.n_eval)
