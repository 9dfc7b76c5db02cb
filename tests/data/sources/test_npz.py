"""NPZ files, with and without a test set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_files import source_of

from harness.errors import DataError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(256, size=(6, 4, 5), dtype=np.uint8)
LABELS = np.array([0, 1, 1, 0, 1, 0])


def written(tmp_path: Path, **arrays: np.ndarray) -> Path:
    np.savez(tmp_path / "data.npz", **arrays)  # type: ignore[arg-type]
    return tmp_path / "data.npz"


def test_arrays_by_their_usual_names(tmp_path: Path) -> None:
    found = source_of(written(tmp_path, images=IMAGES, labels=LABELS), "images")
    np.testing.assert_array_equal(found.inputs[:, 0], IMAGES)
    assert found.split is None and found.names[5] == "data.npz, row 6"
    colour = RNG.integers(256, size=(6, 4, 5, 3), dtype=np.uint8)
    found = source_of(written(tmp_path, X=colour), "images")
    np.testing.assert_array_equal(found.inputs, colour.transpose(0, 3, 1, 2))
    assert found.labels is None and found.classes == ()


@pytest.mark.parametrize(
    "names", [("x_train", "y_train", "x_test", "y_test"), ("train_x", "train_y", "test_x", "test_y")]
)
def test_a_test_set_is_for_evaluation(tmp_path: Path, names: tuple[str, ...]) -> None:
    values = (IMAGES[:4], LABELS[:4], IMAGES[4:], LABELS[4:])
    found = source_of(written(tmp_path, **dict(zip(names, values, strict=True))), "features")
    assert found.split is not None and found.split.tolist() == ["train"] * 4 + ["eval"] * 2
    np.testing.assert_array_equal(found.inputs, IMAGES.reshape(6, 20))


def test_values_to_be_predicted(tmp_path: Path) -> None:
    y = RNG.normal(size=6)
    found = source_of(written(tmp_path, x=RNG.normal(size=(6, 2)), y=y), "features", answers="values")
    assert found.labels is not None and not found.has_classes
    np.testing.assert_array_equal(found.labels[:, 0], y)


def test_speakers_and_a_sampling_rate(tmp_path: Path) -> None:
    file = written(
        tmp_path, waves=RNG.normal(size=(6, 80)), y=LABELS, speakers=np.array(list("aabbcc")), sample_rate=8000
    )
    found = source_of(file, "audio", sample_rate=4000)
    assert found.sample_rate == 4000 and {len(wave) for wave in found.inputs} == {40}
    assert found.groups is not None and found.groups.tolist() == list("aabbcc")


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"pixels": IMAGES}, r"data\.npz: no array of inputs; it has pixels, and wanted is one of x, images"),
        ({"x": IMAGES, "y": LABELS[:5]}, r"data\.npz: 5 labels for 6 training examples"),
        ({"x": IMAGES.astype(float) / 255}, r"data\.npz, row 1: pixels are not whole numbers from 0 to 255"),
        ({"x": IMAGES[:, 0]}, r"an array of shape \(6, 5\) is no images"),
        ({"x": np.array([None, 1])}, r"data\.npz: cannot be read \(Object arrays"),
        ({"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES}, r"no labels of the test examples, and the others"),
        (
            {"x_train": IMAGES, "x_test": IMAGES, "y_test": LABELS},
            r"no labels of the training examples, and the others",
        ),
        ({"x": IMAGES, "y": LABELS, "y_test": LABELS}, r"y_test is there, and x_test is not"),
        ({"x": IMAGES, "X": IMAGES}, r"x and X mean the same; leave one of them"),
        ({"images": IMAGES, "x_train": IMAGES}, r"images and x_train mean the same"),
        ({"x": IMAGES, "y": LABELS, "labels": LABELS}, r"y and labels mean the same"),
        ({"x_train": IMAGES, "x_test": IMAGES[:, :2]}, r"of two shapes, \(4, 5\) and \(2, 5\)"),
        ({"x": IMAGES * 1j}, r"x holds complex128; wanted are real numbers or texts"),
        ({"x": np.array(3)}, r"x is one value; wanted is an array with an entry for each example"),
        ({"x": IMAGES, "y": LABELS - 1}, r"data\.npz:1: label -1: classes are whole numbers from 0"),
        ({"x": IMAGES, "y": LABELS / 2}, r"data\.npz:2: label 0\.5: classes are whole numbers from 0"),
        ({"x": IMAGES, "sample_rate": LABELS}, r"sample_rate is an array of shape \(6,\); allowed is one whole number"),
        ({"x": IMAGES, "sample_rate": np.array(0.5)}, r"sample_rate is 0\.5; allowed is one whole number of Hz"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path: Path, arrays: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(DataError, match=says):
        source_of(written(tmp_path, **arrays), "images")


def test_labels_may_be_negative_where_they_are_names(tmp_path: Path) -> None:
    found = source_of(written(tmp_path, x=IMAGES, y=2 * LABELS - 1), "images", classes=[1, -1])
    assert found.classes == ("1", "-1") and found.labels is not None and found.labels[:2].tolist() == [1, 0]


def test_arrays_left_out_are_said(tmp_path: Path) -> None:
    found = source_of(written(tmp_path, x=IMAGES, x_val=IMAGES, weights=LABELS), "images")
    assert found.note == "arrays left out: x_val, weights"


def test_one_array_under_the_name_of_an_archive(tmp_path: Path) -> None:
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, IMAGES)
    with pytest.raises(DataError, match=r"a\.npz: one array \(\.npy\) and no \.npz"):
        source_of(tmp_path / "a.npz", "images")


def test_a_damaged_file(tmp_path: Path) -> None:
    file = written(tmp_path, x=IMAGES)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match=r"data\.npz: cannot be read"):
        source_of(file, "images")
