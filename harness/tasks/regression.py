"""Values to be predicted, from teachers that are known: a linear map with noise, and a network of one hidden layer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.metrics import LOSS, R2, WITHIN_TOLERANCE
from harness.ranges import at_least, count, setting, whole
from harness.tasks.base import Batch, Signature, Task
from harness.tasks.limited import epochs
from harness.tasks.streams import eval_stream, limit_stream, problem_stream


@dataclass
class _Regression(Task):
    """One value from features that are independent and normal; loss=mse is meant."""

    n_features: int = setting(8, "features of an example", count(1))
    noise: float = setting(
        0.1, "standard deviation of the noise on the values, in training and evaluation", at_least(0)
    )
    task_seed: int = setting(0, "seed of the teacher", whole(0))
    n_eval: int = setting(4096, "evaluation examples", count(2))
    eval_seed: int = setting(0, "seed of the evaluation set", whole(0))

    metrics = (LOSS, R2, WITHIN_TOLERANCE)

    @property
    def signature(self) -> Signature:
        return Signature(n_outputs=1, feature_shape=(self.n_features,), answers="values")

    @abstractmethod
    def taught(self, features: np.ndarray) -> np.ndarray:
        """(n,) the teacher's values, without noise, of features (n, n_features)."""

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        features = rng.standard_normal((batch_size, self.n_features))
        values = self.taught(features) + self.noise * rng.standard_normal(batch_size)
        return Batch.of_answers(features.astype(np.float32), values.astype(np.float32)[:, None, None])

    def eval_batch(self) -> Batch:
        return self.train_batch(eval_stream(self.eval_seed), self.n_eval)

    def chance(self, metric: str) -> float | None:
        return {"loss": float(self.eval_batch().targets.var()), "r2": 0.0}.get(metric)


@dataclass
class LinearRegression(_Regression):
    """y = w . x + b + noise from a fixed training set, on which gradient descent has a closed form to reach.

    Weights and intercept are drawn once from a normal distribution.
    """

    n_examples: int = setting(256, "training examples", count(2))

    name = "linear_regression"

    @property
    def n_train(self) -> int:
        return self.n_examples

    def taught(self, features: np.ndarray) -> np.ndarray:
        *weights, intercept = problem_stream(self.task_seed).standard_normal(self.n_features + 1)
        return np.asarray(features @ np.array(weights) + intercept)

    def first_examples(self, examples: int) -> Batch:
        return self.train_batch(limit_stream(0), self.n_examples).rows(slice(examples))

    def train_batches(self, rng: np.random.Generator, batch_size: int, examples: int | None = None) -> Iterator[Batch]:
        return epochs(self.first_examples(examples or self.n_examples), rng, batch_size)

    def solution(self, examples: int | None = None) -> tuple[np.ndarray, float]:
        """Weights (n_features,) and intercept of least squares on the first training examples, all where None."""
        batch = self.first_examples(examples or self.n_examples)
        design = np.column_stack([batch.inputs.astype(np.float64), np.ones(len(batch.inputs))])
        *weights, intercept = np.linalg.lstsq(design, batch.targets[:, 0, 0].astype(np.float64))[0]
        return np.array(weights), float(intercept)


@dataclass
class TeacherStudent(_Regression):
    """Values of a teacher network, y = a . relu(W x) + noise, drawn anew for every batch.

    The teacher's hidden weights are normal with variance 1 / n_features, its readout's with variance 2 / teacher_width,
    so that values are of order 1. A student at least as wide can be the teacher.
    """

    teacher_width: int = setting(16, "hidden units of the teacher", count(1))

    name = "teacher_student"

    def taught(self, features: np.ndarray) -> np.ndarray:
        rng = problem_stream(self.task_seed)
        hidden = rng.standard_normal((self.n_features, self.teacher_width)) / np.sqrt(self.n_features)
        readout = rng.standard_normal(self.teacher_width) * np.sqrt(2 / self.teacher_width)
        return np.asarray(np.maximum(features @ hidden, 0) @ readout)
