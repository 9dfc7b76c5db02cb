"""Small tasks and settings that tests share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.families.base import Family
from harness.ladder import Job, build_ladder, members
from harness.metrics import ACCURACY, EXACT_MATCH, LOSS, TOKEN_ACCURACY
from harness.settings import LadderSettings, Settings
from harness.tasks.base import Batch, Signature, Task


@dataclass
class SignOfSum(Task):
    """Is the sum of four normals above zero? With the sign of the first as subtask."""

    n_eval: int = 64
    image: bool = False

    metrics = (LOSS, ACCURACY)
    name = "sign_of_sum"
    subtasks = ("first below", "first above")

    @property
    def signature(self) -> Signature:
        return Signature(n_outputs=2, feature_shape=(1, 2, 2) if self.image else (4,))

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        x = rng.standard_normal((batch_size, *self.signature.feature_shape)).astype(np.float32)
        flat = x.reshape(batch_size, -1)
        targets = (flat.sum(axis=1, keepdims=True) > 0).astype(np.int64)
        return Batch.of_answers(x, targets, subtask=(flat[:, 0] > 0).astype(np.int64))

    def eval_batch(self) -> Batch:
        return self.train_batch(np.random.default_rng(0), self.n_eval)


@dataclass
class Frames(Task):
    """Which of five features is loudest in the last of six frames?"""

    metrics = (LOSS, ACCURACY)
    name = "frames"

    @property
    def signature(self) -> Signature:
        return Signature(n_outputs=5, feature_shape=(6, 5))

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        x = rng.standard_normal((batch_size, 6, 5)).astype(np.float32)
        return Batch.of_answers(x, x[:, -1].argmax(axis=1))

    def eval_batch(self) -> Batch:
        return self.train_batch(np.random.default_rng(0), 32)


@dataclass
class NextSymbol(Task):
    """The next symbol is the last one plus one; only the later half of the answers counts."""

    n_symbols: int = 7
    length: int = 8

    metrics = (LOSS, TOKEN_ACCURACY, EXACT_MATCH)
    name = "next_symbol"

    @property
    def signature(self) -> Signature:
        return Signature(n_outputs=self.n_symbols, vocab_size=self.n_symbols, context=self.length)

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        start = rng.integers(self.n_symbols, size=(batch_size, 1))
        x = (start + np.arange(self.length + 1)) % self.n_symbols
        scored = np.zeros((batch_size, self.length), dtype=bool)
        scored[:, self.length // 2 :] = True
        return Batch(x[:, :-1], x[:, 1:], scored, np.zeros(batch_size, dtype=np.int64))

    def eval_batch(self) -> Batch:
        return self.train_batch(np.random.default_rng(0), 32)


def make_settings(family: Family, task: Task, **changes: Any) -> Settings:
    """Settings of a tiny study on CPU; dotted names as keyword `ladder__widths`."""
    settings = Settings(family=family, task=task, ladder=LadderSettings(widths=[8, 16], steps=12, batch_size=16))
    settings.training.device = "cpu"
    for name, value in changes.items():
        owner: Any = settings
        *path, last = name.split("__")
        for part in path:
            owner = getattr(owner, part)
        assert hasattr(owner, last), name
        setattr(owner, last, value)
        owner.__post_init__()
    return settings


def job_of(settings: Settings, rung: int = 0, only: int | None = None) -> Job:
    """All members of a rung at the first duration, or `only` one of them."""
    of_rung = build_ladder(settings)[rung]
    chosen = members(settings, of_rung, 0)
    return Job(settings, of_rung, 0, chosen if only is None else (chosen[only],))


def numbers(outcome: Any) -> list[tuple[Any, ...]]:
    """What was measured of one member: (split, metric, subtask, step, value, stderr) of each row."""
    keys = ("split", "metric", "subtask", "step", "value", "stderr")
    return [tuple(row[key] for key in keys) for row in outcome.measurements]
