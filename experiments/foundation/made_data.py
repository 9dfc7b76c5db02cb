"""The smaller tasks of the study, made of files that every Debian machine has, or that one package brings.

prose/        the help texts of Python's documentation, one file a topic: another corpus than the code
packages.csv  snippets of code of the standard library and the package that each is from
others.npz, target.npz  Fashion-MNIST at 14 x 14 pixels: five classes to pretrain on, the other five to fine-tune on
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from pydoc_data import topics

import numpy as np
import pandas as pd

from harness.data.sources.standard_library import root, sources

#: Where Debian's dataset-fashion-mnist puts its files.
FASHION = Path("/usr/share/datasets/fashion-mnist")
#: Classes of the second task; those that are left are to pretrain on.
TARGET_CLASSES = (5, 6, 7, 8, 9)
#: Packages whose code is told apart: the largest of the library that are many files.
PACKAGES = ("asyncio", "ctypes", "email", "importlib", "multiprocessing", "unittest", "urllib", "xml")
#: Characters of a snippet, and of the shortest prose that is kept.
SNIPPET, SHORTEST = 47, 500
#: Snippets to train and to evaluate on.
N_TRAIN, N_TEST = 12_000, 2_000


def prose(folder: Path) -> None:
    """Write the help texts, each as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in topics.topics.items():
        if len(text) >= SHORTEST:
            (folder / f"{name.replace('/', '_')}.txt").write_text(text)


def packages(path: Path) -> None:
    """Write snippets of code, each with its package; those of one file are all to train on, or all to evaluate on."""
    rows = []
    for package in PACKAGES:
        for file in sorted(sources(root() / package)):
            text = file.read_text(encoding="utf-8", errors="ignore")
            pieces = (text[at : at + SNIPPET].strip() for at in range(0, len(text) - SNIPPET, SNIPPET))
            rows += [
                {"text": piece, "label": package, "split": "test" if _is_held_out(file) else "train"}
                for piece in pieces
                if len(piece) > SNIPPET // 2
            ]
    found = pd.DataFrame(rows).sample(frac=1, random_state=0)
    kept = [found[found["split"] == side].head(n) for side, n in (("train", N_TRAIN), ("test", N_TEST))]
    pd.concat(kept).to_csv(path, index=False)


def _is_held_out(file: Path) -> bool:
    """One file of five, by a hash of its name."""
    return hashlib.sha256(file.name.encode()).digest()[0] < 51


def garments(folder: Path) -> None:
    """Write both halves of the classes, at half the height and width."""
    read = {side: _images(prefix) for side, prefix in (("train", "train"), ("test", "t10k"))}
    for name, kept in (("others", tuple(set(range(10)) - set(TARGET_CLASSES))), ("target", TARGET_CLASSES)):
        arrays = {}
        for side, (images, labels) in read.items():
            chosen = np.isin(labels, kept)
            arrays[f"x_{side}"] = images[chosen]
            arrays[f"y_{side}"] = np.searchsorted(kept, labels[chosen]).astype(np.int64)
        np.savez_compressed(folder / f"{name}.npz", **arrays)


def _images(prefix: str) -> tuple[np.ndarray, np.ndarray]:
    with gzip.open(FASHION / f"{prefix}-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 14, 2, 14, 2)
    with gzip.open(FASHION / f"{prefix}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return pixels.mean(axis=(2, 4)).round().astype(np.uint8), labels.astype(np.int64)


def make(folder: Path) -> list[str]:
    """Make what is not there yet; which kinds of data could be had: text, and images where the package is installed."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "packages.csv").exists():
        prose(folder / "prose")
        packages(folder / "packages.csv")
    if FASHION.is_dir() and not (folder / "target.npz").exists():
        garments(folder)
    return ["text", *(["images"] if (folder / "target.npz").exists() else [])]
