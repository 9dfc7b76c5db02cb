from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from harness.data.sources import digits
from harness.data.sources.digits import images_and_labels
from harness.errors import DataError


def test_the_file_holds_what_scikit_learn_ships():
    for ours, theirs in zip(images_and_labels(), load_digits(return_X_y=True), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    assert digits.FILE.stat().st_size < 100_000


def test_a_file_that_is_damaged_or_gone_is_named(tmp_path, monkeypatch):
    pixels, labels = images_and_labels()
    monkeypatch.setattr(digits, "FILE", tmp_path / "digits.npz")
    with pytest.raises(DataError, match=r"digits\.npz: cannot be read"):
        images_and_labels()
    np.savez_compressed(digits.FILE, pixels=pixels.astype(np.uint8), labels=labels[::-1].astype(np.uint8))
    with pytest.raises(DataError, match=r"digits\.npz: was changed"):
        images_and_labels()
    digits.FILE.write_bytes(digits.FILE.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"digits\.npz: cannot be read"):
        images_and_labels()
