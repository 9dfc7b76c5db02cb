"""Repeating a sequence of symbols: in the same order, reversed, or sorted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.ranges import count, setting
from harness.tasks.sequences.base import PromptAnswer


@dataclass
class Rearrangement(PromptAnswer):
    """`length` uniformly drawn symbols and a separator, then the same symbols in the order of the task."""

    length: int = setting(8, "symbols to repeat: difficulty", count(1))
    n_symbols: int = setting(16, "different symbols", count(2))

    lengthened_by = "length"

    @property
    def vocab_size(self) -> int:
        return self.n_symbols + 1

    @property
    def n_answers(self) -> int:
        return self.n_symbols

    @property
    def prompt_length(self) -> int:
        return self.length + 1

    @property
    def answer_length(self) -> int:
        return self.length

    def prompts(self, rng: np.random.Generator, n: int) -> np.ndarray:
        prompts = rng.integers(self.n_symbols, size=(n, self.length + 1))
        prompts[:, -1] = self.n_symbols
        return prompts


@dataclass
class Copy(Rearrangement):
    """The symbols in the same order."""

    name = "copy"

    def answers(self, prompts: np.ndarray) -> np.ndarray:
        return prompts[:, :-1]


@dataclass
class Reverse(Rearrangement):
    """The symbols in reverse order."""

    name = "reverse"

    def answers(self, prompts: np.ndarray) -> np.ndarray:
        return prompts[:, -2::-1]


@dataclass
class Sort(Rearrangement):
    """The symbols in ascending order, repeated symbols included."""

    name = "sort"

    def answers(self, prompts: np.ndarray) -> np.ndarray:
        return np.sort(prompts[:, :-1], axis=1)
