"""NPZ files: arrays of inputs and labels by their usual names, with a test set beside or without."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from harness.data.dataset import EVAL, TRAIN, Kind
from harness.data.settings import DataSettings
from harness.data.sources.found import Found
from harness.errors import DataError

INPUTS = ("x", "images", "data", "inputs", "texts", "waves")
LABELS = ("y", "labels", "label", "targets", "target")
_GROUPS = ("groups", "group", "speakers", "speaker")
_RATE = "sample_rate"
#: Parts of a name for each side: ``x`` and ``x_train`` are for training, ``x_test`` is for evaluation.
_SIDES = {TRAIN: ("", "train"), EVAL: ("test",)}


def fits(path: Path, kind: Kind) -> bool:
    """Whether this is an NPZ file."""
    return path.suffix.lower() == ".npz"


def read(path: Path, settings: DataSettings, kind: Kind) -> Found:
    """The arrays of one file; of ``x_train``, ``y_train``, ``x_test``, ``y_test`` the latter two are for evaluation.

    Arrays of other names are left out, and the note says which.

    Raises:
        DataError: the file is damaged, has no array that could be the inputs or two of one meaning, has labels on one
            side only, or labels that are to be classes and are negative or no whole numbers.
    """
    arrays = _Arrays(path)
    inputs = arrays.of(INPUTS)
    if TRAIN not in inputs:
        wanted = f"{', '.join(INPUTS)} (x_train and x_test where there is a test set)"
        raise arrays.error(f"no array of inputs; it has {', '.join(arrays.arrays)}, and wanted is one of {wanted}")
    counts = {side: len(array) for side, array in inputs.items()}
    groups, rate = arrays.beside(_GROUPS, counts), arrays.sample_rate()
    labels = arrays.beside(LABELS, counts)
    if labels is not None and settings.answers == "classes" and settings.classes is None:
        _refuse_uncountable(labels, path)
    joined, n = arrays.joined(inputs), sum(counts.values())
    return Found(
        inputs=[str(one) for one in joined] if kind == "text" else joined,
        labels=labels,
        groups=None if groups is None else groups.tolist(),
        names=[f"{path.name}, row {row}" for row in range(1, n + 1)],
        title=path.stem,
        split=[side for side, count in counts.items() for _ in range(count)] if EVAL in counts else None,
        split_rule="train and test by the names of the arrays",
        rates=None if rate is None else [rate] * n,
        note=arrays.unused(),
    )


class _Arrays:
    """The arrays of one file by their names, and which of them have been asked for.

    Raises:
        DataError: the file is damaged, or is no NPZ file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._used = path, set[str]()
        try:
            file = np.load(path, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise self.error("one array (.npy) and no .npz, whose arrays have names; np.savez(FILE, x=..., y=...)")
            with file:
                self.arrays: dict[str, np.ndarray] = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
            raise self.error(f"cannot be read ({str(error).splitlines()[0]})") from error

    def error(self, problem: str) -> DataError:
        return DataError(problem, source=self.path)

    def of(self, meanings: Sequence[str]) -> dict[str, np.ndarray]:
        """The arrays of this meaning by their side, that of training first."""
        found = {side: self._one(meanings, parts) for side, parts in _SIDES.items()}
        return {side: self._checked(name) for side, name in found.items() if name is not None}

    def beside(self, meanings: Sequence[str], counts: dict[str, int]) -> np.ndarray | None:
        """An entry for each example, the training ones first; None where there are none on either side."""
        found = self.of(meanings)
        for side, array in found.items():
            if side not in counts:
                raise self.error(f"{meanings[0]}_test is there, and x_test is not")
            if len(array) != counts[side]:
                of = "training" if side == TRAIN else "test"
                raise self.error(f"{len(array):,} {meanings[1]} for {counts[side]:,} {of} examples")
        if found and (without := set(counts) - set(found)):
            of = "training" if TRAIN in without else "test"
            raise self.error(f"no {meanings[1]} of the {of} examples, and the others have some; give both or neither")
        return self.joined(found) if found else None

    def joined(self, of: dict[str, np.ndarray]) -> np.ndarray:
        arrays = list(of.values())
        for one in arrays[1:]:
            if one.shape[1:] != arrays[0].shape[1:]:
                sizes = f"{arrays[0].shape[1:]} and {one.shape[1:]}"
                raise self.error(f"training and test examples are of two shapes, {sizes}")
            if (one.dtype.kind in "SU") != (arrays[0].dtype.kind in "SU"):
                raise self.error("texts on one side of training and test, and numbers on the other")
        return np.concatenate(arrays)

    def sample_rate(self) -> int | None:
        if _RATE not in self.arrays:
            return None
        self._used.add(_RATE)
        rate = self.arrays[_RATE]
        if rate.size != 1 or rate.dtype.kind not in "iuf" or not rate.item() >= 1 or rate.item() % 1:
            raise self.error(f"{_RATE} is {_short(rate)}; allowed is one whole number of Hz, for all")
        return int(rate.item())

    def unused(self) -> str:
        names = [name for name in self.arrays if name not in self._used]
        return f"arrays left out: {', '.join(names)}" if names else ""

    def _one(self, meanings: Sequence[str], parts: Sequence[str]) -> str | None:
        """The name of the array that means this: ``x``, ``x_train`` or ``train_x``."""
        known = {full for name in meanings for part in parts for full in _full_names(name, part)}
        names = [name for name in self.arrays if name.lower() in known]
        self._used.update(names)
        if len(names) > 1:
            raise self.error(f"{' and '.join(names)} mean the same; leave one of them in the file")
        return names[0] if names else None

    def _checked(self, name: str) -> np.ndarray:
        array = self.arrays[name]
        if array.ndim == 0:
            raise self.error(f"{name} is one value; wanted is an array with an entry for each example")
        if array.dtype.kind not in "biufSU":
            raise self.error(f"{name} holds {array.dtype}; wanted are real numbers or texts")
        return array


def _full_names(name: str, part: str) -> tuple[str, ...]:
    return (f"{name}_{part}", f"{part}_{name}") if part else (name,)


def _refuse_uncountable(labels: np.ndarray, path: Path) -> None:
    """Numbers count classes from 0; NaN marks a missing one."""
    if labels.dtype.kind not in "if" or labels.ndim > 1:
        return
    wrong = ~np.isnan(labels) & ((labels < 0) | (labels != np.floor(labels)) | np.isinf(labels))
    if wrong.any():
        row = int(wrong.argmax())
        allowed = "classes are whole numbers from 0, or data.classes names them; values need data.answers=values"
        raise DataError(f"label {labels[row]}: {allowed}", source=f"{path.name}:{row + 1}")


def _short(array: np.ndarray) -> Any:
    return array.item() if array.size == 1 else f"an array of shape {array.shape}"
