"""Language modelling of one long sequence of tokens, by windows of it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from harness.errors import SettingError
from harness.ranges import count, or_null, setting, whole
from harness.tasks.base import Batch, Task
from harness.tasks.limited import fixed_order
from harness.tasks.streams import eval_stream


@dataclass
class Windows(Task):
    """Predict the next token at each of `context` positions.

    Training windows start anywhere, or do not overlap where training goes by epochs; evaluation windows do not overlap.
    A few of them hold the end of one document and the start of the next.
    """

    context: int = setting(64, "tokens of a window", whole(1, 8192))
    n_eval: int | None = setting(512, "evaluation windows", or_null(count(1), "all that do not overlap"))
    eval_seed: int = setting(0, "seed of the choice of evaluation windows", whole(0))

    def longer(self, factor: float) -> Windows:
        """Of about as many tokens as the evaluation set has."""
        n_eval = None if self.n_eval is None else max(1, round(self.n_eval / factor))
        return replace(self, context=round(self.context * factor), n_eval=n_eval)

    @property
    @abstractmethod
    def corpus(self) -> tuple[np.ndarray, np.ndarray]:
        """The tokens of all training and of all evaluation documents, each longer than a window."""

    @property
    def n_train(self) -> int:
        """Windows that do not overlap."""
        train, _ = self.corpus
        return (len(train) - 1) // self.context

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        train, _ = self.corpus
        return self._windows(train, rng.integers(len(train) - self.context, size=batch_size))

    def first_examples(self, examples: int) -> Batch:
        train, _ = self.corpus
        return self._windows(train, fixed_order(self.n_train)[:examples] * self.context)

    def eval_batch(self) -> Batch:
        _, held_out = self.corpus
        available = self._windows_of(len(held_out))
        if self.n_eval is None:
            chosen = np.arange(available)
        else:
            chosen = eval_stream(self.eval_seed).choice(available, size=self.n_eval, replace=False)
        return self._windows(held_out, chosen * (self.context + 1))

    def _windows_of(self, held_out: int) -> int:
        """How many windows that do not overlap so many evaluation tokens are; refuses too large an `n_eval`."""
        available = held_out // (self.context + 1)
        if self.n_eval is not None and self.n_eval > available:
            raise SettingError("task.n_eval", self.n_eval, f"at most {available}, the windows of what is held out")
        return available

    def _windows(self, text: np.ndarray, starts: np.ndarray) -> Batch:
        tokens = text[starts[:, None] + np.arange(self.context + 1)].astype(np.int64)
        return Batch.of_answers(tokens[:, :-1], tokens[:, 1:])
