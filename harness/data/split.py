"""Training and evaluation examples told apart: by the source, or by a hash that knows nothing of the other examples."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np

from harness.data.dataset import EVAL, Dataset
from harness.data.settings import DataSettings
from harness.errors import DataError, SettingError, nearest


def split(data: Dataset, settings: DataSettings) -> tuple[Dataset, Dataset]:
    """Training and evaluation examples, each with the rule in its provenance.

    With `split=hash` an example is held out by a hash of its content and `split_seed`, so that adding, removing or
    reordering others moves it nowhere, and exact copies are on one side. With `split=groups` the hash is that of its
    group's name. Examples that `reserve` names are on neither side, and `evaluate_on` chooses among all but the
    training examples.

    Raises:
        SettingError: the source has no split, or no groups.
        DataError: an example has no group, with `split=groups`; or what is reserved or to be evaluated on is not there,
            or is trained on.
    """
    reserved = np.zeros(len(data), dtype=bool)
    if settings.reserve is not None:
        reserved = selected(data, settings.reserve, "data.reserve")
    train, evaluation = _sides(data.take(~reserved) if reserved.any() else data, settings)
    if settings.evaluate_on is not None:
        evaluation = _chosen(data, train, settings.evaluate_on)
    return train, evaluation


def selected(data: Dataset, selection: Mapping[str, Sequence[str]], setting: str) -> np.ndarray:
    """(n,) bool: examples of one of the groups, where these are named, and of files that match one of the patterns.

    A pattern is as of a shell (``fnmatch``); a name counts as far as the comma before a row or line.

    Raises:
        DataError: no groups are known, or no example is of a group or matches a pattern.
    """
    found = np.ones(len(data), dtype=bool)
    if (groups := selection.get("groups")) is not None:
        if data.groups is None:
            problem = f"{setting}.groups: no groups are known; see data.group_column"
            raise DataError(problem, source=data.provenance.name)
        known = np.asarray(data.groups)
        for group in groups:
            _refuse_absent(data, known == group, f"{setting}.groups: no group {group}", set(known.tolist()), group)
        found &= np.isin(known, list(groups))
    if (patterns := selection.get("files")) is not None:
        files = [name.partition(", ")[0] for name in data.names]
        matches = [np.array([fnmatchcase(file, pattern) for file in files], dtype=bool) for pattern in patterns]
        for pattern, match in zip(patterns, matches, strict=True):
            _refuse_absent(data, match, f"{setting}.files: no name matches {pattern}", set(files), pattern)
        found &= np.any(matches, axis=0)
    if not found.any():
        raise DataError(f"{setting}: no example is of these groups and files", source=data.provenance.name)
    return found


def _refuse_absent(data: Dataset, found: np.ndarray, problem: str, known: set[str], name: str) -> None:
    if not found.any():
        some = nearest(name, known) or f"; there are {', '.join(sorted(known)[:10])}"
        raise DataError(f"{problem}{some}{', ...' if len(known) > 10 else ''}", source=data.provenance.name)


def _chosen(data: Dataset, train: Dataset, selection: Mapping[str, Sequence[str]]) -> Dataset:
    """The examples that are to be evaluated on, none of them trained on."""
    chosen = selected(data, selection, "data.evaluate_on")
    names = [name for name, wanted in zip(data.names, chosen, strict=True) if wanted]
    if in_training := set(names) & set(train.names):
        trained = f"{len(in_training):,} of these {len(names):,} examples are trained on; data.reserve keeps them apart"
        raise DataError(trained, source=data.provenance.name)
    said = f"evaluated on {', '.join(f'{what} {named}' for what, named in selection.items())}"
    return replace(data.take(chosen), provenance=replace(train.provenance, split_rule=said))


def _sides(data: Dataset, settings: DataSettings) -> tuple[Dataset, Dataset]:
    """Training and evaluation examples by the rule."""
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
