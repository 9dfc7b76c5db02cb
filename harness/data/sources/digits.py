"""Handwritten digits of 8 x 8 pixels, which come with the package.

`digits.npz` beside this file holds the test set of "Optical Recognition of Handwritten Digits" (E. Alpaydin and
C. Kaynak 1998, UCI Machine Learning Repository, https://doi.org/10.24432/C50P49; licence: Creative Commons Attribution
4.0). These are 1,797 images by 13 writers, unchanged, the same that scikit-learn's `load_digits` gives. A pixel counts
how many of 4 x 4 finer ones are black, 0 to 16.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from harness.errors import DataError

FILE = Path(__file__).with_name("digits.npz")
#: SHA-256 of the bytes of all pixels, then of all labels, as uint8.
SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def images_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """(1797, 64) pixels, 0.0 to 16.0, row by row, and (1797,) labels, 0 to 9.

    Raises:
        DataError: the file is not there, or was changed.
    """
    try:
        with np.load(FILE) as file:
            pixels, labels = file["pixels"], file["labels"]
    except (OSError, ValueError, KeyError, BadZipFile, zlib.error) as error:
        raise DataError(f"{FILE}: cannot be read ({error}); install the package anew") from error
    if sha256(pixels.tobytes() + labels.tobytes()).hexdigest() != SHA256:
        raise DataError(f"{FILE}: was changed; install the package anew")
    return pixels.astype(np.float64), labels.astype(np.int64)
