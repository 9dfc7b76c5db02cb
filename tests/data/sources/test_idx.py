"""IDX files: what is written is read, and each kind of damage is named with its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_files import idx_bytes, source_of, write_mnist

from harness.errors import DataError


@pytest.mark.parametrize("dots", [False, True])
def test_mnists_four_files(tmp_path: Path, dots: bool) -> None:
    images, labels = write_mnist(tmp_path, dots=dots)
    found = source_of(tmp_path, "images")
    np.testing.assert_array_equal(found.inputs[:, 0], images)
    assert found.labels is not None and found.labels.tolist() == labels.tolist()
    assert found.classes == ("0", "1", "2")
    assert found.split is not None and found.split.tolist() == ["train"] * 12 + ["eval"] * 6
    assert found.names[0].endswith("ubyte, row 1") and found.names[-1].endswith("ubyte.gz, row 6")
    assert found.inputs.shape == (18, 1, 4, 3) and found.inputs.dtype == np.uint8
    flat = source_of(tmp_path, "features").inputs
    np.testing.assert_array_equal(flat, images.reshape(18, 12).astype(float))


def test_one_pair_has_no_split_and_classes_can_be_named(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (file,) = tmp_path.glob("train-images*")
    found = source_of(file, "images", classes=["cat", "dog", "bird"])
    assert len(found) == 12 and found.split is None and found.classes == ("cat", "dog", "bird")


def test_big_endian_numbers(tmp_path: Path) -> None:
    from harness.data.sources.idx import read_idx

    file = tmp_path / "x-images-idx3-ubyte"
    values = np.arange(6).reshape(2, 3)
    file.write_bytes(idx_bytes(values, 12)[:12] + values.astype(">i4").tobytes())
    np.testing.assert_array_equal(read_idx(file), values)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("train-images-idx3-ubyte", b"\x89PNG\r\n", r"train-images-idx3-ubyte: wrong magic number 89 50 4e 47"),
        ("train-images-idx3-ubyte", b"\0\0\x07\x03", r"wrong magic number 00 00 07 03"),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03\0\0", r"train-images-idx3-ubyte: truncated: 6 bytes"),
        ("train-images-idx3-ubyte", idx_bytes(np.zeros((12, 4, 3)))[:-1], r"truncated: 159 bytes, and 160"),
        ("train-images-idx3-ubyte", idx_bytes(np.zeros((12, 4, 3))) + b"!", r"too long: 161 bytes"),
        ("t10k-images-idx3-ubyte.gz", b"\x1f\x8b\x08\0nothing", r"t10k-images-idx3-ubyte\.gz: cannot be read"),
        ("train-labels-idx1-ubyte", idx_bytes(np.zeros(11)), r"labels-idx1-ubyte: 11 labels for the 12 images"),
        ("t10k-labels-idx1-ubyte.gz", None, r"t10k-images-idx3-ubyte\.gz: no file of labels beside it"),
        ("train-images-idx3-ubyte", idx_bytes(np.zeros((0, 4, 3))), r"train-images-idx3-ubyte: holds no images"),
        ("t10k-images-idx3-ubyte", idx_bytes(np.zeros((6, 4, 3))), r"ubyte\.gz: differs from t10k-images-idx3-ubyte"),
        ("train-images-idx3-ubyte", idx_bytes(np.zeros((12, 5, 3))), r"images of two sizes, \(5, 3\) and \(4, 3\)"),
    ],
)
def test_damage_is_named_with_its_file(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    write_mnist(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says) as raised:
        source_of(tmp_path, "images")
    assert len(str(raised.value).splitlines()) == 1
