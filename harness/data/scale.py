"""Cautions about numbers far from unit scale, for which initial weights and usual learning rates are not made."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.data.dataset import Dataset

#: Largest root mean square, and smallest standard deviation, that are near enough to 1.
LARGEST, SMALLEST = 10.0, 0.1


def cautions(train: Dataset) -> Iterator[str]:
    """A line for features, and one for values to be predicted, that are far from unit scale after preparation.

    Pixels need none: those that no step scales are divided by 255.

    Args:
        train: the prepared training examples.
    """
    name = train.provenance.name
    if train.kind == "features" and (size := _root_mean_square(train.inputs)) > LARGEST:
        yield (
            f"{name}: the features are far from unit scale (root mean square {size:.3g}), at which networks learn "
            "slowly or not at all; the step standardise in data.prepare scales them"
        )
    if train.labels is None or train.has_classes:
        return
    for value in train.labels.T:
        deviation = float(value.std())
        if _root_mean_square(value) > LARGEST or 0 < deviation < SMALLEST:
            yield (
                f"{name}: values to be predicted are far from unit scale (mean {value.mean():.3g}, deviation "
                f"{deviation:.3g}), at which networks learn slowly; the step {{standardise: {{targets: true}}}} in "
                "data.prepare scales them, and R2 keeps its meaning"
            )
            return


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
