"""What a task is: where batches come from, what is scored, and by which metrics.

Tasks speak numpy, so that composing and planning an experiment never loads torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import Metric


@dataclass(frozen=True)
class Batch:
    """B examples.

    Attributes:
        inputs: (B, T) int64 tokens, or float32 features (B, *feature_shape).
        targets: (B, S) int64 answers; S = T for tokens (the answer at each position), 1 for features.
        scored: (B, S) bool, positions whose answer counts in loss and metrics; at least one in each row.
        subtask: (B,) int64 index into the task's `subtasks`; all 0 where it has none.
    """

    inputs: np.ndarray
    targets: np.ndarray
    scored: np.ndarray
    subtask: np.ndarray

    @classmethod
    def of_answers(cls, inputs: np.ndarray, targets: np.ndarray, subtask: np.ndarray | None = None) -> Batch:
        """A batch in which every answer counts; `targets` (B,) or (B, S); no `subtask` where the task is one whole."""
        targets = targets.reshape(len(inputs), -1)
        whole = np.zeros(len(inputs), dtype=np.int64)
        return cls(inputs, targets, np.ones(targets.shape, dtype=bool), whole if subtask is None else subtask)


@dataclass(frozen=True)
class Signature:
    """The shapes that a model must fit.

    Attributes:
        n_outputs: classes, or vocabulary size.
        vocab_size: number of input tokens; None where inputs are features.
        context: positions of a token input (1 for features).
        feature_shape: shape of one feature input, e.g. (64,) or (1, 8, 8); None where inputs are tokens.
    """

    n_outputs: int
    vocab_size: int | None = None
    context: int = 1
    feature_shape: tuple[int, ...] | None = None


class Task(ABC):
    """A dataclass of settings that makes its own data.

    Subclasses are dataclasses whose fields are the settings of `conf/task/<name>.yaml`; `__post_init__` checks their
    ranges and raises `SettingError`. Two tasks with equal settings give equal data for equal generators.
    """

    #: Scores measured at every evaluation; the first continuous one is the training loss.
    metrics: tuple[Metric, ...]

    @property
    @abstractmethod
    def name(self) -> str:
        """As it appears in the tables."""

    @property
    @abstractmethod
    def signature(self) -> Signature:
        """Shapes of inputs and outputs."""

    @property
    def subtasks(self) -> Sequence[str]:
        """Names of the subtasks, in the order of `Batch.subtask`; () where the task is one whole."""
        return ()

    @property
    def versions(self) -> dict[str, str]:
        """What the data depends on beside the settings (a corpus hash, a library's version)."""
        return {}

    @abstractmethod
    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        """The next training batch of `batch_size` examples, all randomness from `rng`."""

    @abstractmethod
    def eval_batch(self) -> Batch:
        """The evaluation set: the same examples for every run of the task."""

    def chance(self, metric: str) -> float | None:
        """The value that a guesser gets on `metric`, or None where there is none to name."""
        return None

    def subtask_weight(self) -> np.ndarray | None:
        """(n_subtasks,) share of each subtask in training, summing to 1; None: as in the evaluation set.

        The row 'all' of a metric is the mean over subtasks under these weights.
        """
        return None
