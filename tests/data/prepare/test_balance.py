"""Every class as frequent as every other, in training alone."""

from __future__ import annotations

import numpy as np
import pytest
from planted_data import planted

from harness.data.prepare.balance import Balance
from harness.errors import DataError

LABELS = [0] * 10 + [1] * 3 + [2] * 6
TRAIN = planted("features", np.arange(19.0)[:, None], LABELS)


@pytest.mark.parametrize(("how", "each", "removed", "changed"), [("subsample", 3, 10, 0), ("resample", 10, 0, 11)])
def test_classes_become_equally_frequent(how: str, each: int, removed: int, changed: int) -> None:
    kept, evaluation, (change,) = Balance(how=how).apply(TRAIN, TRAIN, np.random.default_rng(1))
    assert kept.class_counts().tolist() == [each] * 3 and evaluation is TRAIN
    assert (change.split, change.removed, change.changed) == ("train", removed, changed)
    assert (np.diff(kept.inputs[:, 0]) >= 0).all()
    if how == "resample":
        assert set(kept.names) == set(TRAIN.names)
    again, _, _ = Balance(how=how).apply(TRAIN, TRAIN, np.random.default_rng(1))
    assert again.names == kept.names


def test_what_has_no_classes_cannot_be_balanced() -> None:
    for labels, says in ((None, "there are no classes"), ([0, -1], "x:2: balance: no label")):
        data = planted("features", np.zeros((2, 1)), labels)
        with pytest.raises(DataError, match=says):
            Balance().apply(data, data, np.random.default_rng(0))
