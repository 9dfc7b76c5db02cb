"""``embedded:NAME``: data that every installation has, or that its packages make."""

from __future__ import annotations

import platform
from collections.abc import Callable

import numpy as np

from harness.data.dataset import Kind
from harness.data.settings import DataSettings
from harness.data.sources import digits, number_questions, spoken_words, standard_library
from harness.data.sources.found import Found
from harness.errors import SettingError, UserError, nearest


def read(name: str, settings: DataSettings, kind: Kind) -> Found:
    """One of `EMBEDDED`.

    Raises:
        SettingError, UserError: there is none of this name, or it is of another kind.
        DataError: its files are damaged.
    """
    if name not in EMBEDDED:
        raise SettingError("data.source", f"embedded:{name}", f"one of {', '.join(EMBEDDED)}{nearest(name, EMBEDDED)}")
    kinds, reader = EMBEDDED[name]
    if kind not in kinds:
        raise UserError(f"data.source=embedded:{name}: has {' or '.join(kinds)}, and the task reads {kind}")
    return reader(settings)


def _digits(settings: DataSettings) -> Found:
    pixels, labels = digits.images_and_labels()
    return Found(
        inputs=pixels.reshape(-1, 8, 8).astype(np.uint8),
        labels=labels,
        classes=tuple(map(str, range(10))),
        names=[f"{digits.FILE.name}, row {row}" for row in range(1, len(labels) + 1)],
        title="Optical Recognition of Handwritten Digits (test set)",
        licence="CC BY 4.0",
        version="UCI Machine Learning Repository, doi:10.24432/C50P49",
    )


def _standard_library(settings: DataSettings) -> Found:
    root = standard_library.root()
    # Some packages are marked by an empty file, which is no text.
    files = [file for file in sorted(standard_library.sources(root)) if file.stat().st_size]
    return Found(
        # A few files of the library are in an encoding of their own.
        inputs=[file.read_text(encoding="utf-8", errors="replace") for file in files],
        names=[file.relative_to(root).as_posix() for file in files],
        title="standard library of Python",
        licence="PSF-2.0",
        version=f"Python {platform.python_version()}",
    )


#: Name -> the kinds that it can be read as, and its reader.
EMBEDDED: dict[str, tuple[tuple[Kind, ...], Callable[[DataSettings], Found]]] = {
    "digits": (("images", "features"), _digits),
    "numbers": (("questions",), lambda settings: number_questions.found()),
    "spoken_words": (("audio",), spoken_words.read),
    "stdlib": (("text",), _standard_library),
}
