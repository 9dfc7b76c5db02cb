"""Following pointers: which symbol lies k steps further along a cycle?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.ranges import Following, count, setting, whole
from harness.tasks.base import Batch
from harness.tasks.sequences.base import SequenceTask, distinct_symbols


@dataclass
class Hops(SequenceTask):
    """A number of hops, a table of pointers, then symbols to start from; the answers are where the hops lead.

    The first token is the number of hops k, uniform from 1 to `max_hops`. The next `n_symbols` tokens are f(0), f(1),
    ..., the pointer of each symbol, where f is a random cycle through all symbols. Then follow `n_starts` different
    symbols s; the answer at each is f^k(s) = f(f(...f(s))). A layer of attention can follow one pointer, or several at
    once if earlier layers have composed pointers (k-hop induction; Sanford et al. 2024, arXiv:2402.09268). Each number
    of hops is a subtask.

    Because f is a single cycle, and k is smaller than its length, no number of hops leads to the same symbol as another
    one or back to the start.
    """

    n_symbols: int = setting(11, "symbols on the cycle", count(3))
    # One digit, so that the names of subtasks sort as numbers.
    max_hops: int = setting(
        4,
        "largest number of hops: difficulty",
        whole(1, Following("the smaller of n_symbols - 1 and 9", lambda task: min(9, task.n_symbols - 1))),
    )
    n_starts: int = setting(8, "symbols to start from, all different", whole(1, "n_symbols"))

    name = "hops"
    lengthened_by = "n_starts"

    @property
    def vocab_size(self) -> int:
        return self.n_symbols + self.max_hops

    @property
    def n_answers(self) -> int:
        return self.n_symbols

    @property
    def subtasks(self) -> list[str]:
        return [f"{k} hop{'s' * (k > 1)}" for k in range(1, self.max_hops + 1)]

    @property
    def scored(self) -> np.ndarray:
        return np.arange(1 + self.n_symbols + self.n_starts) > self.n_symbols

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        hops = rng.integers(1, self.max_hops + 1, size=(n, 1))
        cycle = distinct_symbols(rng, n, self.n_symbols)
        place = cycle.argsort(axis=1)
        starts = distinct_symbols(rng, n, self.n_symbols)[:, : self.n_starts]

        def after(symbols: np.ndarray, hops: np.ndarray | int) -> np.ndarray:
            places = np.take_along_axis(place, symbols, axis=1) + hops
            return np.take_along_axis(cycle, places % self.n_symbols, axis=1)

        table = after(np.broadcast_to(np.arange(self.n_symbols), (n, self.n_symbols)), 1)
        inputs = np.concatenate([self.n_symbols + hops - 1, table, starts], axis=1)
        targets = np.zeros_like(inputs)
        targets[:, -self.n_starts :] = after(starts, hops)
        return inputs, targets

    def _batch(self, inputs: np.ndarray, targets: np.ndarray) -> Batch:
        batch = super()._batch(inputs, targets)
        return Batch(inputs, targets, batch.scored, inputs[:, 0] - self.n_symbols)
