"""NPZ files: arrays of inputs and labels by their usual names, with a test set beside or without."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from harness.data.dataset import EVAL, TRAIN, Kind
from harness.data.settings import DataSettings
from harness.data.sources.found import Found
from harness.errors import DataError

INPUTS = ("x", "images", "data", "inputs", "texts", "waves")
LABELS = ("y", "labels", "label", "targets", "target")
_GROUPS = ("groups", "group", "speakers", "speaker")


def fits(path: Path, kind: Kind) -> bool:
    """Whether this is an NPZ file."""
    return path.suffix.lower() == ".npz"


def read(path: Path, settings: DataSettings, kind: Kind) -> Found:
    """The arrays of one file; of ``x_train``, ``y_train``, ``x_test``, ``y_test`` the latter two are for evaluation.

    Raises:
        DataError: the file is damaged, or has no array that could be the inputs.
    """
    arrays = _arrays(path)
    training = _array(arrays, INPUTS, ("", "train"))
    if training is None:
        wanted = f"{', '.join(INPUTS)} (x_train and x_test where there is a test set)"
        raise DataError(f"no array of inputs; it has {', '.join(arrays)}, and wanted is one of {wanted}", source=path)
    held_out = _array(arrays, INPUTS, ("test",))
    n_train, n_eval = len(training), 0 if held_out is None else len(held_out)
    inputs = training if held_out is None else np.concatenate([training, held_out])
    rate, groups = arrays.get("sample_rate"), _joined(arrays, _GROUPS, n_train, n_eval, path)
    return Found(
        inputs=[str(one) for one in inputs] if kind == "text" else inputs,
        labels=_joined(arrays, LABELS, n_train, n_eval, path),
        groups=None if groups is None else groups.astype(str).tolist(),
        names=[f"{path.name}, row {row}" for row in range(1, n_train + n_eval + 1)],
        title=path.stem,
        split=[TRAIN] * n_train + [EVAL] * n_eval if n_eval else None,
        split_rule="train and test by the names of the arrays",
        rates=None if rate is None else [int(rate)] * (n_train + n_eval),
    )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name.lower(): file[name] for name in file.files}
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise DataError(f"cannot be read ({str(error).splitlines()[0]})", source=path) from error


def _array(arrays: Mapping[str, np.ndarray], names: Sequence[str], parts: Sequence[str]) -> np.ndarray | None:
    """The first of these names that is there: ``x``, ``x_train`` or ``train_x``."""
    for part in parts:
        for name in names:
            for full in {name, f"{name}_{part}", f"{part}_{name}"} if part else {name}:
                if full in arrays and (full != name or not part):
                    return arrays[full]
    return None


def _joined(
    arrays: Mapping[str, np.ndarray], names: Sequence[str], n_train: int, n_eval: int, path: Path
) -> np.ndarray | None:
    """Labels (or groups) of training, then of evaluation examples."""
    training = _array(arrays, names, ("", "train"))
    held_out = _array(arrays, names, ("test",)) if n_eval else None
    for values, n, of in ((training, n_train, "training"), (held_out, n_eval, "test")):
        if values is not None and len(values) != n:
            raise DataError(f"{len(values):,} {names[1]} for {n:,} {of} examples", source=path)
    if training is None or (n_eval and held_out is None):
        return None
    return training if held_out is None else np.concatenate([training, held_out])
