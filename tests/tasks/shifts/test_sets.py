"""Shifted evaluation sets: what changes, what does not, and which a task or family cannot have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import Frames, NextSymbol, SignOfSum, make_settings

from harness.data.settings import DataSettings
from harness.errors import SettingError, UserError
from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.tasks.language import Language
from harness.tasks.sequences.arithmetic import Addition, ModularAddition
from harness.tasks.sequences.hops import Hops
from harness.tasks.sequences.rearrangement import Copy
from harness.tasks.sequences.recall import AssociativeRecall, Induction, Lookup
from harness.tasks.shifts.sets import EvaluationSet, check_shifts, shifted_sets
from harness.tasks.speech import Speech


def sets(task: Any, family: Any = None, **shifts: Any) -> list[EvaluationSet]:
    found = shifted_sets(make_settings(family or MLP(), task, shifts=shifts))
    assert [each.split for each in found] == list(shifts)
    return found


def test_noise_is_the_same_for_every_run_and_grows_by_its_strength() -> None:
    own = SignOfSum(n_eval=2000).eval_batch()
    weak, strong = sets(SignOfSum(n_eval=2000), weak={"noise": 0.1}, strong={"noise": {"deviation": 0.4}})
    by = [each.batch.inputs - own.inputs for each in (weak, strong)]
    assert np.std(by[0]) == pytest.approx(0.1, rel=0.05)  # of 8,000 numbers: three deviations
    np.testing.assert_allclose(by[1], 4 * by[0], atol=1e-5)
    for part in ("targets", "scored", "subtask"):
        np.testing.assert_array_equal(getattr(weak.batch, part), getattr(own, part))
    assert weak.batch.inputs.dtype == np.float32 and weak.task == SignOfSum(n_eval=2000)
    (again,) = shifted_sets(make_settings(MLP(), SignOfSum(n_eval=2000), shifts={"again": {"noise": 0.1}}))
    np.testing.assert_array_equal(again.batch.inputs, weak.batch.inputs)


def test_blur_keeps_the_mean_and_takes_off_the_contrast() -> None:
    own = SignOfSum(image=True).eval_batch().inputs
    blurred, both = sets(SignOfSum(image=True), CNN(), blurred={"blur": 1.5}, both={"blur": 1.5, "noise": 1})
    assert blurred.batch.inputs.dtype == np.float32
    np.testing.assert_allclose(blurred.batch.inputs.mean(axis=(1, 2, 3)), own.mean(axis=(1, 2, 3)), atol=1e-5)
    contrast = blurred.batch.inputs.std(axis=(1, 2, 3)) / own.std(axis=(1, 2, 3))
    assert contrast.max() < 0.6
    assert np.std(both.batch.inputs - blurred.batch.inputs) == pytest.approx(1, rel=0.2)


def test_tokens_are_replaced_by_others() -> None:
    own = NextSymbol(length=200).eval_batch()
    (swapped,) = sets(NextSymbol(length=200), Transformer(), swapped={"tokens": 0.25})
    assert (swapped.batch.inputs != own.inputs).mean() == pytest.approx(0.25, abs=0.03)  # of 6,400: five deviations
    assert swapped.batch.inputs.min() >= 0 and swapped.batch.inputs.max() < 7
    np.testing.assert_array_equal(swapped.batch.targets, own.targets)


@pytest.mark.parametrize(
    ("task", "context"),
    [
        (Copy(length=4, n_eval=16), 16),
        (Induction(length=40, n_eval=16), 80),
        (AssociativeRecall(n_pairs=4, n_queries=2, n_eval=16), 19),
        (Lookup(n_eval=16), 17),
        (Hops(n_starts=4, n_eval=16), 20),
        (Addition(n_digits=2, n_eval=16), 14),
    ],
)
def test_longer_sequences_are_of_the_same_vocabulary(task: Any, context: int) -> None:
    (longer,) = sets(task, Transformer(), longer={"length": 2})
    assert longer.batch.inputs.shape == (16, context) and longer.task.signature.context == context
    assert longer.task.signature.vocab_size == task.signature.vocab_size
    assert longer.batch.scored.sum(axis=1).min() >= task.eval_batch().scored.sum(axis=1).min()


@pytest.fixture
def texts(tmp_path: Path) -> DataSettings:
    for year in (2020, 2021, 2022):
        (tmp_path / str(year)).mkdir()
        for i in range(12):
            (tmp_path / str(year) / f"{i:02d}.txt").write_text(f"in {year} it was the {i}th of the texts " * 4)
    return DataSettings(source=f"path:{tmp_path}", reserve={"files": ["2022/*"]})


def test_reserved_files_are_only_for_the_shift(texts: DataSettings) -> None:
    task = Language(context=16, n_eval=None, data=texts)
    later, longer = sets(task, Transformer(), later={"files": "2022/*"}, longer={"length": 3})

    def said(tokens: np.ndarray) -> str:
        return bytes(tokens[tokens < 256].astype(np.uint8).tolist()).decode()

    assert all("2022" not in said(side) for side in task.corpus)
    assert "in 2022" in said(later.batch.inputs) and "in 2021" not in said(later.batch.inputs)
    assert longer.batch.inputs.shape[1] == 48 and "in 2022" not in said(longer.batch.inputs)
    with pytest.raises(SettingError, match=r"^shifts\.x\.files=2021/\*: .*of these 12 examples are trained on"):
        sets(task, Transformer(), x={"files": "2021/*"})
    with pytest.raises(SettingError, match=r"^shifts\.x\.files=2023/\*: .*no name matches 2023/\*"):
        sets(task, Transformer(), x={"files": "2023/*"})


def test_other_speakers_and_noise_in_the_sound() -> None:
    data = DataSettings(source="planted_sounds.tones:12", reserve={"groups": ["speaker 1", "speaker 2"]})
    task = Speech(seconds=0.15, n_mels=16, subtasks_by="groups", data=data)
    others, noisy, both = sets(
        task,
        CNN(),
        others={"groups": ["speaker 1", "speaker 2"]},
        noisy={"snr": 0},
        both={"groups": ["speaker 1"], "snr": 0},
    )
    assert list(others.task.subtasks) == ["speaker 1", "speaker 2"] and len(others.batch.inputs) == 6
    assert len(task.eval_batch().inputs) + task.n_train == 30
    own = task.eval_batch().inputs
    assert noisy.batch.inputs.shape == own.shape and noisy.batch.inputs.mean() > own.mean() + 0.3
    assert both.batch.inputs.mean() > others.batch.inputs[:3].mean() + 0.3
    with pytest.raises(SettingError, match=r"^shifts\.x\.groups=\['speaker 3'\]: .*are trained on"):
        sets(task, CNN(), x={"groups": ["speaker 3"]})
    with pytest.raises(SettingError, match=r"no group speaker 99; did you mean 'speaker"):
        sets(task, CNN(), x={"groups": ["speaker 99"]})


@pytest.mark.parametrize(
    ("task", "family", "shift", "says"),
    [
        (SignOfSum(), MLP(), {"blur": 1}, r"shifts\.a\.blur=1: .*blur is of images"),
        (SignOfSum(), MLP(), {"tokens": 0.1}, r"shifts\.a\.tokens=0\.1: .*of tokens, and task=sign_of_sum"),
        (SignOfSum(), MLP(), {"length": 2}, r"shifts\.a\.length=2: .*of tokens"),
        (SignOfSum(), MLP(), {"groups": ["b"]}, r"shifts\.a\.groups=\['b'\]: .*data from elsewhere"),
        (SignOfSum(), MLP(), {"snr": 3}, r"shifts\.a\.snr=3: .*task=speech"),
        (SignOfSum(), MLP(), {"noise": 1e9}, r"shifts\.a\.noise=1000000000\.0: .*larger than 1e\+06"),
        (Frames(), Transformer(), {"affine": 30}, r"shifts\.a\.affine=30: .*affine is of images"),
        (NextSymbol(), Transformer(), {"noise": 1}, r"noise is of images and audio and features"),
        (NextSymbol(), Transformer(), {"length": 2}, r"task=next_symbol has no setting"),
        (Copy(), Transformer(positions="learned"), {"length": 2}, r"family\.positions=rotary"),
        (ModularAddition(), Transformer(), {"length": 2}, r"has no setting"),
        (AssociativeRecall(), Transformer(), {"length": 3}, r"a factor that task=associative_recall can follow"),
        (Copy(), Transformer(), {"length": 1.01}, r"15 tokens would be 15|16 tokens would be 16|a larger factor"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(task: Any, family: Any, shift: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingError, match=says) as refused:
        sets(task, family, a=shift)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("shift", "says"),
    [
        ({"nois": 1}, r"^shifts\.a=nois: allowed is one of blur.*did you mean 'noise'"),
        ({"mixup": 1}, r"^shifts\.a=mixup: allowed is one of blur"),
        ({"blur": 0}, r"^shifts\.a\.blur\.deviation=0: allowed is a number above 0"),
        ({"noise": {"strength": 1}}, r"^shifts\.a: noise has no setting strength"),
    ],
)
def test_what_is_no_change_is_refused_where_it_is_written(shift: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        make_settings(MLP(), SignOfSum(), shifts={"a": shift})


def test_shifts_are_checked_without_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SignOfSum, "eval_batch", lambda self: pytest.fail("made"))
    check_shifts(make_settings(MLP(), SignOfSum(), shifts={"a": {"noise": 1}}))
