"""Tasks of looking something up: earlier in the sequence, or in a table kept in the weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.tasks.checks import check_range
from harness.tasks.sequences.base import SequenceTask, distinct_symbols
from harness.tasks.streams import problem_stream


@dataclass
class Induction(SequenceTask):
    """A random permutation of some symbols, repeated: what followed this symbol the last time?

    Each sequence has its own period, uniform from `min_period` to `max_period`; the last `n_answers_scored` positions
    count, all of them after the first period, so each is determined by the symbol's earlier occurrence. Two layers of
    attention suffice and one does not (induction heads; Olsson et al. 2022, arXiv:2209.11895).

    Chance is the guesser of any of the `n_symbols`; one that sees which symbols occur gets 1 / period.
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
    """Pairs of key and value, then queries: key, its value, next key, its value ...

    The multi-query form of Arora et al. 2023, "Zoology" (arXiv:2312.04927). Values are tokens 0 ... n_symbols - 1, keys
    the n_symbols after them; keys of one sequence differ, and no key is asked for twice.
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
    """Read uniform symbols; at each but the first, answer R[previous, current] from one fixed random table R.

    The table must be memorised: every pair is seen in training, and only whole sequences are held out. Answers are
    read off in place, not written after the prompt, so that no answer depends on another.
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
        """(n_symbols, n_symbols) the answer to each (previous, current)."""
        return _table(self.n_symbols, self.task_seed)

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        inputs = rng.integers(self.n_symbols, size=(n, self.n_answers_scored + 1))
        targets = np.zeros_like(inputs)
        targets[:, 1:] = self.table[inputs[:, :-1], inputs[:, 1:]]
        return inputs, targets


@lru_cache
def _table(n_symbols: int, task_seed: int) -> np.ndarray:
    return problem_stream(task_seed).integers(n_symbols, size=(n_symbols, n_symbols))
