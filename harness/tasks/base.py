"""The interface of a task: batches for training and evaluation, the positions that are scored, and the metrics.

Tasks work on numpy arrays, so that composing and planning an experiment does not load torch.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from harness.metrics import Metric
from harness.ranges import Checked
from harness.tasks import limited

if TYPE_CHECKING:
    from harness.data.augment.base import Augmenter


@dataclass(frozen=True)
class Batch:
    """B examples.

    Attributes:
        inputs: (B, T) int64 tokens, or float32 features (B, *feature_shape), or mixed float32 (B, T, 1 + F): the first
            channel of a position is the number of its token, or -1 - k for features of kind k, which stand in the
            channels after it, filled up with zeros to the F of the widest kind.
        targets: (B, S) int64 classes, or (B, S, V) float32: values, or probabilities of the classes; S is
            `Signature.answer_positions`: T for tokens (the answer at each position), 1 for features, and for mixed
            inputs the number of last positions that the task asks to be answered.
        scored: (B, S) bool, the positions that count in loss and metrics; at least one in each row.
        subtask: (B,) int64 index into the task's `subtasks`; all 0 where the task has none.
    """

    inputs: np.ndarray
    targets: np.ndarray
    scored: np.ndarray
    subtask: np.ndarray

    @classmethod
    def of_answers(cls, inputs: np.ndarray, targets: np.ndarray, subtask: np.ndarray | None = None) -> Batch:
        """A batch in which every answer is scored.

        Args:
            targets: classes (B,) or (B, S); values (B, S, V).
            subtask: (B,), or None for all 0.
        """
        if targets.ndim < 3:
            targets = targets.reshape(len(inputs), -1)
        if subtask is None:
            subtask = np.zeros(len(inputs), dtype=np.int64)
        return cls(inputs, targets, np.ones(targets.shape[:2], dtype=bool), subtask)

    @classmethod
    def concatenated(cls, batches: Sequence[Batch]) -> Batch:
        """The examples of several batches, one after the other."""
        return cls(*(np.concatenate(arrays) for arrays in zip(*(batch._arrays for batch in batches), strict=True)))

    def rows(self, chosen: np.ndarray | slice) -> Batch:
        """The examples at these places."""
        return Batch(*(array[chosen] for array in self._arrays))

    @property
    def _arrays(self) -> tuple[np.ndarray, ...]:
        return self.inputs, self.targets, self.scored, self.subtask


@dataclass(frozen=True)
class Choices:
    """Wrong answers to the B examples of an evaluation set, among which a model is to prefer the example's own.

    Attributes:
        wrong: A examples, of which the scored positions are a wrong answer's tokens.
        question: (A,) int64, the example of the evaluation set that each is another answer to.
        right_bytes, wrong_bytes: (B,) and (A,) bytes of each answer's text.
    """

    wrong: Batch
    question: np.ndarray
    right_bytes: np.ndarray
    wrong_bytes: np.ndarray


#: What a task gives and a family reads; images are features of shape (channels, height, width), and frames those of
#: shape (T, F), T moments of F features each, such as the columns of a spectrogram. Mixed inputs are one sequence of
#: tokens and of features of one or more kinds.
InputKind = Literal["tokens", "features", "images", "frames", "mixed"]

#: The kind of features by the number of dimensions of one example.
_KIND_BY_DIMENSIONS: dict[int, InputKind] = {2: "frames", 3: "images"}


@dataclass(frozen=True)
class Signature:
    """The shapes of inputs and outputs that a model needs to have.

    Attributes:
        n_outputs: number of classes, size of the vocabulary, or number of values V.
        vocab_size: number of input tokens; None if inputs are features.
        context: number of positions of a token or mixed input; 1 for features.
        feature_shape: shape of one feature input, such as (64,), (1, 8, 8) for an image or (50, 40) for 50 frames;
            None if inputs are tokens.
        answers: whether an answer is one of n_outputs classes, or n_outputs values.
        feature_kinds: of mixed inputs: each kind of features, with how many a position has.
        answered: of tokens and mixed inputs: how many positions, the last ones, have answers; None for all.
    """

    n_outputs: int
    vocab_size: int | None = None
    context: int = 1
    feature_shape: tuple[int, ...] | None = None
    answers: Literal["classes", "values"] = "classes"
    feature_kinds: tuple[tuple[str, int], ...] = ()
    answered: int | None = None

    @classmethod
    def of_tokens(cls, vocab_size: int, context: int) -> Signature:
        """Of a task that answers each of `context` tokens by one of the same vocabulary."""
        return cls(n_outputs=vocab_size, vocab_size=vocab_size, context=context)

    @property
    def positions(self) -> int:
        """Length of the sequence that an example is: of tokens or frames; 1 where it is none."""
        return self.feature_shape[0] if self.kind == "frames" and self.feature_shape else self.context

    @property
    def answer_positions(self) -> int:
        """Number S of answers to an example: of each token, or one to features; mixed inputs say theirs."""
        return self.answered or (self.context if self.vocab_size is not None else 1)

    @property
    def kind(self) -> InputKind:
        """What inputs are."""
        if self.feature_kinds:
            return "mixed"
        if self.vocab_size is not None:
            return "tokens"
        return _KIND_BY_DIMENSIONS.get(len(self.feature_shape or ()), "features")


class Task(Checked, ABC):
    """A dataclass of settings that generates its own data.

    Subclasses are dataclasses whose fields are the settings of `conf/task/<name>.yaml`. Those made by
    `harness.ranges.setting` refuse values out of their ranges, and `harness settings` explains them. Tasks with equal
    settings give equal data for equal generators.
    """

    settings_group = "task"

    #: The setting that holds the weights of what training mixes, of which `ladder.mixtures` takes the place; None for
    #: a task that mixes nothing.
    mixture_setting: ClassVar[str | None] = None

    #: Metrics of every evaluation, the loss among them.
    metrics: tuple[Metric, ...]

    @property
    @abstractmethod
    def name(self) -> str:
        """The name in the tables."""

    @property
    @abstractmethod
    def signature(self) -> Signature:
        """Shapes of inputs and outputs."""

    @property
    def subtasks(self) -> Sequence[str]:
        """Names of the subtasks, in the order of `Batch.subtask`; () for a task without subtasks."""
        return ()

    @property
    def versions(self) -> dict[str, str]:
        """What the data depend on besides the settings, such as the hash of a corpus; recorded with every run."""
        return {}

    def check_data(self) -> None:
        """Look at data from elsewhere before anything is planned or trained; nothing for a task that makes its own.

        What takes more than seconds is left to training.

        Raises:
            UserError: the data cannot be used.
        """

    @property
    def cautions(self) -> Sequence[str]:
        """What a user should know of the data before anything is trained on them, each in a line."""
        return ()

    @property
    def mixture(self) -> Mapping[str, float]:
        """Share of training that each part of what `mixture_setting` weighs has; {} for a task that mixes nothing."""
        return {}

    @property
    def n_train(self) -> int | None:
        """Number of training examples; None for a task that generates them without end."""
        return None

    @property
    def first_scored(self) -> int:
        """Positions at the beginning of an example that training never scores, so that it needs no logits there."""
        return 0

    @property
    def target_bytes(self) -> np.ndarray | None:
        """(n_outputs,) bytes of text that each answer stands for; None where answers are no text."""
        return None

    @property
    def augmenter(self) -> Augmenter | None:
        """What changes training batches by random numbers, drawn anew for every batch; None for nothing."""
        return None

    @abstractmethod
    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        """The next training batch of `batch_size` examples, with all randomness drawn from `rng`."""

    def first_examples(self, examples: int) -> Batch:
        """The first training examples of a fixed order, the same for every run: a smaller set is part of a larger one.

        Args:
            examples: how many, at most `n_train`.
        """
        return limited.drawn(self, examples)

    def train_batches(self, rng: np.random.Generator, batch_size: int, examples: int | None = None) -> Iterator[Batch]:
        """Training batches without end, with all randomness drawn from `rng`.

        Args:
            examples: train on the `first_examples` alone, epoch by epoch, each in a fresh order; None draws as
                `train_batch` does.
        """
        if examples is not None:
            return limited.epochs(self.first_examples(examples), rng, batch_size)
        return (self.train_batch(rng, batch_size) for _ in itertools.count())

    @abstractmethod
    def eval_batch(self) -> Batch:
        """The evaluation set: the same examples for every run of the task."""

    @property
    def choices(self) -> Choices | None:
        """What evaluation offers beside the right answers, for metrics of choices; None for a task without choices."""
        return None

    def longer(self, factor: float) -> Task | None:
        """The task with sequences `factor` times as long, of the same vocabulary, to evaluate on (`shifts`).

        None for a task without a setting of its length.

        Raises:
            SettingError: it cannot be made so long.
        """
        return None

    def chance(self, metric: str) -> float | None:
        """The value of `metric` for a model that guesses, or None where that is not defined."""
        return None

    def subtask_chance(self, metric: str, subtask: str) -> float | None:
        """As `chance`, of one subtask; that of the whole task unless a task says otherwise."""
        return self.chance(metric)

    def subtask_weight(self) -> np.ndarray | None:
        """(n_subtasks,) shares of the subtasks in training, which sum to 1; None for those of the evaluation set.

        The subtask 'all' of a metric is the mean over subtasks with these weights.
        """
        return None
