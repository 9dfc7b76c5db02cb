"""Spoken words: which one is it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.data.dataset import Dataset, Kind
from harness.data.log_mel import frames, log_mel, mel_filters
from harness.errors import SettingError
from harness.ranges import above, count, setting
from harness.tasks.labelled import LabelledTask


@dataclass
class Speech(LabelledTask):
    """Classes (or values) of clips of sound, as log-mel spectrograms (T, F): T frames of F bands.

    `data` says which clips: the words of a synthesiser (data=spoken_words), or files of your own. They are cut or
    filled up with silence to one length, at their ends. Each band is standardised by its mean and its standard
    deviation over all frames of the training clips.
    """

    seconds: float = setting(0.8, "length that clips are cut or filled up to, in seconds", above(0))
    window_ms: float = setting(32.0, "window of a frame and of its Fourier transform, in milliseconds", above(0))
    hop_ms: float = setting(20.0, "from one frame to the next, in milliseconds", above(0))
    n_mels: int = setting(32, "mel bands of a frame", count(1))

    data_kind: ClassVar[Kind] = "audio"
    name = "speech"

    @property
    def feature_shape(self) -> tuple[int, ...]:
        # Known without the spectrograms, for which torch would be loaded.
        samples, window, hop = self._samples(self.examples.train)
        return frames(samples, window, hop), self.n_mels

    @property
    def versions(self) -> dict[str, str]:
        sides = (self.examples.train, self.examples.evaluation)
        samples, _, _ = self._samples(sides[0])
        cut = sum(len(clip) > samples for side in sides for clip in side.inputs)
        return super().versions | {"data_clips_cut": f"{cut:,} of {sum(map(len, sides)):,}"}

    def inputs_of(self, data: Dataset) -> np.ndarray:
        assert data.sample_rate is not None
        return log_mel(data.inputs, data.sample_rate, *self._samples(data), self.n_mels)

    def inputs_of_both(self, train: Dataset, evaluation: Dataset) -> tuple[np.ndarray, np.ndarray]:
        sides = super().inputs_of_both(train, evaluation)
        mean = sides[0].mean(axis=(0, 1), dtype=np.float64)
        deviation = sides[0].std(axis=(0, 1), dtype=np.float64)
        deviation = np.where(deviation > 0, deviation, 1.0)
        ours, held_out = (((side - mean) / deviation).astype(np.float32) for side in sides)
        return ours, held_out

    def _samples(self, data: Dataset) -> tuple[int, int, int]:
        """Samples of a clip, of a window, and from one frame to the next.

        Raises:
            SettingError: clips are shorter than a window, windows leave gaps, or bands hear nothing.
        """
        assert data.sample_rate is not None
        milliseconds = (1e3 * self.seconds, self.window_ms, self.hop_ms)
        samples, window, hop = (round(data.sample_rate * ms / 1e3) for ms in milliseconds)
        if not 1 <= hop <= window:
            raise SettingError("task.hop_ms", self.hop_ms, f"from a sample to window_ms={self.window_ms:g}")
        if window > samples:
            raise SettingError("task.window_ms", self.window_ms, f"at most a clip, seconds={self.seconds:g}")
        if not mel_filters(data.sample_rate, window, self.n_mels).any(axis=1).all():
            resolved = f"so few that each band has a frequency of its own, of the {window // 2} that a window resolves"
            raise SettingError("task.n_mels", self.n_mels, resolved)
        return samples, window, hop
