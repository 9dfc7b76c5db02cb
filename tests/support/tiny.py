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
class Mixed(Task):
    """Which feature is loudest in a patch of four or a frame of three, and then the same symbol once more?

    A patch and a frame in either order, a symbol that asks for the patch (5) or the frame (6), and the first answer.
    """

    metrics = (LOSS, TOKEN_ACCURACY)
    name = "mixed"
    subtasks = ("frame", "patch")

    @property
    def signature(self) -> Signature:
        kinds = (("patch", 4), ("frame", 3))
        return Signature(n_outputs=4, vocab_size=7, context=4, feature_kinds=kinds, answered=2)

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        inputs = np.zeros((batch_size, 4, 5), dtype=np.float32)
        patches, frames = rng.standard_normal((batch_size, 4)), rng.standard_normal((batch_size, 3))
        rows, first, asks_patch = np.arange(batch_size), rng.integers(2, size=batch_size), rng.random(batch_size) < 0.5
        inputs[rows, first, 0], inputs[rows, first, 1:] = -1, patches
        inputs[rows, 1 - first, 0], inputs[rows, 1 - first, 1:4] = -2, frames
        answers = np.where(asks_patch, patches.argmax(axis=1), frames.argmax(axis=1))
        inputs[:, 2, 0], inputs[:, 3, 0] = np.where(asks_patch, 5, 6), answers
        return Batch.of_answers(inputs, np.repeat(answers[:, None], 2, axis=1), asks_patch.astype(np.int64))

    def eval_batch(self) -> Batch:
        return self.train_batch(np.random.default_rng(0), 64)


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
