"""Two digits and a question: what stands where, right answers, held-out images and voices, weights of the mixture."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from harness.config import compose
from harness.data.settings import DataSettings
from harness.data.sources import espeak
from harness.errors import SettingError, UserError
from harness.tasks.two_digits import presentations
from harness.tasks.two_digits.questions import QUESTIONS
from harness.tasks.two_digits.two_digits import PAD, TwoDigits

ALL = {"shown": 1, "spoken": 1, "written": 2}


def test_answers_by_hand():
    digits = np.array([[7, 5], [3, 9], [4, 4], [0, 6]])
    wanted = {
        "left": [[7], [3], [4], [0]],
        "right": [[5], [9], [4], [6]],
        "max": [[7], [9], [4], [6]],
        "larger": [[1], [2], [0], [2]],
        "mod": [[2], [2], [8], [6]],
        "sum": [[1, 2], [1, 2], [0, 8], [0, 6]],
    }
    assert {name: question.answers(digits).tolist() for name, question in QUESTIONS.items()} == wanted


def test_every_kind_stands_before_its_question_and_answer():
    task = TwoDigits(kinds=ALL, n_eval_per_subtask=16)
    batch, signature = task.eval_batch(), task.signature
    assert batch.inputs.shape == (18 * 16, signature.context, 17)
    assert batch.targets.shape == (18 * 16, signature.answer_positions)
    assert signature.feature_kinds == (("patches", 16), ("frames", 16))
    positions, marks = {"shown": 4, "spoken": 10, "written": 1}, {"shown": -1, "spoken": -2}
    for index, name in enumerate(task.subtasks):
        kind, question = name.split()
        example = np.flatnonzero(batch.subtask == index)[0]
        which, length = batch.inputs[example, :, 0], QUESTIONS[question].length
        asked = signature.context - length
        assert which[asked] == 10 + list(QUESTIONS).index(question)
        assert batch.scored[example].tolist() == [length == 2, True]
        if length == 2:
            assert which[asked + 1] == batch.targets[example, 0]
        digits = which[asked - 2 * positions[kind] : asked]
        if kind == "written":
            assert digits.min() >= 0
            assert QUESTIONS[question].answers(digits.astype(int)[None])[0].tolist() == (
                batch.targets[example][-length:].tolist()
            )
        else:
            assert (digits == marks[kind]).all()
        assert (which[: asked - 2 * positions[kind]] == PAD).all()


def test_a_patch_is_a_square_of_the_image_and_evaluation_shows_images_that_training_never_does():
    task = TwoDigits(n_eval_per_subtask=64)
    found = presentations.images(task.data)
    train, held_out = presentations.shown(found, 4)
    assert train.features.mean() == pytest.approx(0, abs=1e-4)
    assert train.features.std() == pytest.approx(1, abs=1e-4)
    assert found.train.labels is not None
    first = np.flatnonzero(found.train.labels == 3)[0]
    image = found.train.inputs[first, 0].astype(float)
    scale = (train.features[train.starts[3]] * np.std(found.train.inputs) + np.mean(found.train.inputs)).reshape(
        4, 4, 4
    )
    np.testing.assert_allclose(scale[1], image[:4, 4:], atol=1e-4)
    ours = {patches.tobytes() for patches in train.features}
    assert not ours & {patches.tobytes() for patches in held_out.features}
    seen = {patches.tobytes() for patches in task.eval_batch().inputs[:, 1:5, 1:].astype(np.float32)}
    assert not ours & seen


def test_all_subtasks_are_of_the_same_digits_and_draws_are_even():
    task = TwoDigits(kinds={"written": 1}, n_eval_per_subtask=200)
    batch = task.eval_batch()
    assert batch.inputs.dtype == np.int64
    by_part = {name: batch.targets[batch.subtask == i, -1] for i, name in enumerate(task.subtasks)}
    assert (by_part["max"] == np.maximum(by_part["left"], by_part["right"])).all()
    # 6,000 draws of ten digits: 600 each with a standard deviation of 23; five of them for a false alarm of 6e-6.
    labels = TwoDigits(kinds={"written": 1}, questions={"left": 1}).train_batch(np.random.default_rng(0), 6000).targets
    assert np.abs(np.bincount(labels[:, 0]) - 600).max() < 5 * 23


def test_training_mixes_by_weight_and_weight_zero_is_evaluated_alone():
    task = TwoDigits(kinds={"shown": 3, "written": 1, "spoken": 0}, questions={"left": 1, "sum": 1})
    assert task.mixture == {"shown": 0.75, "written": 0.25, "spoken": 0.0}
    counts = np.bincount(task.train_batch(np.random.default_rng(0), 4000).subtask, minlength=6)
    # At most 1,500 of 4,000 with a standard deviation of 31.
    assert np.abs(counts - 4000 * task.subtask_weight()).max() < 5 * 31
    assert dict(zip(task.subtasks, counts, strict=True))["spoken left"] == 0
    assert set(task.eval_batch().subtask) == set(range(6))
    assert task.signature == dataclasses.replace(TwoDigits(kinds={"shown": 1, "spoken": 1}).signature)
    assert pickle.loads(pickle.dumps(task)) == task


def test_chance_is_that_of_each_answer():
    task = TwoDigits(questions={"left": 1, "sum": 3})
    assert task.subtask_chance("exact_match", "left") == 0.1
    assert task.subtask_chance("exact_match", "sum") == 0.01
    assert task.chance("exact_match") == pytest.approx(0.25 * 0.1 + 0.75 * 0.01)
    assert task.chance("loss") == pytest.approx(np.log(10))
    assert task.chance("no such metric") is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kinds": {"shown": -1}}, r"task\.kinds\.shown=-1: allowed is a number from 0 to"),
        ({"kinds": {"shown": 0}}, r"task\.kinds=\{'shown': 0\}: allowed is weights of which one at least is above 0"),
        ({"kinds": {"heard": 1}}, r"task\.kinds=heard: allowed is weights of shown, spoken"),
        ({"kinds": {}}, r"task\.kinds=\{\}: allowed is weights of shown, spoken, written of at least 0"),
        ({"kinds": [1, 2]}, r"task\.kinds=\[1, 2\]: allowed is"),
        ({"questions": {"sums": 1}}, r"task\.questions=sums: .*did you mean 'sum'\?"),
        ({"questions": {"left": True}}, r"task\.questions\.left=True: allowed is a number from 0 to"),
        ({"frame_ms": 1000.0}, r"task\.frame_ms=1000\.0: allowed is a number from 10 to 640"),
    ],
)
def test_weights_and_sizes_out_of_range(changes, says):
    with pytest.raises(SettingError, match=says):
        TwoDigits(**changes)


def test_images_that_cannot_be_cut_or_are_no_digits_are_refused():
    with pytest.raises(SettingError, match=r"task\.patch=3: allowed is a divisor of 8"):
        TwoDigits(patch=3).check_data()
    with pytest.raises(SettingError, match=r"data\.augment="):
        TwoDigits(data=DataSettings(augment=["shift"])).check_data()


def test_images_of_other_classes_are_refused(tmp_path):
    pixels = np.random.default_rng(0).integers(256, size=(80, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "two.npz", images=pixels, labels=np.tile([0, 1], 40))
    task = TwoDigits(data=DataSettings(source=f"path:{tmp_path / 'two.npz'}"))
    with pytest.raises(UserError, match="its classes are 0, 1; task=two_digits shows 0 to 9"):
        task.check_data()


def test_without_the_synthesiser_spoken_digits_are_refused_in_a_line(monkeypatch):
    def missing(self):
        raise UserError("spoken words need espeakng-loader: pip install 'scaling-harness[speech]'")

    monkeypatch.setattr(espeak.Espeak, "__init__", missing)
    monkeypatch.setattr(presentations, "VOICES", dataclasses.replace(presentations.VOICES, split_seed=77))
    with pytest.raises(UserError, match=r"task\.kinds\.spoken: spoken words need espeakng-loader"):
        TwoDigits(kinds={"spoken": 1}, frame_ms=50.0).check_data()


def test_weights_come_from_the_command_line_as_they_are_written():
    (study,) = compose("family=transformer", "task=two_digits", "task.kinds={shown: 1, written: 3}", "ladder.steps=1")
    assert study.task.kinds == {"shown": 0.25, "written": 0.75}
    assert study.task.subtasks[0] == "shown larger"
