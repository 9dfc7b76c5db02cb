"""Common parts of sequence tasks: held-out examples, scores of the answer tokens alone, chance levels."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import numpy as np

from harness.errors import SettingError
from harness.metrics import ANSWER_LOG_LIKELIHOOD, EXACT_MATCH, LOSS, TOKEN_ACCURACY
from harness.ranges import between, count, setting, whole
from harness.tasks.base import Batch, Signature, Task
from harness.tasks.streams import eval_stream

#: An evaluation set that is not full after this many draws stays smaller than asked for.
MAX_ROUNDS = 100
#: Examples drawn to check that both sides of the split have any.
PROBE = 512


@dataclass
class AnswerTask(Task):
    """Sequences of tokens of which only the answer is scored, some of them held out of training.

    Answer tokens are 0 ... n_answers - 1, followed by separators and other symbols. Chance levels are those of a model
    that draws each answer token uniformly: 1 / n_answers for token accuracy, and for exact match the mean of
    n_answers^-L over answers of L tokens. The likelihood of an answer has one where all answers are of one length.
    """

    train_fraction: float = setting(
        0.9,
        "share of all possible examples to train on; evaluation draws from the rest",
        between(0.05, 0.95),
    )
    n_eval: int = setting(1024, "evaluation examples, all different; fewer where no more exist", count(1))
    eval_seed: int = setting(0, "seed of the evaluation set", whole(0))

    metrics = (LOSS, TOKEN_ACCURACY, ANSWER_LOG_LIKELIHOOD, EXACT_MATCH)

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of tokens: answers, separators and all others."""

    @property
    @abstractmethod
    def n_answers(self) -> int:
        """Number of tokens that an answer can consist of."""

    @property
    @abstractmethod
    def answer_lengths(self) -> Sequence[int]:
        """Scored tokens of each evaluation example; one number where all have equally many."""

    def chance(self, metric: str) -> float | None:
        lengths, nats = self.answer_lengths, math.log(self.n_answers)
        return {
            "loss": nats,
            "token_accuracy": 1 / self.n_answers,
            "answer_log_likelihood": -lengths[0] * nats if len(set(lengths)) == 1 else None,
            "exact_match": math.fsum(math.exp(-length * nats) for length in lengths) / len(lengths),
        }.get(metric)

    def _held_out(self, hashes: np.ndarray) -> np.ndarray:
        """Which examples, by their uint64 hashes, are never trained on."""
        return hashes >= np.uint64(self.train_fraction * 2**64)


@dataclass
class SequenceTask(AnswerTask):
    """Sequences of a fixed length T, drawn from so many that none need be listed.

    A hash of its inputs assigns each possible example to training or to evaluation, so that no evaluation example is
    ever trained on.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        inputs, _ = self.draw(eval_stream(0), PROBE)
        held_out = self._held_out(_hash(inputs))
        if held_out.all() or not held_out.any():
            allowed = "one that leaves examples on both sides of the split; this small a task has too few"
            raise SettingError("task.train_fraction", self.train_fraction, allowed)

    #: The setting by which sequences become longer on the same vocabulary; '' where there is none.
    lengthened_by: ClassVar[str] = ""

    def longer(self, factor: float) -> SequenceTask | None:
        if not self.lengthened_by:
            return None
        return replace(self, **{self.lengthened_by: round(getattr(self, self.lengthened_by) * factor)})

    @property
    @abstractmethod
    def scored(self) -> np.ndarray:
        """(T,) bool, the positions whose target is an answer token."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """(n, T) inputs and (n, T) targets, int64, the targets a function of the inputs."""

    @property
    def answer_lengths(self) -> Sequence[int]:
        return [int(self.scored.sum())]

    @property
    def first_scored(self) -> int:
        return int(self.scored.argmax())

    @property
    def signature(self) -> Signature:
        return Signature.of_tokens(self.vocab_size, len(self.scored))

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        inputs, targets = self._training_side(rng, batch_size)
        while len(inputs) < batch_size:
            more_inputs, more_targets = self._training_side(rng, batch_size)
            inputs, targets = np.concatenate([inputs, more_inputs]), np.concatenate([targets, more_targets])
        return self._batch(inputs[:batch_size], targets[:batch_size])

    def eval_batch(self) -> Batch:
        rng = eval_stream(self.eval_seed)
        inputs = np.empty((0, len(self.scored)), dtype=np.int64)
        targets = inputs
        for _ in range(MAX_ROUNDS):
            more_inputs, more_targets = self.draw(rng, max(self.n_eval, PROBE))
            held_out = self._held_out(_hash(more_inputs))
            inputs = np.concatenate([inputs, more_inputs[held_out]])
            targets = np.concatenate([targets, more_targets[held_out]])
            _, first = np.unique(_hash(inputs), return_index=True)
            kept = np.sort(first)[: self.n_eval]
            inputs, targets = inputs[kept], targets[kept]
            if len(inputs) == self.n_eval:
                break
        return self._batch(inputs, targets)

    def _training_side(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """About n training examples, usually a few more."""
        inputs, targets = self.draw(rng, int(n / self.train_fraction * 1.1) + 8)
        trained = ~self._held_out(_hash(inputs))
        return inputs[trained], targets[trained]

    def _batch(self, inputs: np.ndarray, targets: np.ndarray) -> Batch:
        n = len(inputs)
        return Batch(inputs, targets, np.repeat(self.scored[None], n, axis=0), np.zeros(n, dtype=np.int64))


@dataclass
class PromptAnswer(SequenceTask):
    """A prompt followed by its answer, each token of which is predicted from all tokens before it."""

    @property
    @abstractmethod
    def prompt_length(self) -> int:
        """Tokens of the prompt, including its final separator."""

    @property
    @abstractmethod
    def answer_length(self) -> int:
        """Tokens of the answer."""

    @abstractmethod
    def prompts(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """(n, prompt_length) tokens."""

    @abstractmethod
    def answers(self, prompts: np.ndarray) -> np.ndarray:
        """(n, answer_length) tokens."""

    @property
    def scored(self) -> np.ndarray:
        # The first answer token is predicted at the last token of the prompt.
        return np.arange(self.prompt_length + self.answer_length - 1) >= self.prompt_length - 1

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        prompts = self.prompts(rng, n)
        tokens = np.concatenate([prompts, self.answers(prompts)], axis=1)
        return tokens[:, :-1], tokens[:, 1:]


def distinct_symbols(rng: np.random.Generator, n: int, n_symbols: int) -> np.ndarray:
    """(n, n_symbols) each row a random permutation of 0 ... n_symbols - 1."""
    return rng.random((n, n_symbols)).argsort(axis=1)


def _hash(tokens: np.ndarray) -> np.ndarray:
    """(n,) uint64, a multilinear hash of each row of (n, T) tokens, mixed by the finaliser of SplitMix64.

    Without the mixing, held-out examples would form stripes, for example in the table of an addition.
    """
    h = tokens.astype(np.uint64) @ _hash_weights(tokens.shape[1])
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@lru_cache
def _hash_weights(length: int) -> np.ndarray:
    return np.random.default_rng(0).integers(2**64, size=length, dtype=np.uint64) | np.uint64(1)
