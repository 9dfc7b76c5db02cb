"""Handwritten digits of 8 x 8 pixels, as scikit-learn ships them (1,797 images; UCI Optical Recognition, 1998)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version

import numpy as np

from harness.metrics import ACCURACY, LOSS
from harness.tasks.base import Batch, Signature, Task
from harness.tasks.checks import check_range
from harness.tasks.streams import eval_stream

N_CLASSES = 10


@dataclass
class Digits(Task):
    """Which digit is it? Images (1, 8, 8) less the mean and over the standard deviation of the training pixels.

    One mean and one deviation for all pixels: some pixels are 0 in all but one image, and would be blown up on their
    own. Training draws images with replacement.

    Attributes:
        eval_fraction: share of each digit's images held out for evaluation.
        split_seed: which ones.
    """

    eval_fraction: float = 0.25
    split_seed: int = 0

    metrics = (LOSS, ACCURACY)
    name = "digits"

    def __post_init__(self) -> None:
        check_range("task.eval_fraction", self.eval_fraction, 0.05, 0.95)
        check_range("task.split_seed", self.split_seed, 0)

    @property
    def signature(self) -> Signature:
        return Signature(n_outputs=N_CLASSES, feature_shape=(1, 8, 8))

    @property
    def versions(self) -> dict[str, str]:
        return {"scikit-learn": version("scikit-learn")}

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        train, _ = _split(self.eval_fraction, self.split_seed)
        drawn = rng.integers(len(train.inputs), size=batch_size)
        return Batch(train.inputs[drawn], train.targets[drawn], train.scored[drawn], train.subtask[drawn])

    def eval_batch(self) -> Batch:
        _, held_out = _split(self.eval_fraction, self.split_seed)
        return held_out

    def chance(self, metric: str) -> float | None:
        return {"loss": math.log(N_CLASSES), "accuracy": 1 / N_CLASSES}.get(metric)


@lru_cache
def _split(eval_fraction: float, split_seed: int) -> tuple[Batch, Batch]:
    """All training and all evaluation images."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    rng = eval_stream(split_seed)
    held_out = np.zeros(len(labels), dtype=bool)
    for digit in range(N_CLASSES):
        mine = rng.permutation(np.flatnonzero(labels == digit))
        held_out[mine[: round(eval_fraction * len(mine))]] = True
    mean, deviation = pixels[~held_out].mean(), pixels[~held_out].std()
    images = ((pixels - mean) / deviation).astype(np.float32).reshape(-1, 1, 8, 8)
    return _batch(images[~held_out], labels[~held_out]), _batch(images[held_out], labels[held_out])


def _batch(images: np.ndarray, labels: np.ndarray) -> Batch:
    targets = labels.astype(np.int64)[:, None]
    return Batch.of_answers(images, targets)
