"""What every source gives: examples with labels, where each came from, and the provenance of all."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

#: What examples are.
Kind = Literal["images", "text", "audio", "features", "questions"]

#: The two sides of a split.
TRAIN, EVAL = "train", "eval"

#: The label of an example that has none, and of one whose label is none of the classes.
MISSING, UNKNOWN = -1, -2


@dataclass(frozen=True)
class Question:
    """A question and the answers to choose from.

    Attributes:
        text: the question.
        choices: two answers or more.
        right: which of them is right, from 0.
    """

    text: str
    choices: tuple[str, ...]
    right: int


@dataclass(frozen=True)
class Provenance:
    """Where a data set is from.

    Attributes:
        name: what it is called.
        licence: under which it may be used; `UNKNOWN_LICENCE` where nothing says so.
        version: of the data, in the source's own words.
        sha256: of the content of all examples and labels, in their order; see `content_sha256`.
        split_rule: how training and evaluation are told apart, in a phrase.
    """

    name: str
    licence: str
    version: str
    sha256: str
    split_rule: str


UNKNOWN_LICENCE = "unknown: yours"


@dataclass(frozen=True)
class Dataset:
    """n examples of one kind.

    Attributes:
        kind: what the examples are.
        inputs: images (n, C, H, W) uint8, or float32 once they are scaled; features (n, F) float64; text: a list of n
            str; audio: a list of n arrays (t,) float32, from -1 to 1; questions: a list of n `Question`.
        labels: (n,) int64 indices into `classes`, `MISSING` for none, `UNKNOWN` for one that is none of the classes;
            (n, K) float64 values to be predicted; or None.
        classes: names of the classes; () where labels are values or None.
        names: n names of where each example came from: ``file``, ``file, row N`` or ``file, line N``.
        groups: (n,) str, such as the speaker of each, "" for an example of none; or None.
        split: (n,) str, "train" or "eval", where the source has a split of its own, else None.
        sample_rate: of audio, in Hz.
        features: F names of the features, or () where they have none.
        provenance: of the whole.
        note: what the source left out or ignored, in a phrase, or "".
    """

    kind: Kind
    inputs: Any
    labels: np.ndarray | None
    classes: tuple[str, ...]
    names: Sequence[str]
    provenance: Provenance
    groups: np.ndarray | None = None
    split: np.ndarray | None = None
    sample_rate: int | None = None
    features: tuple[str, ...] = ()
    note: str = ""

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def has_classes(self) -> bool:
        """Whether labels are classes, rather than values or none."""
        return self.labels is not None and self.labels.ndim == 1

    def feature_name(self, feature: int) -> str:
        """The name of a feature, or its number from 0."""
        return self.features[feature] if self.features else f"feature {feature}"

    def take(self, chosen: np.ndarray) -> Dataset:
        """The examples at these indices, in their order, or those for which a mask of (n,) bool is true."""
        indices = np.flatnonzero(chosen) if chosen.dtype == bool else chosen

        def of(values: Any) -> Any:
            if values is None or isinstance(values, np.ndarray):
                return None if values is None else values[indices]
            return [values[i] for i in indices]

        parts = {name: of(getattr(self, name)) for name in ("inputs", "labels", "names", "groups", "split")}
        return replace(self, **parts)

    def digests(self) -> np.ndarray:
        """(n,) SHA-256 of the content of each example without its label, as 64 hexadecimal digits."""
        return np.array([hashlib.sha256(content(one)).hexdigest() for one in self.inputs], dtype="U64")

    def class_counts(self) -> np.ndarray:
        """(n_classes,) how many examples each class has."""
        assert self.labels is not None and self.has_classes
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))


def content(example: str | Question | np.ndarray) -> bytes:
    """The bytes of one example: UTF-8 of text, a question's as JSON, an array's own in C order, little endian."""
    if isinstance(example, str):
        return example.encode()
    if isinstance(example, Question):
        return json.dumps(dataclasses.astuple(example), ensure_ascii=False).encode()
    return np.ascontiguousarray(example).astype(example.dtype.newbyteorder("<"), copy=False).tobytes()


def content_sha256(inputs: Any, labels: np.ndarray | None) -> str:
    """SHA-256 of all examples, each after its length in bytes, then of all labels."""
    digest = hashlib.sha256()
    for one in inputs:
        encoded = content(one)
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    if labels is not None:
        digest.update(content(labels))
    return digest.hexdigest()
