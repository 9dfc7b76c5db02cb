"""Tasks on data from elsewhere: shapes, subtasks, epochs, values, and what they refuse."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.data.settings import DataSettings
from harness.errors import SettingError, UserError
from harness.tasks.images import Images
from harness.tasks.table import Table

DIGITS = {"source": "embedded:digits"}


def table_of(folder: Path, **columns: object) -> DataSettings:
    pd.DataFrame(columns).to_csv(folder / "table.csv", index=False)
    return DataSettings(source=f"path:{folder / 'table.csv'}")


def test_images_of_classes() -> None:
    task = Images(DataSettings(**DIGITS, prepare=["standardise"]))
    batch = task.eval_batch()
    assert task.signature.kind == "images" and task.signature.n_outputs == 10
    assert batch.inputs.dtype == np.float32 and batch.inputs.shape[1:] == (1, 8, 8)
    assert list(task.subtasks) == [str(digit) for digit in range(10)]
    np.testing.assert_array_equal(batch.subtask, batch.targets[:, 0])
    assert task.chance("loss") == pytest.approx(math.log(10)) and task.chance("accuracy") == pytest.approx(0.1)
    assert len(task.versions["data_sha256"]) == 64


def test_pixels_that_no_step_scales_are_divided_by_255() -> None:
    task = Images(DataSettings(**DIGITS))
    np.testing.assert_allclose(task.eval_batch().inputs, task.examples.evaluation.inputs / 255, rtol=1e-6)


def test_an_epoch_visits_every_training_image_once() -> None:
    task = Images(DataSettings(**DIGITS))
    batches = list(itertools.islice(task.train_batches(np.random.default_rng(0), 10, examples=50), 10))
    first, second = (np.concatenate([b.inputs for b in part]).reshape(50, -1) for part in (batches[:5], batches[5:]))
    assert len(np.unique(first, axis=0)) == 50
    np.testing.assert_array_equal(np.unique(first, axis=0), np.unique(second, axis=0))
    assert not np.array_equal(first, second)


def test_smaller_sets_are_part_of_larger_ones() -> None:
    task = Images(DataSettings(**DIGITS))
    np.testing.assert_array_equal(task.first_examples(20).inputs, task.first_examples(300).inputs[:20])


def test_a_table_of_values(tmp_path: Path) -> None:
    x = np.linspace(0, 1, 40)
    settings = table_of(tmp_path, x=x, y=2 * x)
    settings.answers = "values"
    task = Table(settings, subtasks_by="none")
    assert task.signature.answers == "values" and task.signature.n_outputs == 1
    batch = task.eval_batch()
    assert batch.targets.shape == (len(batch.inputs), 1, 1) and batch.targets.dtype == np.float32
    np.testing.assert_allclose(batch.targets[:, 0, 0], 2 * batch.inputs[:, 0], rtol=1e-6)
    assert [metric.name for metric in task.metrics] == ["loss", "r2", "within_tolerance"]
    assert task.chance("loss") == pytest.approx(batch.targets.var())


def test_groups_as_subtasks(tmp_path: Path) -> None:
    settings = table_of(tmp_path, x=np.arange(40), label=["a", "b"] * 20, group=["u", "u", "v", "v"] * 10)
    task = Table(settings, subtasks_by="groups")
    batch = task.eval_batch()
    assert list(task.subtasks) == ["u", "v"]
    np.testing.assert_array_equal(batch.subtask, (batch.inputs[:, 0] % 4 >= 2).astype(int))


@pytest.mark.parametrize(
    ("settings", "by", "message"),
    [
        ({}, "classes", "data.source"),
        (DIGITS, "groups", "no groups"),
    ],
)
def test_what_is_refused(settings: dict, by: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Images(DataSettings(**settings), subtasks_by=by).eval_batch()


def test_values_have_no_classes_as_subtasks(tmp_path: Path) -> None:
    settings = table_of(tmp_path, x=np.arange(40), y=np.arange(40) / 40)
    settings.answers = "values"
    with pytest.raises(SettingError, match=r"task\.subtasks_by"):
        Table(settings, subtasks_by="classes").eval_batch()
