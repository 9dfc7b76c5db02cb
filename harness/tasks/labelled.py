"""Examples with answers, as the settings `data` give them: which class is it, or which values?"""

from __future__ import annotations

import dataclasses
import json
import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from harness.data.augment.base import Augmenter
from harness.data.augment.composed import augmenter
from harness.data.dataset import Dataset, Kind
from harness.data.load import Prepared, prepared
from harness.data.scale import cautions
from harness.data.settings import SOURCES, DataSettings
from harness.errors import DataError, SettingError
from harness.metrics import ACCURACY, LOSS, R2, WITHIN_TOLERANCE
from harness.ranges import one_of, setting
from harness.tasks.base import Batch, Signature, Task
from harness.tasks.limited import epochs, fixed_order

#: Meaning and range of the setting that says what the subtasks are.
SUBTASKS_BY = (
    "what has curves of its own beside the whole; groups are speakers and the like",
    one_of("none", "classes", "groups"),
)
#: Both sides as batches, of the tasks used last in this process: members of a job and jobs of a study share them.
_kept: dict[tuple[type, str], tuple[Prepared, tuple[Batch, Batch]]] = {}
_MOST_KEPT = 2


@dataclass
class LabelledTask(Task):
    """Examples of one kind with a class or values each; training goes through them epoch by epoch.

    The loss of classes is cross-entropy unless `loss` says otherwise. Chance is that of a model that gives every class
    the same probability, or that always predicts the mean of the values.
    """

    data: DataSettings = field(default_factory=DataSettings)
    subtasks_by: str = setting("classes", *SUBTASKS_BY)

    #: What the examples are.
    data_kind: ClassVar[Kind]

    def __post_init__(self) -> None:
        super().__post_init__()
        values = self.data.answers == "values"
        self.metrics = (LOSS, R2, WITHIN_TOLERANCE) if values else (LOSS, ACCURACY)

    @abstractmethod
    def inputs_of(self, data: Dataset) -> np.ndarray:
        """float32 (n, *feature_shape), or int64 tokens (n, T), of n prepared examples."""

    def inputs_of_both(self, train: Dataset, evaluation: Dataset) -> tuple[np.ndarray, np.ndarray]:
        """Inputs of training and of evaluation examples, where one side has a say in the other's."""
        return self.inputs_of(train), self.inputs_of(evaluation)

    @property
    def examples(self) -> Prepared:
        """Both sides of the split, prepared.

        Raises:
            UserError: as `harness.data.load.prepared`, or examples without answers.
        """
        if self.data.source is None:
            allowed = f"{SOURCES}, for task={self.name} reads {self.data_kind}; data=NAME chooses a file of conf/data"
            raise SettingError("data.source", "null", allowed)
        found = prepared(self.data, self.data_kind)
        if found.train.labels is None:
            raise DataError("the examples have no labels; see data.label_columns", source=str(self.data.source))
        return found

    def check_data(self) -> None:
        self.examples  # noqa: B018  it is read and checked

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        train, _ = self._sides
        return train.inputs.shape[1:]

    @property
    def signature(self) -> Signature:
        train = self.examples.train
        if self.data.answers == "values":
            assert train.labels is not None
            return Signature(n_outputs=train.labels.shape[1], feature_shape=self.feature_shape, answers="values")
        return Signature(n_outputs=len(train.classes), feature_shape=self.feature_shape)

    @property
    def subtasks(self) -> Sequence[str]:
        if self.subtasks_by == "classes":
            return self.examples.train.classes
        if self.subtasks_by == "groups":
            return [str(group) for group in np.unique(self._groups(self.examples.evaluation))]
        return ()

    @property
    def versions(self) -> dict[str, str]:
        return self.examples.versions

    @property
    def cautions(self) -> Sequence[str]:
        return list(cautions(self.examples.train))

    @property
    def augmenter(self) -> Augmenter | None:
        return augmenter(self.data, self.data_kind, self.signature.n_outputs)

    @property
    def n_train(self) -> int:
        return len(self.examples.train)

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        train, _ = self._sides
        return train.rows(rng.integers(len(train.inputs), size=batch_size))

    def first_examples(self, examples: int) -> Batch:
        train, _ = self._sides
        return train.rows(fixed_order(len(train.inputs))[:examples])

    def train_batches(self, rng: np.random.Generator, batch_size: int, examples: int | None = None) -> Iterator[Batch]:
        train, _ = self._sides
        return epochs(train if examples is None else self.first_examples(examples), rng, batch_size)

    def eval_batch(self) -> Batch:
        _, evaluation = self._sides
        return evaluation

    def chance(self, metric: str) -> float | None:
        if self.data.answers == "values":
            return {"loss": float(self.eval_batch().targets.var(axis=0).mean()), "r2": 0.0}.get(metric)
        n_classes = self.signature.n_outputs
        return {"loss": math.log(n_classes), "accuracy": 1 / n_classes}.get(metric)

    @property
    def _sides(self) -> tuple[Batch, Batch]:
        key, both = (type(self), json.dumps(dataclasses.asdict(self), sort_keys=True)), self.examples
        if key not in _kept or _kept[key][0] is not both:
            while len(_kept) >= _MOST_KEPT:
                del _kept[next(iter(_kept))]
            _kept[key] = both, self._batches(both.train, both.evaluation)
        return _kept[key][1]

    def _batches(self, train: Dataset, evaluation: Dataset) -> tuple[Batch, Batch]:
        ours, held_out = self.inputs_of_both(train, evaluation)
        return self._batch(ours, train), self._batch(held_out, evaluation)

    def _batch(self, inputs: np.ndarray, data: Dataset) -> Batch:
        assert data.labels is not None
        targets = data.labels if data.has_classes else data.labels.astype(np.float32)[:, None]
        return Batch.of_answers(inputs, targets, self._subtask(data))

    def _subtask(self, data: Dataset) -> np.ndarray | None:
        if self.subtasks_by == "classes":
            if not data.has_classes:
                raise SettingError("task.subtasks_by", "classes", "none or groups, for answers are values")
            return data.labels
        if self.subtasks_by == "groups":
            # Groups of training examples alone are of no subtask; nothing but evaluation reads it.
            return np.searchsorted(self.subtasks, self._groups(data)).astype(np.int64)
        return None

    def _groups(self, data: Dataset) -> np.ndarray:
        if data.groups is None:
            raise SettingError("task.subtasks_by", "groups", "none or classes, for the data have no groups")
        return data.groups
