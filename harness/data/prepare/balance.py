"""A step that gives every class as many training examples as every other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.data.dataset import TRAIN, Dataset
from harness.data.prepare.base import Change, Step
from harness.errors import DataError
from harness.ranges import one_of, setting


@dataclass
class Balance(Step):
    """Makes the classes of the training examples equally frequent; evaluation is kept as it is.

    `how=subsample` keeps a random choice of each class, as many as the rarest has; `how=resample` repeats randomly
    chosen examples of each class until it has as many as the most frequent. Draws follow `data.split_seed`, and the
    order of the examples stays.
    """

    stage = "balance"

    how: str = setting(
        "subsample", "drop examples of frequent classes, or repeat those of rare ones", one_of("subsample", "resample")
    )

    def apply(
        self, train: Dataset, evaluation: Dataset, rng: np.random.Generator
    ) -> tuple[Dataset, Dataset, list[Change]]:
        if train.labels is None or not train.has_classes:
            raise DataError("balance: there are no classes", source=train.provenance.name)
        if (train.labels < 0).any():
            name = train.names[int((train.labels < 0).argmax())]
            raise DataError("balance: no label; the step labels, before it, drops such rows", source=name)
        members = [np.flatnonzero(train.labels == label) for label in range(len(train.classes))]
        counts = [len(each) for each in members]
        if not min(counts):
            name = train.classes[counts.index(0)]
            raise DataError(f"balance: class {name} has no training examples", source=train.provenance.name)
        if self.how == "subsample":
            chosen = [rng.choice(each, size=min(counts), replace=False) for each in members]
        else:
            chosen = [np.append(each, rng.choice(each, size=max(counts) - len(each))) for each in members]
        kept = train.take(np.sort(np.concatenate(chosen)))
        note = f"{min(counts)} to {max(counts)} a class before, {len(kept) // len(members)} after"
        removed, repeated = max(len(train) - len(kept), 0), max(len(kept) - len(train), 0)
        return kept, evaluation, [Change(TRAIN, removed=removed, changed=repeated, note=note)]
