from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from harness.data.sources import digits
from harness.errors import SettingError
from harness.tasks.digits import Digits


def test_the_images_are_recorded():
    assert Digits().versions == {"digits_sha256": digits.SHA256}


def rows(images):
    return sorted(map(tuple, images.reshape(len(images), 64).astype(int).tolist()))


@pytest.mark.parametrize("eval_fraction", [0.25, 0.5])
def test_every_image_is_on_one_side_with_its_label(eval_fraction):
    task = Digits(eval_fraction=eval_fraction)
    train, held_out = task.train_batch(np.random.default_rng(0), 60_000), task.eval_batch()
    pixels, labels = load_digits(return_X_y=True)
    # 60,000 draws of fewer than 1,400 images miss one with probability below 1,400 exp(-42) = 1e-15.
    trained, first = np.unique(train.inputs, axis=0, return_index=True)
    values = np.unique(np.concatenate([trained, held_out.inputs]))
    assert len(values) == 17, "shades 0 to 16, standardised alike on both sides"
    shades = lambda images: np.searchsorted(values, images)  # noqa: E731
    assert rows(shades(np.concatenate([trained, held_out.inputs]))) == rows(pixels)
    right = {tuple(image): label for image, label in zip(pixels.astype(int).tolist(), labels, strict=True)}
    for images, targets in ((trained, train.targets[first]), (held_out.inputs, held_out.targets)):
        flat = shades(images).reshape(len(images), 64).tolist()
        assert [right[tuple(image)] for image in flat] == targets[:, 0].tolist()
    # Stratified: each digit's share of evaluation within one image.
    assert (abs(np.bincount(held_out.targets[:, 0]) - eval_fraction * np.bincount(labels)) <= 0.5).all()


def test_standardised_by_the_training_images_alone():
    task = Digits()
    train = np.unique(task.train_batch(np.random.default_rng(0), 60_000).inputs, axis=0)
    assert train.mean() == pytest.approx(0, abs=1e-5)
    assert train.std() == pytest.approx(1, abs=1e-5)
    assert task.eval_batch().inputs.mean() != pytest.approx(0, abs=1e-4)


def test_split_seed():
    assert not np.array_equal(Digits().eval_batch().inputs, Digits(split_seed=1).eval_batch().inputs)


@pytest.mark.parametrize(
    ("values", "setting"), [({"eval_fraction": 0.0}, "eval_fraction"), ({"split_seed": -1}, "split_seed")]
)
def test_settings_out_of_range(values, setting):
    with pytest.raises(SettingError, match=f"task.{setting}="):
        Digits(**values)
