"""Which examples are nearly alike: candidates agree in a part of a hash, and are then compared in full."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

#: Bits of a difference hash: 8 rows of 8 differences.
_ROWS, _DIFFERENCES = 8, 8
#: Numbers of a MinHash signature, in this many bands; texts of similarity 0.8 share a band with probability 1 - 5e-8.
_PERMUTATIONS, _TEXT_BANDS = 128, 32
#: Words of a shingle.
_SHINGLE = 3
#: Examples of a group that are compared with all others of it at a time.
_AT_A_TIME = 512

#: Indices (k,), indices (l,) -> (k, l) bool: which are alike.
Alike = Callable[[np.ndarray, np.ndarray], np.ndarray]


def near_images(images: np.ndarray, bits: int, difference: float) -> tuple[np.ndarray, int, Alike]:
    """Keys, parts and comparison, for `near_earlier`, of images (n, C, H, W) with pixels from 0 to 255."""
    hashes = difference_hash(images.mean(axis=1, dtype=np.float32))
    by_hash = _by_hash(hashes, bits)
    flat = images.reshape(len(images), -1).astype(np.float32) / 255
    squares = np.square(flat).sum(axis=1)
    most = difference**2 * flat.shape[1] + 1e-4  # room for the rounding of the products

    def alike(some: np.ndarray, group: np.ndarray) -> np.ndarray:
        distance = squares[some, None] + squares[group] - 2 * flat[some] @ flat[group].T
        return (distance <= most) & by_hash(some, group)

    return hashes, bits + 1, alike


def near_sounds(waves: list[np.ndarray], bits: int) -> tuple[np.ndarray, int, Alike]:
    """The same of sounds."""
    hashes = np.stack([difference_hash(_spectrogram(wave)) for wave in waves])
    return hashes, bits + 1, _by_hash(hashes, bits)


def near_texts(texts: list[str], similarity: float) -> tuple[np.ndarray, int, Alike]:
    """The same of texts."""
    signatures = minhash(texts)

    def alike(some: np.ndarray, group: np.ndarray) -> np.ndarray:
        return np.stack([(signatures[group] == signatures[one]).mean(axis=1) for one in some]) >= similarity

    return signatures, _TEXT_BANDS, alike


def near_earlier(keys: np.ndarray, parts: int, alike: Alike, n_first: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) bool: near an example that stands before it; near one of the `n_first` first.

    Only examples that agree in one of so many parts of their keys (n, K) are compared. Hashes that differ in at most d
    bits agree in one of d + 1 parts.
    """
    near_any, near_first = (np.zeros(len(keys), dtype=bool) for _ in range(2))
    for part in np.array_split(np.arange(keys.shape[1]), parts):
        _, index, counts = np.unique(keys[:, part], axis=0, return_inverse=True, return_counts=True)
        order = np.argsort(index.ravel(), kind="stable")
        for group in np.split(order, np.cumsum(counts)[:-1]):
            for start in range(0, len(group) if len(group) > 1 else 0, _AT_A_TIME):
                some = group[start : start + _AT_A_TIME]
                before = alike(some, group) & (group < some[:, None])
                near_any[some] |= before.any(axis=1)
                near_first[some] |= before[:, group < n_first].any(axis=1)
    return near_any, near_first


def difference_hash(picture: np.ndarray) -> np.ndarray:
    """(..., 64) bool of grey pictures (..., H, W): whether each of 8 x 8 means is brighter than its right neighbour."""
    pixels = _means(_means(picture, _ROWS, -2), _DIFFERENCES + 1, -1)
    return (pixels[..., :-1] > pixels[..., 1:]).reshape(*picture.shape[:-2], _ROWS * _DIFFERENCES)


def minhash(texts: list[str]) -> np.ndarray:
    """(n, 128) uint64 signatures, whose share of equal numbers estimates the Jaccard similarity of two texts."""
    rng = np.random.default_rng(0)
    odd, shift = (rng.integers(2**63, size=(_PERMUTATIONS, 1), dtype=np.uint64) | np.uint64(1) for _ in range(2))
    signatures = np.empty((len(texts), _PERMUTATIONS), dtype=np.uint64)
    for row, text in enumerate(texts):
        words = re.findall(r"\w+", text.casefold())
        runs = {" ".join(words[i : i + _SHINGLE]) for i in range(max(1, len(words) - _SHINGLE + 1))}
        hashed = np.array([zlib.crc32(run.encode()) for run in runs], dtype=np.uint64)
        # Multiply-shift hashing, modulo 2^64: the upper half of the bits is well mixed.
        signatures[row] = ((odd * hashed + shift) >> np.uint64(32)).min(axis=1)
    return signatures


def _by_hash(hashes: np.ndarray, bits: int) -> Alike:
    signs = hashes.astype(np.float32) * 2 - 1

    def alike(some: np.ndarray, group: np.ndarray) -> np.ndarray:
        return signs[some] @ signs[group].T >= signs.shape[1] - 2 * bits

    return alike


def _means(picture: np.ndarray, count: int, axis: int) -> np.ndarray:
    """`count` means of runs of rows or columns; where there are fewer, some are repeated."""
    n = picture.shape[axis]
    edges = np.arange(count) * n // count
    sizes = np.maximum(np.diff([*edges, n]), 1)
    sums: Any = np.add.reduceat(picture, edges, axis=axis, dtype=np.float64)
    return sums / (sizes[:, None] if axis == -2 else sizes)


def _spectrogram(wave: np.ndarray) -> np.ndarray:
    """(frequencies, times), the logarithm of the power in windows of 256 samples."""
    from scipy.signal import stft

    padded = np.pad(wave, (0, max(0, 256 - len(wave))))
    return np.log(np.abs(stft(padded, nperseg=256)[2]) ** 2 + 1e-10)
