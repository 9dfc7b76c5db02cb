"""Retrieval: from earlier in the sequence, or from a table memorised in the weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.ranges import Following, count, setting, whole
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
    """

    n_symbols: int = setting(32, "different symbols", count(2))
    min_period: int = setting(8, "shortest period; each sequence's is uniform from here", whole(2, "max_period"))
    max_period: int = setting(16, "longest period", whole(2, "n_symbols"))
    length: int = setting(40, "symbols read", whole(Following("max_period + 1", lambda task: task.max_period + 1)))
    n_answers_scored: int = setting(
        24,
        "scored positions, the last of a sequence",
        whole(1, Following("length - max_period", lambda task: task.length - task.max_period)),
    )

    name = "induction"
    lengthened_by = "length"

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
    """

    n_pairs: int = setting(8, "pairs of a sequence: difficulty", whole(1, "n_symbols"))
    n_queries: int = setting(4, "keys asked for, all different", whole(1, "n_pairs"))
    n_symbols: int = setting(16, "different keys, and as many values", count(2))

    name = "associative_recall"
    lengthened_by = "n_pairs"

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
    """

    n_symbols: int = setting(40, "different symbols; the table holds n_symbols^2 answers", whole(2, 10_000))
    n_answers_scored: int = setting(8, "answers of a sequence", count(1))
    task_seed: int = setting(0, "seed of the table", whole(0))

    name = "lookup"
    lengthened_by = "n_answers_scored"

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
