"""Which class is this text of?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from harness.data.dataset import Dataset, Kind
from harness.data.load import Prepared
from harness.data.tokens import MEANING, SIZES, check_vocabulary, first_ends, size_of, vocabulary_of
from harness.errors import SettingError
from harness.ranges import one_of, setting, whole
from harness.tasks.base import Batch, Signature
from harness.tasks.labelled import LabelledTask


@dataclass
class TextClassification(LabelledTask):
    """Classes of texts, read token by token or as counts of tokens.

    As a sequence, a text is its first `context` - 1 tokens and the end of a document, where the class is answered; the
    positions after it hold the same token and count for nothing. How many texts were cut is recorded with every run.
    As counts c_v of its tokens v, all of them, a text has the V features ln(1 + c_v), for mlp and linear.
    """

    context: int = setting(128, "tokens that are read, the end of a document among them", whole(2, 8192))
    vocabulary: int | None = setting(None, MEANING, SIZES)
    form: str = setting("sequence", "what the model is given: tokens in their order, or counts of them",
                        one_of("sequence", "counts"))  # fmt: skip

    data_kind: ClassVar[Kind] = "text"
    name = "text_classification"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data.answers == "values":
            raise SettingError("data.answers", "values", f"classes, for task={self.name}")
        if self.form == "counts" and self.data.augment:
            raise SettingError("data.augment", self.data.augment, "[] with task.form=counts, which has no order")

    def check_data(self) -> None:
        check_vocabulary(self.examples, self.vocabulary)

    @property
    def signature(self) -> Signature:
        n_classes = len(self.examples.train.classes)
        if self.form == "counts":
            return Signature(n_outputs=n_classes, feature_shape=(size_of(self.vocabulary),))
        return Signature(n_outputs=n_classes, vocab_size=size_of(self.vocabulary), context=self.context)

    @property
    def versions(self) -> dict[str, str]:
        longest = self.context - 1
        texts_cut = {} if self.form == "counts" else {"texts_cut": _texts_cut(self.examples, self.vocabulary, longest)}
        return super().versions | vocabulary_of(self.examples, self.vocabulary).versions | texts_cut

    def inputs_of(self, data: Dataset) -> np.ndarray:
        """int64 tokens (n, context), or float32 features (n, V)."""
        vocabulary = vocabulary_of(self.examples, self.vocabulary)
        encoded = vocabulary.encoded(data.inputs)
        if self.form == "counts":
            counts = [np.bincount(tokens, minlength=size_of(self.vocabulary)) for tokens in encoded]
            return np.log1p(np.array(counts, dtype=np.float32))
        rows = np.full((len(encoded), self.context), vocabulary.end, dtype=np.int64)
        for row, tokens in zip(rows, encoded, strict=True):
            read = tokens[: self.context - 1]
            row[: len(read)] = read
        return rows

    def _batch(self, inputs: np.ndarray, data: Dataset) -> Batch:
        batch = super()._batch(inputs, data)
        if self.form == "counts":
            return batch
        # No text holds the end token, so that the first one ends the text.
        scored = first_ends(batch.inputs == size_of(self.vocabulary) - 1)
        return Batch(batch.inputs, np.where(scored, batch.targets, 0), scored, batch.subtask)


@lru_cache(maxsize=8)
def _texts_cut(data: Prepared, vocabulary: int | None, longest: int) -> str:
    """How many texts of each side have more tokens than are read."""
    tokens = vocabulary_of(data, vocabulary)
    train, evaluation = (
        f"{sum(len(one) > longest for one in tokens.encoded(side.inputs))} of {len(side)}"
        for side in (data.train, data.evaluation)
    )
    return f"{train} to train on, {evaluation} to evaluate on"
