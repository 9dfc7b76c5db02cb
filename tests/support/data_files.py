"""Small files of data, written for a test."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from harness.data.dataset import Dataset, Kind
from harness.data.settings import DataSettings
from harness.data.sources import read


def source_of(path: Path, kind: Kind, **settings: object) -> Dataset:
    """All examples of a file or folder."""
    return read(DataSettings(source=f"path:{path}", **settings), kind)  # type: ignore[arg-type]


def idx_bytes(array: np.ndarray, type_code: int = 8) -> bytes:
    """An IDX file of bytes."""
    head = bytes([0, 0, type_code, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


def write_mnist(folder: Path, n_train: int = 12, n_eval: int = 6, dots: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Four files as MNIST has them, the evaluation ones gzipped; all images (n, 4, 3) and labels, training first."""
    folder.mkdir(parents=True, exist_ok=True)
    images = np.random.default_rng(0).integers(256, size=(n_train + n_eval, 4, 3), dtype=np.uint8)
    labels = np.arange(n_train + n_eval) % 3
    mark = "." if dots else "-"
    for part, of in (("train", slice(n_train)), ("t10k", slice(n_train, None))):
        for what, array in (("images-idx3", images[of]), ("labels-idx1", labels[of])):
            name = f"{part}-{what.replace('-idx', mark + 'idx')}-ubyte"
            content = idx_bytes(array)
            if part == "train":
                (folder / name).write_bytes(content)
            else:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    return images, labels
