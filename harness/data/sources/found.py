"""What a reader found, and the `Dataset` made of it: labels numbered, images of one size, audio of one rate."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.data.dataset import EVAL, TRAIN, UNKNOWN_LICENCE, Dataset, Kind, Provenance, Question, content_sha256
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
        features: the names of the F columns of features, or () where they have none.
        groups: n names, None or NaN or "" for an example of none; or None.
        split: n times "train" or "eval", or None.
        rates: of audio, n sampling rates in Hz.
        licence, version, split_rule: see `Provenance`.
        of_columns: whether the examples are from a table whose columns the settings name.
        note: what was left out or ignored, in a phrase, for the report of preparation.
    """

    inputs: Any
    names: Sequence[str]
    title: str
    labels: Any = None
    classes: tuple[str, ...] | None = None
    features: tuple[str, ...] = ()
    groups: Sequence[Any] | None = None
    split: Sequence[str] | None = None
    rates: Sequence[int] | None = None
    licence: str = UNKNOWN_LICENCE
    version: str = "files as found"
    split_rule: str = "as the source has it"
    of_columns: bool = False
    note: str = ""


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
    inputs, sample_rate, note = found.inputs, None, found.note
    if kind == "images":
        inputs, ignored = pictures.of_one_shape(inputs, found.names, settings)
        note = "; ".join(filter(None, (note, ignored)))
    elif kind == "audio":
        inputs, sample_rate = waves.at_one_rate(inputs, found.rates, found.names, settings.sample_rate)
    elif kind == "features":
        inputs = _features(found)
    else:
        _refuse_other_than(kind, found)
    labels, classes = numbering.numbered(found.labels, settings, found.classes, found.names)
    provenance = Provenance(
        name=title,
        licence=settings.licence or found.licence,
        version=found.version,
        sha256=content_sha256(inputs, labels),
        split_rule=found.split_rule if found.split is not None else "none",
    )
    groups = None if found.groups is None else np.array(["" if pd.isna(one) else str(one) for one in found.groups])
    split = None if found.split is None else np.asarray(found.split, dtype=str)
    return Dataset(
        kind, inputs, labels, classes, found.names, provenance, groups, split, sample_rate, found.features, note
    )


def _refuse_other_than(kind: Kind, found: Found) -> None:
    """Refuse what is no text or no question that can be asked, which a source of the user's own may give."""
    wanted = str if kind == "text" else Question
    for one, name in zip(found.inputs, found.names, strict=True):
        if not isinstance(one, wanted):
            raise DataError(f"{reprlib.repr(one)} is of type {type(one).__name__}; wanted is {kind}", source=name)
        if isinstance(one, Question) and not (len(one.choices) > 1 and 0 <= one.right < len(one.choices)):
            problem = f"choice {one.right} of {len(one.choices)} is right; wanted are two or more, counted from 0"
            raise DataError(problem, source=name)


def _features(found: Found) -> np.ndarray:
    """(n, F) float64 that fit the 32 bits that models compute with."""
    try:
        values = np.asarray(found.inputs, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"features are not numbers ({error})", source=found.title) from error
    values = values.reshape(len(values), -1)
    if found.features and len(found.features) != values.shape[1]:
        problem = f"{len(found.features):,} names for {values.shape[1]:,} features"
        raise DataError(problem, source=found.title)
    too_large = numbering.beyond_range(values)
    if too_large.any():
        row, column = np.argwhere(too_large)[0]
        where = f"column {found.features[column]}" if found.features else f"feature {column + 1}"
        raise DataError(
            f"{where}: {values[row, column]:g} is too large for 32 bits (at most {numbering.LARGEST:.3g})",
            source=found.names[row],
        )
    return values
