"""Addition: of residues, to be inferred from part of the table, and of decimal numbers, digit by digit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.metrics import ANSWER_LOG_LIKELIHOOD, EXACT_MATCH, LOSS, TOKEN_ACCURACY
from harness.ranges import Flag, between, setting, whole
from harness.tasks.sequences.base import PromptAnswer

PLUS, EQUALS = 10, 11


@dataclass
class ModularAddition(PromptAnswer):
    """a, b, "=", then (a + b) mod `modulus`, one token each; a share of the table is never trained on.

    Power et al. 2022, "Grokking" (arXiv:2201.02177). As there, a + b and b + a are different examples. The answer is a
    single token, so that exact match equals token accuracy; it is paired with the loss instead.
    """

    train_fraction: float = setting(
        0.5, "share of the modulus^2 sums to train on; evaluation draws from the rest", between(0.05, 0.95)
    )
    modulus: int = setting(59, "residues: difficulty", whole(5, 10_000))

    metrics = (LOSS, TOKEN_ACCURACY, ANSWER_LOG_LIKELIHOOD, replace(EXACT_MATCH, paired_metric=LOSS.name))
    name = "modular_addition"
    prompt_length = 3
    answer_length = 1

    @property
    def vocab_size(self) -> int:
        return self.modulus + 1

    @property
    def n_answers(self) -> int:
        return self.modulus

    def prompts(self, rng: np.random.Generator, n: int) -> np.ndarray:
        prompts = rng.integers(self.modulus, size=(n, 3))
        prompts[:, -1] = self.modulus
        return prompts

    def answers(self, prompts: np.ndarray) -> np.ndarray:
        return prompts[:, :2].sum(axis=1, keepdims=True) % self.modulus


@dataclass
class Addition(PromptAnswer):
    """The sum of two numbers of `n_digits` digits, "3 1 + 8 5 = 1 1 6"; it has one digit more, and keeps leading zeros.

    With `reversed_digits` it is written in the order in which carries propagate (Lee et al. 2023, "Teaching Arithmetic
    to Small Transformers", arXiv:2307.03381); the two numbers are not reversed.
    """

    n_digits: int = setting(3, "digits of each number: difficulty", whole(1, 18))  # the sum is computed in int64
    reversed_digits: bool = setting(False, "write the sum with its last digit first", Flag())

    name = "addition"
    lengthened_by = "n_digits"
    vocab_size = 12
    n_answers = 10

    @property
    def prompt_length(self) -> int:
        return 2 * self.n_digits + 2

    @property
    def answer_length(self) -> int:
        return self.n_digits + 1

    def prompts(self, rng: np.random.Generator, n: int) -> np.ndarray:
        prompts = rng.integers(10, size=(n, self.prompt_length))
        prompts[:, self.n_digits] = PLUS
        prompts[:, -1] = EQUALS
        return prompts

    def answers(self, prompts: np.ndarray) -> np.ndarray:
        powers = 10 ** np.arange(self.n_digits, -1, -1)
        left, right = prompts[:, : self.n_digits], prompts[:, self.n_digits + 1 : -1]
        total = (left + right) @ powers[1:]
        digits = total[:, None] // powers % 10
        return digits[:, ::-1] if self.reversed_digits else digits
