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
    ],
)
def test_arrays_that_cannot_be_used(tmp_path: Path, arrays: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(DataError, match=says):
        source_of(written(tmp_path, **arrays), "images")


def test_a_damaged_file(tmp_path: Path) -> None:
    file = written(tmp_path, x=IMAGES)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match=r"data\.npz: cannot be read"):
        source_of(file, "images")
