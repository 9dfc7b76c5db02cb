"""What was planted is removed and counted, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from planted_data import planted

from harness.data.dataset import MISSING, UNKNOWN, Dataset
from harness.data.prepare.cleaning import Labels, Missing, Outliers
from harness.errors import DataError

RNG = np.random.default_rng(0)


def features(values: object) -> Dataset:
    return planted("features", np.asarray(values, dtype=float))


def test_labels() -> None:
    train = planted("features", np.zeros((5, 1)), [0, MISSING, 1, UNKNOWN, 1])
    values = planted("features", np.zeros((2, 1)), [[1.0, 2.0], [np.nan, 3.0]], side="y")
    kept, evaluation, changes = Labels().apply(train, values, RNG)
    assert kept.names == ["x:1", "x:3", "x:5"] and evaluation.names == ["y:1"]
    assert [(c.split, c.removed, c.note) for c in changes] == [
        ("train", 2, "1 missing, 1 out of range"),
        ("eval", 1, "1 missing, 0 out of range"),
    ]
    with pytest.raises(DataError, match="labels: the source has none"):
        Labels().apply(features([[0]]), features([[0]]), RNG)


def test_missing_features_are_dropped_or_given_the_training_mean() -> None:
    train, held_out = features([[1, 2], [3, np.nan], [np.inf, 6]]), features([[np.nan, np.nan], [1, 1]])
    kept, evaluation, changes = Missing().apply(train, held_out, RNG)
    assert kept.inputs.tolist() == [[1, 2]] and evaluation.inputs.tolist() == [[1, 1]]
    assert [c.removed for c in changes] == [2, 1]
    kept, evaluation, changes = Missing(how="mean").apply(train, held_out, RNG)
    assert kept.inputs.tolist() == [[1, 2], [3, 4], [2, 6]] and evaluation.inputs.tolist() == [[2, 4], [1, 1]]
    assert [(c.removed, c.changed, c.note) for c in changes] == [(0, 2, "2 values"), (0, 1, "2 values")]
    with pytest.raises(DataError, match=r"missing: feature 1 has no value in training"):
        Missing(how="mean").apply(features([[1, np.nan]]), held_out, RNG)


def test_missing_texts_and_sounds() -> None:
    train, _, changes = Missing().apply(planted("text", ["a", " \n", ""]), planted("text", ["b"]), RNG)
    assert train.inputs == ["a"] and [c.removed for c in changes] == [2, 0]
    sounds = planted("audio", [np.zeros(3, np.float32), np.zeros(0, np.float32)], sample_rate=10)
    assert len(Missing().apply(sounds, sounds, RNG)[0]) == 1
    with pytest.raises(DataError, match="text have no mean"):
        Missing(how="mean").apply(planted("text", ["a"]), planted("text", ["a"]), RNG)


@pytest.mark.parametrize(("rule", "limit"), [("zscore", 4), ("iqr", 3)])
def test_outliers_leave_training_alone(rule: str, limit: float) -> None:
    values = RNG.normal([100, 0], size=(200, 2))
    values[7, 1], values[9, 0], values[11, 0] = 50, -50, np.nan
    held_out = features([[1e9, 1e9]])
    train, evaluation, changes = Outliers(rule=rule, limit=limit).apply(features(values), held_out, RNG)
    assert set(range(200)) - {int(name[2:]) - 1 for name in train.names} == {7, 9}
    assert evaluation is held_out and [(c.split, c.removed) for c in changes] == [("train", 2)]


def test_outliers_by_other_statistics() -> None:
    texts = planted("text", ["word"] * 30 + ["word" * 100])
    assert len(Outliers().apply(texts, texts, RNG)[0]) == 30
    pictures = planted("images", np.array([np.full((1, 2, 2), 100 + i % 3) for i in range(30)] + [np.zeros((1, 2, 2))]))
    assert len(Outliers().apply(pictures, pictures, RNG)[0]) == 30
    with pytest.raises(DataError, match="text have no statistic mean"):
        Outliers(statistic="mean").apply(texts, texts, RNG)
