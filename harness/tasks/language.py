"""Language modelling of texts from elsewhere, by bytes or by the tokens of a BPE."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

import numpy as np

from harness.data.augment.base import Augmenter
from harness.data.augment.composed import augmenter
from harness.data.dataset import Dataset, Kind
from harness.data.load import Prepared, prepared
from harness.data.settings import DataSettings
from harness.data.tokens import MEANING, SIZES, Vocabulary, check_vocabulary, is_quick, size_of, vocabulary_of
from harness.errors import SettingError
from harness.metrics import ACCURACY, BITS_PER_BYTE, LOSS
from harness.ranges import setting
from harness.tasks.base import Signature
from harness.tasks.windows import Windows


@dataclass
class Language(Windows):
    """Predict the next token of texts (data=NAME), whose documents are on one side of the split each.

    The loss is in nats per token, so that it grows with the vocabulary; bits per byte do not, and vocabularies compare
    by them. All texts of a side follow each other, with the end of a document between two. Training on the first N
    examples (ladder.train_examples) takes windows that do not overlap, in a fixed order of them all.
    """

    data: DataSettings = field(default_factory=DataSettings)
    vocabulary: int | None = setting(None, MEANING, SIZES)

    data_kind: ClassVar[Kind] = "text"
    metrics = (LOSS, BITS_PER_BYTE, ACCURACY)
    name = "language"

    @property
    def signature(self) -> Signature:
        return Signature.of_tokens(size_of(self.vocabulary), self.context)

    @property
    def versions(self) -> dict[str, str]:
        return self._prepared.versions | self._vocabulary.versions

    @property
    def augmenter(self) -> Augmenter | None:
        return augmenter(self.data, self.data_kind, self.signature.n_outputs)

    @property
    def target_bytes(self) -> np.ndarray:
        return self._vocabulary.n_bytes

    @property
    def corpus(self) -> tuple[np.ndarray, np.ndarray]:
        """The tokens of all training and of all evaluation texts, int32.

        Raises:
            SettingError: a window longer than one of the two; a vocabulary that is too large.
            UserError: as `prepared`; or the library of the tokenizer is not installed.
        """
        train, held_out = _encoded(self._prepared, self.vocabulary)
        self._refuse_short(len(train), len(held_out))
        return train, held_out

    def check_data(self) -> None:
        """As `Task.check_data`; of texts that take long to be made tokens of, their bytes are counted instead.

        Bytes are tokens or more than these, so that what is refused is refused by training too.
        """
        data = self._prepared
        check_vocabulary(data, self.vocabulary)
        if self.vocabulary is not None and is_quick(data, self.vocabulary):
            sizes = [len(side) for side in self.corpus]
        else:
            sizes = [_n_bytes_and_ends(side) for side in (data.train, data.evaluation)]
        self._refuse_short(*sizes)
        self._windows_of(sizes[1])

    def _refuse_short(self, train: int, held_out: int) -> None:
        """Refuse a window that is longer than all tokens of a side."""
        for tokens, side in ((train, "training"), (held_out, "evaluation")):
            if tokens <= self.context:
                allowed = f"at most {tokens - 1:,}: the {side} texts have {tokens:,} tokens"
                raise SettingError("task.context", self.context, allowed)

    def chance(self, metric: str) -> float | None:
        nats = math.log(self.signature.n_outputs)
        if metric == BITS_PER_BYTE.name:
            targets = self.eval_batch().targets
            return nats * targets.size / (math.log(2) * int(self.target_bytes[targets].sum()))
        return {"loss": nats, "accuracy": 1 / self.signature.n_outputs}.get(metric)

    @property
    def _prepared(self) -> Prepared:
        return prepared(self.data, self.data_kind)

    @property
    def _vocabulary(self) -> Vocabulary:
        return vocabulary_of(self._prepared, self.vocabulary)


def _n_bytes_and_ends(side: Dataset) -> int:
    return sum(len(text.encode()) + 1 for text in side.inputs)


@lru_cache(maxsize=2)
def _encoded(data: Prepared, vocabulary: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Both sides as tokens."""
    tokens = vocabulary_of(data, vocabulary)
    return tokens.joined(data.train.inputs), tokens.joined(data.evaluation.inputs)
