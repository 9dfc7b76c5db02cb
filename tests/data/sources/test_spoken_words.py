from __future__ import annotations

import re
import sys

import numpy as np
import pytest

from harness.data.load import prepared
from harness.data.settings import DataSettings
from harness.data.sources import read, spoken_words
from harness.data.sources.espeak import Espeak
from harness.errors import DataError, UserError


@pytest.fixture
def few_voices(monkeypatch):
    pytest.importorskip("espeakng_loader")
    monkeypatch.setattr(spoken_words, "VOICES", ("f1", "f2", "m1"))


def test_words_by_voices_at_rates_and_pitches(few_voices):
    settings = DataSettings(source="embedded:spoken_words", classes=["yes", "no"], sample_rate=8000)
    found, again = read(settings, "audio"), read(settings, "audio")
    assert len(found) == 3 * 2 * 2 * 2 and found.classes == ("yes", "no") and found.sample_rate == 8000
    assert found.names[0] == "yes, f1, 140 words a minute, pitch 35"
    assert found.class_counts().tolist() == [12, 12] and found.groups.tolist() == [
        *["f1"] * 8,
        *["f2"] * 8,
        *["m1"] * 8,
    ]
    assert found.provenance.sha256 == again.provenance.sha256, "equal settings, equal samples"
    assert len(set(found.digests())) == len(found)
    slow, fast = (np.mean([len(clip) for clip in found.inputs[i : i + 4]]) for i in (0, 4))
    assert 0.15 * 8000 < fast < slow < 8000
    assert all(0.05 < abs(clip).max() <= 1.1 for clip in found.inputs)


def test_whole_voices_are_held_out(few_voices):
    settings = DataSettings(
        source="embedded:spoken_words", classes=["yes", "no"], split="groups", eval_fraction=0.4, split_seed=1
    )
    data = prepared(settings, "audio")
    assert len(data.train) and len(data.evaluation)
    assert not set(data.train.groups) & set(data.evaluation.groups)


def test_what_cannot_be_said(few_voices):
    espeak = Espeak()
    for voice in ("en-us+nobody", "xx+f1"):
        with pytest.raises(DataError, match=rf"has no voice {re.escape(voice)}"):
            espeak.say("yes", voice, 150, 50)
    with pytest.raises(DataError, match="gives ' ' no sound"):
        espeak.say(" ", "en-us+f1", 150, 50)


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UserError, match=r"spoken words need espeakng-loader: pip install 'scaling-harness\[speech\]'"):
        Espeak()
