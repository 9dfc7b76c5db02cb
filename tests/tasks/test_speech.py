from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from planted_sounds import RATE, TONES

from harness.data.settings import DataSettings
from harness.errors import DataError, SettingError
from harness.tasks.speech import Speech


def speech(data=(), **values):
    settings = {"source": "planted_sounds.tones:20", "split": "groups", "eval_fraction": 0.3, **dict(data)}
    return Speech(**{"seconds": 0.15, "n_mels": 16} | values, data=DataSettings(**settings))


def test_config_gives_every_setting_at_its_default():
    values = OmegaConf.to_container(OmegaConf.load(Path(__file__).parents[2] / "conf" / "task" / "speech.yaml"))
    assert values.pop("_target_") == "harness.tasks.speech.Speech"
    assert values == {name: value for name, value in asdict(Speech()).items() if name != "data"}


def test_a_clip_is_the_spectrogram_of_its_word():
    task = speech()
    assert task.signature.feature_shape == (1 + round(0.15 * RATE) // 160, 16)
    assert task.signature.kind == "frames" and task.signature.n_outputs == 3
    for batch in (task.train_batch(np.random.default_rng(0), 60), task.eval_batch()):
        loudest = batch.inputs[:, :5].mean(axis=1).argmax(axis=1)
        by_tone = {name: set(loudest[batch.targets[:, 0] == i]) for i, name in enumerate(TONES)}
        assert max(by_tone["low"]) < min(by_tone["middle"]) <= max(by_tone["middle"]) < min(by_tone["high"])


def test_standardised_band_by_band_by_the_training_clips():
    task = speech()
    train = task.first_examples(task.n_train).inputs
    np.testing.assert_allclose(train.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(axis=(0, 1)), 1, atol=1e-5)
    assert abs(task.eval_batch().inputs.mean(axis=(0, 1))).max() > 1e-3


def test_clips_that_are_cut_are_counted():
    lengths = [len(clip) for side in (speech().examples.train, speech().examples.evaluation) for clip in side.inputs]
    assert speech().versions["data_clips_cut"] == f"{sum(n > 1200 for n in lengths)} of 60"
    assert speech(seconds=0.2).versions["data_clips_cut"] == "0 of 60"
    assert speech().versions["data_name"] == "tones"


@pytest.mark.parametrize("window_ms", [32.0, 32.125, 20.0, 20.125])  # 256, 257, 160 and 161 samples
def test_frames_are_as_many_as_the_signature_says(window_ms):
    task = speech(window_ms=window_ms, hop_ms=0.25)
    assert task.eval_batch().inputs.shape[1:] == task.signature.feature_shape


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"hop_ms": 50.0}, "task.hop_ms=50.0: allowed is from a sample to window_ms=32"),
        ({"hop_ms": 0.01}, "task.hop_ms=0.01"),
        ({"window_ms": 300.0}, "task.window_ms=300.0: allowed is at most a clip, seconds=0.15"),
        ({"n_mels": 0}, "task.n_mels=0"),
        ({"n_mels": 400}, "task.n_mels=400: allowed is so few that each band has a frequency"),
        ({"data": {"source": None}}, "data.source=null: allowed is embedded:NAME, path:FILE_OR_FOLDER"),
    ],
)
def test_settings_that_cannot_be(values, problem):
    with pytest.raises(SettingError, match=problem):
        speech(**values).signature  # noqa: B018


def test_files_of_ones_own(tmp_path):
    table = write_clips(tmp_path, labels=["yes", "no"] * 20, speakers=["a", "b", "c", "d"] * 10)
    task = speech({"source": f"path:{table}", "split": "hash"}, subtasks_by="groups")
    assert task.examples.train.classes == ("no", "yes") and task.subtasks == ["a", "b", "c", "d"]
    assert task.eval_batch().inputs.shape[1:] == (8, 16)


def test_a_wrong_sampling_rate(tmp_path):
    table = write_clips(tmp_path, labels=["yes", "no"], rates=[8000, 16000])
    with pytest.raises(
        DataError, match=r"clips\.csv, row 2: 16000 Hz, and .*, row 1 is of 8000 Hz; data\.sample_rate=HZ"
    ):
        speech({"source": f"path:{table}"}).signature  # noqa: B018


def write_clips(folder, labels, speakers=None, rates=None):
    """WAV files of noise, with a table that names them."""
    soundfile = pytest.importorskip("soundfile")
    rng = np.random.default_rng(0)
    lines = ["file,label,speaker"]
    for i, label in enumerate(labels):
        soundfile.write(folder / f"{i}.wav", rng.uniform(-0.5, 0.5, 1200), rates[i] if rates else 8000)
        lines.append(f"{i}.wav,{label},{speakers[i] if speakers else 'a'}")
    table = folder / "clips.csv"
    table.write_text("\n".join(lines) + "\n")
    return table
