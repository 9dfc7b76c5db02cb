"""From settings to examples that can be trained on: read, split, prepared, checked, and recorded."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from harness.data.checks import refuse_unusable
from harness.data.dataset import EVAL, TRAIN, Dataset, Kind
from harness.data.prepare import STEPS
from harness.data.settings import DataSettings
from harness.data.sources import read
from harness.data.split import split
from harness.data.steps import Steps, name_of
from harness.errors import DataError, SettingError


@dataclass(frozen=True, eq=False)
class Prepared:
    """Data as a task uses them; an object is equal to itself alone, so that what follows from it can be kept beside it.

    Attributes:
        train, evaluation: the two sides of the split.
        report: a row for each step and side: step, split, removed, changed, left (examples), note.
        versions: name, licence, version, split rule, SHA-256 of the source's content, and the report as JSON, each
            under a key that begins with ``data_``.
    """

    train: Dataset
    evaluation: Dataset
    report: pd.DataFrame
    versions: dict[str, str]


def prepared(settings: DataSettings, kind: Kind) -> Prepared:
    """The data of these settings, read once in a process, and again when the file or folder has changed.

    Raises:
        UserError: the source cannot be read, a step cannot be applied, or what is left cannot be trained on: missing or
            unknown labels, NaN, empty texts, a class without examples on a side.
    """
    return _prepared(json.dumps(dataclasses.asdict(settings), sort_keys=True), kind, Path.cwd(), _stamp(settings))


def _stamp(settings: DataSettings) -> tuple[int, int] | None:
    """Time of change and size of a source that is a path; None of others, and of what is not there."""
    kind, _, place = (settings.source or "").partition(":")
    try:
        found = Path(place).expanduser().stat() if kind == "path" else None
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=8)
def _prepared(settings: str, kind: Kind, folder: Path, stamp: tuple[int, int] | None) -> Prepared:
    return _prepare(DataSettings(**json.loads(settings)), kind)


def _prepare(settings: DataSettings, kind: Kind) -> Prepared:
    whole = _read(settings, kind)
    train, evaluation = split(whole, settings)
    rows = [("read", TRAIN, 0, 0, len(train), whole.note), ("read", EVAL, 0, 0, len(evaluation), "")]
    _refuse_empty(train, evaluation)
    rng = np.random.default_rng([settings.split_seed, 5])
    for i, step in enumerate(Steps("harness.data.prepare").build("data.prepare", settings.prepare)):
        name = name_of(step, STEPS)
        place = f"data.prepare[{i}]"
        if kind not in step.kinds:
            raise SettingError(place, name, f"a step for {kind}; {name} is for {' and '.join(step.kinds)}")
        try:
            train, evaluation, changes = step.apply(train, evaluation, rng)
        except DataError as error:
            error.problem = f"{place}: {error.problem}"
            raise
        left = {TRAIN: len(train), EVAL: len(evaluation)}
        rows += [(name, c.split, c.removed, c.changed, left[c.split], c.note) for c in changes]
        _refuse_empty(train, evaluation)
    refuse_unusable(train, evaluation)
    report = pd.DataFrame(rows, columns=["step", "split", "removed", "changed", "left", "note"])
    return Prepared(train, evaluation, report, _versions(train, report))


def _read(settings: DataSettings, kind: Kind) -> Dataset:
    """All examples of the source; once for several choices among them, which shifts make."""
    if settings.reserve is None and settings.evaluate_on is None:
        return read(settings, kind)
    whole = dataclasses.replace(settings, reserve=None, evaluate_on=None, prepare=[], augment=[])
    return _read_once(json.dumps(dataclasses.asdict(whole), sort_keys=True), kind, Path.cwd(), _stamp(settings))


@lru_cache(maxsize=1)
def _read_once(settings: str, kind: Kind, folder: Path, stamp: tuple[int, int] | None) -> Dataset:
    return read(DataSettings(**json.loads(settings)), kind)


def _refuse_empty(train: Dataset, evaluation: Dataset) -> None:
    for data, other, side in ((train, evaluation, "training"), (evaluation, train, "evaluation")):
        if not len(data):
            same = len(other) > 1 and len(np.unique(other.digests())) == 1
            why = f"; all {len(other):,} examples are the same" if same else ""
            why = "; there is only one example" if len(other) == 1 else why
            rule = data.provenance.split_rule
            raise DataError(f"no {side} examples are left (split: {rule}){why}", source=data.provenance.name)


def _versions(data: Dataset, report: pd.DataFrame) -> dict[str, str]:
    provenance = {f"data_{name}": value for name, value in dataclasses.asdict(data.provenance).items()}
    return provenance | {"data_prepared": report.to_json(orient="records")}
