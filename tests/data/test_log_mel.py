from __future__ import annotations

import numpy as np
import pytest

from harness.data.log_mel import FLOOR, log_mel, mel_filters


def test_equal_to_librosa():
    librosa = pytest.importorskip("librosa")
    rng = np.random.default_rng(0)
    times = np.arange(8000) / 8000
    chirp = 0.5 * np.sin(2 * np.pi * (200 + 1500 * times) * times)
    clips = [rng.standard_normal(8000) * 0.1, chirp, rng.uniform(-1, 1, 5000)]
    ours = log_mel([clip.astype(np.float32) for clip in clips], 8000, 6000, window=256, hop=100, n_mels=40)
    for clip, spectrogram in zip(clips, ours, strict=True):
        fixed = np.pad(clip[:6000], (0, max(0, 6000 - len(clip))))
        theirs = librosa.feature.melspectrogram(y=fixed, sr=8000, n_fft=256, hop_length=100, n_mels=40)
        np.testing.assert_allclose(spectrogram, np.log(np.maximum(theirs, FLOOR)).T, atol=1e-4)
    np.testing.assert_allclose(
        mel_filters(8000, 256, 40), librosa.filters.mel(sr=8000, n_fft=256, n_mels=40), atol=1e-7
    )


def test_silence_and_a_tone():
    tone = np.sin(2 * np.pi * 440 * np.arange(4000) / 8000).astype(np.float32)
    silent, heard = log_mel([np.zeros(10, np.float32), tone], 8000, 4000, window=256, hop=80, n_mels=20)
    assert silent.shape == heard.shape == (51, 20) and silent.dtype == np.float32
    np.testing.assert_allclose(silent, np.log(FLOOR), rtol=1e-6)
    # 20 bands up to 4,000 Hz (35.16 mel) are 35.16 / 21 mel, or 112 Hz, apart below 1,000 Hz: the fourth peaks at 446.
    assert set(heard[5:-5].argmax(axis=1)) == {3}
