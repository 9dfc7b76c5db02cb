"""Scales are fitted on training examples alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted_data import planted

from harness.data.prepare.scaling import Scale, Standardise
from harness.errors import DataError

RNG = np.random.default_rng(0)
IMAGES = planted("images", RNG.integers(256, size=(20, 3, 4, 5), dtype=np.uint8))
OTHER = planted("images", RNG.integers(100, size=(5, 3, 4, 5), dtype=np.uint8))
FEATURES = planted("features", RNG.normal([5, -2, 0], [1, 3, 0], size=(50, 3)))
VALUES = replace(FEATURES, labels=RNG.normal([50, 0.2, 7], [15, 0.01, 0], size=(50, 3)))


@pytest.mark.parametrize(("by", "axes"), [("global", None), ("channel", (0, 2, 3)), ("feature", 0)])
def test_images_are_standardised_by_training_examples(by: str, axes: int | tuple[int, ...] | None) -> None:
    train, evaluation, changes = Standardise(by=by).apply(IMAGES, OTHER, RNG)
    np.testing.assert_allclose(train.inputs.mean(axis=axes), 0, atol=1e-6)
    np.testing.assert_allclose(train.inputs.std(axis=axes), 1, rtol=1e-5)
    keep = {"axis": axes, "keepdims": True}
    expected = (OTHER.inputs - IMAGES.inputs.mean(**keep)) / IMAGES.inputs.std(**keep)
    np.testing.assert_allclose(evaluation.inputs, expected, rtol=1e-5, atol=1e-6)
    assert train.inputs.dtype == np.float32 and [c.changed for c in changes] == [20, 5]


def test_features_have_scales_of_their_own_and_images_share_one_unless_said_otherwise() -> None:
    for data, by in ((FEATURES, "feature"), (IMAGES, "global")):
        found, stated = (step.apply(data, data, RNG)[0].inputs for step in (Standardise(), Standardise(by=by)))
        np.testing.assert_array_equal(found, stated)


def test_a_feature_without_variance_is_said_and_not_divided() -> None:
    train, _, changes = Standardise(by="feature").apply(FEATURES, FEATURES, RNG)
    np.testing.assert_allclose(train.inputs.std(axis=0), [1, 1, 0])
    assert "1 without variance" in changes[0].note
    train, _, changes = Scale().apply(FEATURES, FEATURES, RNG)
    assert train.inputs.min() == 0 and train.inputs.max(axis=0).tolist() == [1, 1, 0]
    assert changes[0].note == "3 features; 1 without variance"


def test_a_mean_that_rounds_is_no_variance() -> None:
    constant = planted("features", np.full((3, 1), 0.1))
    train, _, _ = Standardise(by="feature").apply(constant, constant, RNG)
    assert np.abs(train.inputs).max() < 1e-15


def test_pixels_over_255() -> None:
    train, _, _ = Scale().apply(IMAGES, OTHER, RNG)
    np.testing.assert_allclose(train.inputs, IMAGES.inputs / 255, rtol=1e-6)


def test_features_have_no_channels() -> None:
    with pytest.raises(DataError, match="only images have channels"):
        Standardise(by="channel").apply(FEATURES, FEATURES, RNG)


def test_values_to_be_predicted_are_standardised_where_asked() -> None:
    held_out = VALUES.take(np.arange(9))
    train, evaluation, changes = Standardise(targets=True).apply(VALUES, held_out, RNG)
    np.testing.assert_allclose(train.labels.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(train.labels.std(axis=0), [1, 1, 0], atol=1e-9)
    np.testing.assert_array_equal(evaluation.labels, train.labels[:9])
    assert "; targets: mean 50." in changes[0].note and changes[1].note == ""
    np.testing.assert_array_equal(train.inputs, Standardise().apply(VALUES, held_out, RNG)[0].inputs)
    np.testing.assert_array_equal(Standardise().apply(VALUES, held_out, RNG)[0].labels, VALUES.labels)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.arange(50) % 2, "targets=true is for values; answers are classes unless data.answers=values"),
        (np.where(np.arange(50.0) == 3, np.nan, 1)[:, None], "x:4: standardise: no value; the step labels, before it"),
    ],
)
def test_targets_that_cannot_be_standardised(labels: np.ndarray, says: str) -> None:
    data = planted("features", FEATURES.inputs, labels)
    with pytest.raises(DataError, match=says):
        Standardise(targets=True).apply(data, data, RNG)
