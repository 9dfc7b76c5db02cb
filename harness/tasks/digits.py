"""Handwritten digits of 8 x 8 pixels: see `harness.data.sources.digits`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.data.sources.digits import SHA256, images_and_labels
from harness.metrics import ACCURACY, LOSS
from harness.ranges import between, setting, whole
from harness.tasks.base import Batch, Signature, Task
from harness.tasks.limited import fixed_order
from harness.tasks.streams import eval_stream

N_CLASSES = 10


@dataclass
class Digits(Task):
    """Which digit is it? Images (1, 8, 8), standardised by the mean and standard deviation of the training pixels.

    All pixels share one mean and one standard deviation: some pixels are 0 in all but one image, so that standardising
    each by itself would make that one value huge. Training draws images with replacement, unless it goes by epochs.
    """

    eval_fraction: float = setting(
        0.25, "share of each digit's images that is held out for evaluation", between(0.05, 0.95)
    )
    split_seed: int = setting(0, "seed of the choice of held-out images", whole(0))

    metrics = (LOSS, ACCURACY)
    name = "digits"

    @property
    def signature(self) -> Signature:
        return Signature(n_outputs=N_CLASSES, feature_shape=(1, 8, 8))

    @property
    def versions(self) -> dict[str, str]:
        return {"digits_sha256": SHA256}

    @property
    def n_train(self) -> int:
        train, _ = _split(self.eval_fraction, self.split_seed)
        return len(train.inputs)

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        train, _ = _split(self.eval_fraction, self.split_seed)
        return train.rows(rng.integers(len(train.inputs), size=batch_size))

    def first_examples(self, examples: int) -> Batch:
        train, _ = _split(self.eval_fraction, self.split_seed)
        return train.rows(fixed_order(len(train.inputs))[:examples])

    def eval_batch(self) -> Batch:
        _, held_out = _split(self.eval_fraction, self.split_seed)
        return held_out

    def chance(self, metric: str) -> float | None:
        return {"loss": math.log(N_CLASSES), "accuracy": 1 / N_CLASSES}.get(metric)


@lru_cache
def _split(eval_fraction: float, split_seed: int) -> tuple[Batch, Batch]:
    """All training and all evaluation images."""
    pixels, labels = images_and_labels()
    rng = eval_stream(split_seed)
    held_out = np.zeros(len(labels), dtype=bool)
    for digit in range(N_CLASSES):
        of_digit = rng.permutation(np.flatnonzero(labels == digit))
        held_out[of_digit[: round(eval_fraction * len(of_digit))]] = True
    mean, deviation = pixels[~held_out].mean(), pixels[~held_out].std()
    images = ((pixels - mean) / deviation).astype(np.float32).reshape(-1, 1, 8, 8)
    return _batch(images[~held_out], labels[~held_out]), _batch(images[held_out], labels[held_out])


def _batch(images: np.ndarray, labels: np.ndarray) -> Batch:
    targets = labels.astype(np.int64)[:, None]
    return Batch.of_answers(images, targets)
