"""Steps that change the scale of images, features and values to be predicted, fitted on the training examples."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from harness.data.checks import without_label
from harness.data.dataset import EVAL, TRAIN, Dataset
from harness.data.prepare.base import Change, Step
from harness.errors import DataError
from harness.ranges import Flag, one_of, or_null, setting


class _Scaling(Step):
    """Subtracts an offset and divides by a divisor, both fitted on the training examples."""

    kinds = ("images", "features")
    stage = "scale"

    @abstractmethod
    def fit(self, train: Dataset) -> tuple[np.ndarray, np.ndarray, str]:
        """Offset and divisor, each broadcast over the examples, and a note that says what was fitted."""

    def apply(
        self, train: Dataset, evaluation: Dataset, rng: np.random.Generator
    ) -> tuple[Dataset, Dataset, list[Change]]:
        offset, divisor, note = self.fit(train)

        def scaled(data: Dataset) -> Dataset:
            dtype = np.float32 if data.kind == "images" else np.float64
            return replace(data, inputs=(data.inputs.astype(dtype) - offset.astype(dtype)) / divisor.astype(dtype))

        changes = [Change(TRAIN, changed=len(train), note=note), Change(EVAL, changed=len(evaluation))]
        return scaled(train), scaled(evaluation), changes


@dataclass
class Standardise(_Scaling):
    """Mean 0 and standard deviation 1 over the training examples.

    A feature (channel, pixel) that does not vary among the training examples has no deviation to divide by: its mean
    is subtracted and nothing more, and the note counts it. Targets are left as they are unless `targets` asks for each
    value to be predicted to be standardised too: the loss is then in squared standard deviations of the training
    values, while R2 and the share within a tenth of a deviation, which have no unit, mean what they did.
    """

    by: str | None = setting(
        None,
        "what shares a mean and a deviation: all numbers, those of a channel of images, or those of a feature or pixel",
        or_null(one_of("global", "channel", "feature"), "global (images) or feature (features)"),
    )
    targets: bool = setting(False, "whether values to be predicted (data.answers=values) are standardised too", Flag())

    def apply(
        self, train: Dataset, evaluation: Dataset, rng: np.random.Generator
    ) -> tuple[Dataset, Dataset, list[Change]]:
        train, evaluation, (of_train, of_evaluation) = super().apply(train, evaluation, rng)
        if not self.targets:
            return train, evaluation, [of_train, of_evaluation]
        mean, divisor, note = _of_values(train)

        def scaled(data: Dataset) -> Dataset:
            return replace(data, labels=(data.labels - mean) / divisor)

        of_train = replace(of_train, note=f"{of_train.note}; targets: {note}")
        return scaled(train), scaled(evaluation), [of_train, of_evaluation]

    def fit(self, train: Dataset) -> tuple[np.ndarray, np.ndarray, str]:
        by = self.by or ("feature" if train.kind == "features" else "global")
        if by == "channel" and train.kind != "images":
            raise DataError("standardise by channel: only images have channels; by feature does the same for features")
        axes = {"global": tuple(range(train.inputs.ndim)), "channel": (0, 2, 3), "feature": (0,)}[by]
        return _mean_and_divisor(train.inputs, axes)


def _of_values(train: Dataset) -> tuple[np.ndarray, np.ndarray, str]:
    """Mean and divisor (1, K) of the values to be predicted, and a note that says them."""
    if train.labels is None or train.has_classes:
        problem = "standardise: targets=true is for values; answers are classes unless data.answers=values"
        raise DataError(problem, source=train.provenance.name)
    if (wrong := without_label(train)).any():
        name = train.names[int(wrong.argmax())]
        raise DataError("standardise: no value; the step labels, before it, drops such rows", source=name)
    return _mean_and_divisor(train.labels, (0,))


def _mean_and_divisor(values: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, str]:
    """Mean and standard deviation over some axes, 1 where nothing varies, and a note that says them."""
    mean = values.mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = values.std(axis=axes, keepdims=True, dtype=np.float64)
    # Rounding of the mean leaves a little deviation where all values are alike.
    constant = values.max(axis=axes, keepdims=True) == values.min(axis=axes, keepdims=True)
    note = _said(mean, deviation)
    if constant.any():
        note += f"; {int(constant.sum())} without variance, whose mean alone is subtracted"
    return mean, np.where(constant, 1.0, deviation), note


@dataclass
class Scale(_Scaling):
    """The range 0 to 1: pixels are divided by 255; each feature goes from its training minimum to its maximum.

    A feature that does not vary among the training examples becomes 0 there, and the note counts it. Evaluation
    examples may lie outside of the range.
    """

    def fit(self, train: Dataset) -> tuple[np.ndarray, np.ndarray, str]:
        if train.kind == "images":
            return np.zeros(1), np.full(1, 255.0), "pixels / 255"
        low, high = train.inputs.min(axis=0), train.inputs.max(axis=0)
        constant = low == high
        note = f"{low.size} features" + (f"; {int(constant.sum())} without variance" if constant.any() else "")
        return low, np.where(constant, 1.0, high - low), note


def _said(mean: np.ndarray, deviation: np.ndarray) -> str:
    """A few means and deviations in full, of many only how many there are."""
    if mean.size > 4:
        return f"{mean.size} means and deviations"
    return "; ".join(f"mean {m:.6g}, deviation {d:.6g}" for m, d in zip(mean.flat, deviation.flat, strict=True))
