"""Training and evaluation examples told apart: by the source, or by a hash that knows nothing of the other examples."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from harness.data.dataset import EVAL, Dataset
from harness.data.settings import DataSettings
from harness.errors import DataError, SettingError


def split(data: Dataset, settings: DataSettings) -> tuple[Dataset, Dataset]:
    """Training and evaluation examples, each with the rule in its provenance.

    With `split=hash` an example is held out by a hash of its content and `split_seed`, so that adding, removing or
    reordering others moves it nowhere, and exact copies are on one side. With `split=groups` the hash is that of its
    group's name.

    Raises:
        SettingError: the source has no split, or no groups.
        DataError: an example has no group, with `split=groups`.
    """
    rule = settings.split or ("hash" if data.split is None else "source")
    if rule == "source":
        if data.split is None:
            raise SettingError("data.split", "source", "hash or groups, for the source has no split of its own")
        held_out, said = data.split == EVAL, data.provenance.split_rule
    else:
        if rule == "groups" and data.groups is None:
            raise SettingError("data.split", "groups", "source or hash, for no groups are known; see data.group_column")
        keys = data.digests() if rule == "hash" else _groups(data)
        held_out = _held_out(keys, settings)
        whose = "each example" if rule == "hash" else "each group"
        said = f"hash of {whose}: {settings.eval_fraction:g} held out, seed {settings.split_seed}"
    data = replace(data, provenance=replace(data.provenance, split_rule=said))
    return data.take(~held_out), data.take(held_out)


def _groups(data: Dataset) -> np.ndarray:
    groups = np.asarray(data.groups)
    without = np.char.strip(groups) == ""
    if without.any():
        others = f" ({int(without.sum()):,} such rows)" if without.sum() > 1 else ""
        problem = f"no group{others}, and data.split=groups holds out whole groups"
        raise DataError(problem, source=data.names[int(without.argmax())])
    return groups


def _held_out(keys: np.ndarray, settings: DataSettings) -> np.ndarray:
    """(n,) bool: whether the hash of a key and the seed, as a number from 0 to 1, is below the fraction."""
    distinct, index = np.unique(keys, return_inverse=True)
    digests = [hashlib.sha256(f"{settings.split_seed}:{key}".encode()).digest()[:8] for key in distinct]
    positions = np.array([int.from_bytes(digest, "big") / 2**64 for digest in digests])
    return (positions < settings.eval_fraction)[index]
