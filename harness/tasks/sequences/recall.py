"""Retrieval: from earlier in the sequence, or from a table memorised in the weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.tasks.checks import check_range
from harness.tasks.sequences.base import SequenceTask, distinct_symbols
from harness.tasks.streams import problem_stream


@dataclass
class Induction(SequenceTask):
    """A random permutation of some of the symbols, repeated: which symbol followed this one the last time?

    Each sequence has a period of its own, uniform from `min_period` to `max_period`. The last `n_answers_scored`
    positions are scored; all of them come after the first period, so that each answer is determined by the earlier
    occurrence of the symbol. Two layers of attention suffice, and one does not (induction heads; Olsson et al. 2022,
    arXiv:2209.11895).

    The chance level is that of guessing among all `n_symbols`; a model that guesses among the symbols that occur
    reaches 1 / period.

    Attributes:
        n_symbols: number of different symbols.
        min_period, max_period: shortest and longest period.
        length: positions of a sequence.
        n_answers_scored: scored positions, the last of the sequence.
    """

    n_symbols: int = 32
    min_period: int = 8
    max_period: int = 16
    length: int = 40
    n_answers_scored: int = 24

    name = "induction"

    def check(self) -> None:
        check_range("task.n_symbols", self.n_symbols, 2)
        check_range("task.max_period", self.max_period, 2, self.n_symbols)
        check_range("task.min_period", self.min_period, 2, self.max_period)
        check_range("task.length", self.length, self.max_period + 1)
        check_range("task.n_answers_scored", self.n_answers_scored, 1, self.length - self.max_period)

    @property
    def vocab_size(self) -> int:
        return self.n_symbols

    @property
    def n_answers(self) -> int:
        return self.n_symbols

    @property
    def scored(self) -> np.ndarray:
        return np.arange(self.length) >= self.length - self.n_answers_scored

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        symbols = distinct_symbols(rng, n, self.n_symbols)
        periods = rng.integers(self.min_period, self.max_period + 1, size=(n, 1))
        tokens = np.take_along_axis(symbols, np.arange(self.length + 1) % periods, axis=1)
        return tokens[:, :-1], tokens[:, 1:]


@dataclass
class AssociativeRecall(SequenceTask):
    """Pairs of a key and a value, then queries: a key followed by its value, the next key followed by its value, ...

    The multi-query form of Arora et al. 2023, "Zoology" (arXiv:2312.04927). Values are the tokens 0 ... n_symbols - 1,
    keys the n_symbols tokens after them. The keys of a sequence are different, and each is queried at most once.

    Attributes:
        n_pairs: pairs of a sequence.
        n_queries: queries of a sequence.
        n_symbols: number of different values, and of different keys.
    """

    n_pairs: int = 8
    n_queries: int = 4
    n_symbols: int = 16

    name = "associative_recall"

    def check(self) -> None:
        check_range("task.n_symbols", self.n_symbols, 2)
        check_range("task.n_pairs", self.n_pairs, 1, self.n_symbols)
        check_range("task.n_queries", self.n_queries, 1, self.n_pairs)

    @property
    def vocab_size(self) -> int:
        return 2 * self.n_symbols

    @property
    def n_answers(self) -> int:
        return self.n_symbols

    @property
    def scored(self) -> np.ndarray:
        positions = np.arange(2 * (self.n_pairs + self.n_queries) - 1)
        return (positions >= 2 * self.n_pairs) & (positions % 2 == 0)

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        keys = self.n_symbols + distinct_symbols(rng, n, self.n_symbols)[:, : self.n_pairs]
        values = rng.integers(self.n_symbols, size=(n, self.n_pairs))
        pairs = np.stack([keys, values], axis=2)
        asked = distinct_symbols(rng, n, self.n_pairs)[:, : self.n_queries]
        queries = np.take_along_axis(pairs, asked[:, :, None], axis=1)
        tokens = np.concatenate([pairs, queries], axis=1).reshape(n, -1)
        return tokens[:, :-1], tokens[:, 1:]


@dataclass
class Lookup(SequenceTask):
    """Uniformly drawn symbols; the answer at each but the first is R[previous, current], R being a fixed random table.

    The table has to be memorised: training shows every pair of symbols, and only whole sequences are held out. Answers
    are given in place rather than after the prompt, so that no answer depends on another.

    Attributes:
        n_symbols: number of different symbols.
        n_answers_scored: answers of a sequence.
        task_seed: seed of the table.
    """

    n_symbols: int = 40
    n_answers_scored: int = 8
    task_seed: int = 0

    name = "lookup"

    def check(self) -> None:
        check_range("task.n_symbols", self.n_symbols, 2)
        check_range("task.n_answers_scored", self.n_answers_scored, 1)
        check_range("task.task_seed", self.task_seed, 0)

    @property
    def vocab_size(self) -> int:
        return self.n_symbols

    @property
    def n_answers(self) -> int:
        return self.n_symbols

    @property
    def scored(self) -> np.ndarray:
        return np.arange(self.n_answers_scored + 1) >= 1

    @property
    def table(self) -> np.ndarray:
        """(n_symbols, n_symbols) R, the answer to each pair (previous, current)."""
        return _table(self.n_symbols, self.task_seed)

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        inputs = rng.integers(self.n_symbols, size=(n, self.n_answers_scored + 1))
        targets = np.zeros_like(inputs)
        targets[:, 1:] = self.table[inputs[:, :-1], inputs[:, 1:]]
        return inputs, targets


@lru_cache
def _table(n_symbols: int, task_seed: int) -> np.ndarray:
    return problem_stream(task_seed).integers(n_symbols, size=(n_symbols, n_symbols))
