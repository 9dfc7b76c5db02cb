"""Two digits, shown, spoken or written, and a question: the sequence, its answers, and the mixture of both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from harness.data.settings import DataSettings
from harness.metrics import EXACT_MATCH, LOSS, TOKEN_ACCURACY
from harness.mixtures import Weights
from harness.ranges import Number, count, or_null, setting, whole
from harness.tasks.base import Batch, Signature, Task
from harness.tasks.streams import eval_stream
from harness.tasks.two_digits import presentations
from harness.tasks.two_digits.presentations import CLIP_S, Presented
from harness.tasks.two_digits.questions import BASE, QUESTIONS

KINDS = ("shown", "spoken", "written")
#: What the features of a kind are called.
FEATURES = {"shown": "patches", "spoken": "frames"}
#: The token that shorter examples begin with, after the digits and the questions.
PAD = BASE + len(QUESTIONS)


@dataclass
class TwoDigits(Task):
    """Two digits and a question, answered in digits.

    An example is the patches of two images, the frames of two spoken words or two symbols, then the token of the
    question and all digits of the answer but the last; shorter examples begin with a padding token. Only the answer is
    scored, each digit after the right ones before it. Digits and questions are drawn independently, digits evenly, and
    of a digit any of its training images (voices, rates and pitches); evaluation draws from images and voices that are
    held out. All 100 pairs of written digits are trained on.

    A kind or a question of weight 0 is evaluated and never trained on, so that mixtures can be compared at one size.
    """

    kinds: Any = setting(
        None,
        "how often digits are of each kind: shown, spoken, written",
        or_null(Weights(KINDS), "all shown"),
    )
    questions: Any = setting(
        None,
        "how often each question is asked: left, right, max, larger, mod, sum",
        or_null(Weights(tuple(QUESTIONS)), "all of them, equally often"),
    )
    patch: int = setting(4, "pixels of a patch's side, of shown digits", count(1))
    frame_ms: float = setting(64.0, "length of a frame of spoken digits, in milliseconds", Number(10, 1e3 * CLIP_S))
    n_mels: int = setting(16, "mel bands of a frame", count(1))
    n_eval_per_subtask: int = setting(256, "evaluation examples of each kind and question", count(1))
    eval_seed: int = setting(0, "seed of the evaluation set", whole(0))
    data: DataSettings = field(default_factory=DataSettings)

    metrics = (LOSS, TOKEN_ACCURACY, replace(EXACT_MATCH, paired_metric=LOSS.name))
    name = "two_digits"
    mixture_setting: ClassVar[str | None] = "kinds"

    # ------------------------------------------------------------------------------------------------- what is mixed

    @property
    def mixture(self) -> Mapping[str, float]:
        return self.kinds or {"shown": 1.0}

    @property
    def asked(self) -> Mapping[str, float]:
        """Share of training that each question has."""
        return self.questions or dict.fromkeys(QUESTIONS, 1 / len(QUESTIONS))

    @property
    def subtasks(self) -> Sequence[str]:
        return [name for name, _, _ in self._parts]

    def subtask_weight(self) -> np.ndarray:
        weights = np.array([self.mixture[kind] * self.asked[question] for _, kind, question in self._parts])
        return weights / weights.sum()

    @property
    def _parts(self) -> list[tuple[str, str, str]]:
        """Subtasks in order: name, kind and question; a single kind is no part of the name."""
        several = len(self.mixture) > 1
        pairs = ((kind, question) for kind in self.mixture for question in self.asked)
        return sorted((f"{kind} {question}" if several else question, kind, question) for kind, question in pairs)

    # ---------------------------------------------------------------------------------------------- shapes and data

    @property
    def signature(self) -> Signature:
        sizes = {kind: self._size(kind) for kind in self.mixture}
        features = tuple((FEATURES[kind], n) for kind, (_, n) in sizes.items() if n)
        longest = 2 * max(positions for positions, _ in sizes.values())
        return Signature(
            n_outputs=BASE,
            vocab_size=PAD + 1,
            context=longest + self._answer_length,
            feature_kinds=features,
            answered=self._answer_length,
        )

    @property
    def _answer_length(self) -> int:
        return max(QUESTIONS[name].length for name in self.asked)

    @property
    def versions(self) -> dict[str, str]:
        found = dict(presentations.images(self.data).versions) if "shown" in self.mixture else {}
        if "spoken" in self.mixture:
            of_voices = presentations.voices().versions
            found |= {f"spoken_{name}": of_voices[f"data_{name}"] for name in ("sha256", "version")}
        return found

    def check_data(self) -> None:
        for kind in self.mixture:
            self._presented(kind)

    def _size(self, kind: str) -> tuple[int, int]:
        """Positions of a digit and features of a position, 0 for a token."""
        if kind == "shown":
            return presentations.patches_of(presentations.images(self.data), self.patch)
        return presentations.frames_of(self.frame_ms, self.n_mels) if kind == "spoken" else (1, 0)

    def _presented(self, kind: str) -> tuple[Presented, Presented] | None:
        """Both sides of a kind's examples; None for symbols."""
        if kind == "shown":
            return presentations.shown(presentations.images(self.data), self.patch)
        return presentations.spoken(self.frame_ms, self.n_mels) if kind == "spoken" else None

    # ------------------------------------------------------------------------------------------------------- batches

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        part = rng.choice(len(self._parts), size=batch_size, p=self.subtask_weight())
        return self._batch(part, rng.integers(BASE, size=(batch_size, 2)), rng.random((batch_size, 2)), held_out=False)

    def eval_batch(self) -> Batch:
        # The same digits for every subtask, that what is made of two can be compared with its parts.
        rng, n, parts = eval_stream(self.eval_seed), self.n_eval_per_subtask, len(self._parts)
        digits, places = rng.integers(BASE, size=(n, 2)), rng.random((n, 2))
        part = np.repeat(np.arange(parts), n)
        return self._batch(part, np.tile(digits, (parts, 1)), np.tile(places, (parts, 1)), held_out=True)

    def _batch(self, part: np.ndarray, digits: np.ndarray, places: np.ndarray, held_out: bool) -> Batch:
        """Examples of these subtasks (n,), of digits (n, 2), of which `places` (n, 2) choose the examples."""
        signature, n = self.signature, len(part)
        widest = max((n_features for _, n_features in signature.feature_kinds), default=0)
        inputs = np.zeros((n, signature.context, 1 + widest), dtype=np.float32)
        inputs[..., 0] = PAD
        targets, scored = (np.zeros((n, self._answer_length), dtype=kind) for kind in (np.int64, bool))
        presented = {kind: self._presented(kind) for kind in self.mixture}
        marks = {name: -1 - k for k, (name, _) in enumerate(signature.feature_kinds)}
        for index, (_, kind, name) in enumerate(self._parts):
            rows, question = np.flatnonzero(part == index), QUESTIONS[name]
            answers = question.answers(digits[rows])
            inputs[rows, -question.length, 0] = BASE + list(QUESTIONS).index(name)
            inputs[rows[:, None], np.arange(1 - question.length, 0), 0] = answers[:, :-1]
            targets[rows, -question.length :], scored[rows, -question.length :] = answers, True
            end = signature.context - question.length
            if (both := presented[kind]) is None:
                inputs[rows, end - 2 : end, 0] = digits[rows]
                continue
            features = both[held_out].of_digits(digits[rows], places[rows])
            _, _, positions, n_features = features.shape
            start = end - 2 * positions
            inputs[rows, start:end, 0] = marks[FEATURES[kind]]
            inputs[rows, start:end, 1 : 1 + n_features] = features.reshape(len(rows), 2 * positions, n_features)
        return Batch(inputs if widest else inputs[..., 0].astype(np.int64), targets, scored, part.astype(np.int64))

    # -------------------------------------------------------------------------------------------------------- chance

    def chance(self, metric: str) -> float | None:
        if (of_parts := [self._chance(metric, question) for _, _, question in self._parts])[0] is None:
            return None
        return math.fsum(weight * value for weight, value in zip(self.subtask_weight(), of_parts, strict=True) if value)

    def subtask_chance(self, metric: str, subtask: str) -> float | None:
        return self._chance(metric, next(question for name, _, question in self._parts if name == subtask))

    def _chance(self, metric: str, question: str) -> float | None:
        """Of a model that gives all ten digits the same probability at every position."""
        right = {"loss": math.log(BASE), "token_accuracy": 1 / BASE, "exact_match": BASE ** -QUESTIONS[question].length}
        return right.get(metric)
