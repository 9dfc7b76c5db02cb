"""IDX files, gzipped or not, as MNIST, Fashion-MNIST and EMNIST have them (format: yann.lecun.com/exdb/mnist)."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from pathlib import Path

import numpy as np

from harness.data.dataset import Kind
from harness.data.settings import DataSettings
from harness.data.sources.found import Found, side
from harness.errors import DataError

FOUR_FILES = "{train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte"
#: ``train-images-idx3-ubyte``, ``train-images.idx3-ubyte``, ``emnist-letters-test-labels-idx1-ubyte.gz``.
_NAME = re.compile(r"(?P<before>.*?)[-._]?(?P<what>images|labels)[-._]idx[13][-._]ubyte(\.gz)?$", re.IGNORECASE)
#: The third byte of a file -> the type of its numbers.
_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def fits(path: Path, kind: Kind) -> bool:
    """Whether these are IDX files."""
    names = [p.name for p in path.iterdir()] if path.is_dir() else [path.name]
    return kind in ("images", "features") and any(map(_NAME.match, names))


def read(path: Path, settings: DataSettings, kind: Kind) -> Found:
    """Images and labels of all pairs of files in a folder, or of the pair that a file belongs to.

    Files of train are training examples, those of t10k or test evaluation.

    Raises:
        DataError: a file is missing, damaged or empty, there are two of one name that differ, or images and labels are
            not of one number.
    """
    pairs = _pairs(path)
    images, labels, names, split = [], [], [], []
    for (before, what), file in sorted(pairs.items(), reverse=True):  # train before t10k and test
        if what == "labels":
            continue
        labels_file = pairs.get((before, "labels"))
        if labels_file is None:
            raise DataError(f"no file of labels beside it; wanted are {FOUR_FILES}, each .gz or not", source=file)
        images.append(read_idx(file))
        if not len(images[-1]):
            raise DataError("holds no images", source=file)
        labels.append(read_idx(labels_file))
        if len(images[-1]) != len(labels[-1]):
            problem = f"{len(labels[-1]):,} labels for the {len(images[-1]):,} images of {file.name}"
            raise DataError(problem, source=labels_file)
        names += [f"{file.name}, row {row}" for row in range(1, len(images[-1]) + 1)]
        split += [_side(before)] * len(images[-1])
    if not images:
        raise DataError(f"labels without images; wanted are {FOUR_FILES}, each .gz or not", source=path)
    if len({one.shape[1:] for one in images}) > 1:
        sizes = " and ".join(str(one.shape[1:]) for one in images)
        raise DataError(f"images of two sizes, {sizes}", source=path)
    return Found(
        inputs=np.concatenate(images),
        labels=np.concatenate(labels),
        names=names,
        title=path.name,
        split=split if all(split) and len(set(split)) > 1 else None,
        split_rule="train and t10k (or test) by the names of the files",
    )


def read_idx(file: Path) -> np.ndarray:
    """The array in one file.

    Raises:
        DataError: a wrong magic number, or more or fewer bytes than its head says.
    """
    try:
        raw = file.read_bytes()
        content = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot be read ({error})", source=file) from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES or not content[3]:
        wanted = "00 00, a type (08 for bytes) and the number of dimensions"
        raise DataError(f"wrong magic number {content[:4].hex(' ')}; an IDX file begins with {wanted}", source=file)
    dtype, head = np.dtype(_TYPES[content[2]]), 4 + 4 * content[3]
    if len(content) < head:
        raise DataError(f"truncated: {len(content)} bytes, and its head alone has {head}", source=file)
    shape = tuple(int(n) for n in np.frombuffer(content[4:head], ">u4"))
    wanted_bytes = head + math.prod(shape) * dtype.itemsize
    if len(content) != wanted_bytes:
        told = "truncated" if len(content) < wanted_bytes else "too long"
        problem = f"{told}: {len(content):,} bytes, and {wanted_bytes:,} for its shape {shape}"
        raise DataError(problem, source=file)
    return np.frombuffer(content, dtype, offset=head).reshape(shape).astype(dtype.newbyteorder("="))


def _pairs(path: Path) -> dict[tuple[str, str], Path]:
    """Files by what stands before 'images' or 'labels', and which of the two it is."""
    found: dict[tuple[str, str], Path] = {}
    for file in sorted((path if path.is_dir() else path.parent).iterdir()):
        if match := _NAME.match(file.name):
            same = found.setdefault((match["before"].lower(), match["what"].lower()), file)
            if same != file and not np.array_equal(read_idx(same), read_idx(file)):
                raise DataError(f"differs from {same.name}, which is of the same name; keep one of them", source=file)
    if path.is_dir():
        return found
    own = _NAME.match(path.name)
    assert own is not None
    return {key: file for key, file in found.items() if key[0] == own["before"].lower()}


def _side(before: str) -> str:
    """Of ``emnist-letters-train`` that of its last word."""
    return side(re.split(r"[-._]", before)[-1]) or ""
