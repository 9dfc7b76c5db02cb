"""What a reader found, and the `Dataset` made of it: labels numbered, images of one size, audio of one rate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.data.dataset import EVAL, TRAIN, UNKNOWN_LICENCE, Dataset, Kind, Provenance, content_sha256
from harness.data.settings import DataSettings
from harness.data.sources import labels as numbering
from harness.data.sources import pictures, waves
from harness.errors import DataError

#: How files, folders and columns call the two sides of a split.
_SIDES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("t10k", "test", "testing", "eval", "evaluation", "valid", "validation", "val", "dev"), EVAL),
}


@dataclass
class Found:
    """n examples as a reader found them.

    Attributes:
        inputs: images: an array (n, H, W), (n, H, W, C) or (n, C, H, W) of whole numbers from 0 to 255, or a list of
            encoded bytes, paths or images of Pillow; audio: a list of arrays (t,) from -1 to 1; text: a list of str;
            features: an array (n, ...) of numbers.
        names: where each example came from, ``file``, ``file, row N`` or ``file, line N``.
        title: what the whole is called.
        labels: None, or n labels as they are written: names or numbers of classes (None or NaN for a missing one), or
            an array (n, K) of values.
        classes: names of the classes, where the source knows them; a label that is a number counts them from 0.
        features: the names of the columns of features, or () where they have none.
        groups, split: n names each, or None.
        rates: of audio, n sampling rates in Hz.
        licence, version, split_rule: see `Provenance`.
    """

    inputs: Any
    names: Sequence[str]
    title: str
    labels: Any = None
    classes: tuple[str, ...] | None = None
    features: tuple[str, ...] = ()
    groups: Sequence[str] | None = None
    split: Sequence[str] | None = None
    rates: Sequence[int] | None = None
    licence: str = UNKNOWN_LICENCE
    version: str = "files as found"
    split_rule: str = "as the source has it"


def side(word: str) -> str | None:
    """The side of the split that the first word of a name means, such as "eval" for ``test-00000-of-00001``."""
    first = re.match(r"[a-z0-9]+", word.lower())
    return _SIDES.get(first[0]) if first else None


def assembled(found: Found, settings: DataSettings, kind: Kind) -> Dataset:
    """The data set.

    Raises:
        DataError: nothing was found, lengths differ, or examples are not of the kind.
    """
    title = settings.name or found.title
    n = len(found.names)
    if not n:
        raise DataError("holds no examples", source=found.title)
    for what in ("inputs", "labels", "groups", "split", "rates"):
        values = getattr(found, what)
        if values is not None and len(values) != n:
            raise DataError(f"{len(values):,} {what} for {n:,} examples", source=found.title)
    inputs, sample_rate = found.inputs, None
    if kind == "images":
        inputs = pictures.of_one_shape(inputs, found.names, settings)
    elif kind == "audio":
        inputs, sample_rate = waves.at_one_rate(inputs, found.rates, found.names, settings.sample_rate)
    elif kind == "features":
        inputs = _features(inputs, found.title)
        if found.features and len(found.features) != inputs.shape[1]:
            problem = f"{len(found.features):,} names for {inputs.shape[1]:,} features"
            raise DataError(problem, source=found.title)
    labels, classes = numbering.numbered(found.labels, settings, found.classes, found.names)
    provenance = Provenance(
        name=title,
        licence=settings.licence or found.licence,
        version=found.version,
        sha256=content_sha256(inputs, labels),
        split_rule=found.split_rule if found.split is not None else "none",
    )
    groups, split = (None if v is None else np.asarray(v, dtype=str) for v in (found.groups, found.split))
    return Dataset(kind, inputs, labels, classes, found.names, provenance, groups, split, sample_rate, found.features)


def _features(inputs: Any, title: str) -> np.ndarray:
    try:
        values = np.asarray(inputs, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"features are not numbers ({error})", source=title) from error
    return values.reshape(len(values), -1)
