"""Spoken words: which one is it?"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from harness.data.dataset import Dataset
from harness.data.load import Prepared, prepared
from harness.data.log_mel import log_mel
from harness.data.settings import DataSettings
from harness.errors import DataError, SettingError
from harness.metrics import ACCURACY, LOSS
from harness.ranges import above, one_of, setting, whole
from harness.tasks.base import Batch, Signature, Task
from harness.tasks.limited import fixed_order


@dataclass
class Speech(Task):
    """Which word is said? Log-mel spectrograms of clips, (T, F) for T frames of F bands, whose classes are the words.

    `data` says which clips: the words of a synthesiser (data=spoken_words), or files of your own. They are cut or
    filled up with silence to one length, at their ends. Each band is standardised by its mean and its standard
    deviation over all frames of the training clips. Training draws clips with replacement.
    """

    seconds: float = setting(0.8, "length that clips are cut or filled up to, in seconds", above(0))
    window_ms: float = setting(32.0, "window of a frame and of its Fourier transform, in milliseconds", above(0))
    hop_ms: float = setting(20.0, "from one frame to the next, in milliseconds", above(0))
    n_mels: int = setting(32, "mel bands of a frame", whole(1))
    curves: str = setting(
        "classes",
        "what has a curve of its own beside the whole: each class, each group (such as a speaker), or nothing",
        one_of("classes", "groups", "none"),
    )
    data: DataSettings = field(default_factory=DataSettings)

    metrics = (LOSS, ACCURACY)
    name = "speech"

    @property
    def clips(self) -> Prepared:
        """The clips of both sides of the split.

        Raises:
            UserError: they cannot be read or prepared, or have no classes.
        """
        clips = prepared(self.data, "audio")
        if not clips.train.has_classes:
            raise DataError("clips need labels that are classes", source=clips.train.provenance.name)
        return clips

    @property
    def signature(self) -> Signature:
        samples, _, hop = self._samples
        return Signature(n_outputs=len(self.clips.train.classes), feature_shape=(1 + samples // hop, self.n_mels))

    @property
    def subtasks(self) -> list[str]:
        named = self._curve_of_each
        return [] if named is None else np.unique(named).tolist()

    @property
    def versions(self) -> dict[str, str]:
        sides, (samples, _, _) = (self.clips.train, self.clips.evaluation), self._samples
        cut = sum(len(clip) > samples for side in sides for clip in side.inputs)
        return self.clips.versions | {"clips_cut": f"{cut:,} of {sum(map(len, sides)):,}"}

    @property
    def n_train(self) -> int:
        return len(self.clips.train)

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        return self._train.rows(rng.integers(self.n_train, size=batch_size))

    def first_examples(self, examples: int) -> Batch:
        return self._train.rows(fixed_order(self.n_train)[:examples])

    def eval_batch(self) -> Batch:
        _, evaluation = self._spectrograms
        named = self._curve_of_each
        subtask = None if named is None else np.unique(named, return_inverse=True)[1]
        return Batch.of_answers(evaluation, _labels(self.clips.evaluation), subtask)

    def chance(self, metric: str) -> float | None:
        classes = len(self.clips.train.classes)
        return {"loss": math.log(classes), "accuracy": 1 / classes}.get(metric)

    @property
    def _curve_of_each(self) -> np.ndarray | None:
        """(n,) the subtask of each evaluation clip by name; None where the whole is all there is."""
        data = self.clips.evaluation
        if self.curves == "classes":
            return np.asarray(data.classes)[_labels(data)]
        if self.curves == "groups" and data.groups is None:
            raise SettingError("task.curves", "groups", "classes or none, for no groups are known")
        return data.groups if self.curves == "groups" else None

    @property
    def _train(self) -> Batch:
        """All training clips. Their subtasks are not told apart: held-out speakers are none of theirs."""
        train, _ = self._spectrograms
        return Batch.of_answers(train, _labels(self.clips.train))

    @property
    def _spectrograms(self) -> tuple[np.ndarray, np.ndarray]:
        data = json.dumps(dataclasses.asdict(self.data), sort_keys=True)
        return _standardised(data, Path.cwd(), *self._samples, self.n_mels)

    @property
    def _samples(self) -> tuple[int, int, int]:
        """Samples of a clip, of a window, and from one frame to the next.

        Raises:
            SettingError: clips are shorter than a window, or windows leave gaps.
        """
        rate = self.clips.train.sample_rate or 0
        samples, window, hop = (round(rate * s) for s in (self.seconds, self.window_ms / 1e3, self.hop_ms / 1e3))
        if not 1 <= hop <= window:
            raise SettingError("task.hop_ms", self.hop_ms, f"from a sample to window_ms={self.window_ms:g}")
        if window > samples:
            raise SettingError("task.window_ms", self.window_ms, f"at most a clip, seconds={self.seconds:g}")
        return samples, window, hop


def _labels(data: Dataset) -> np.ndarray:
    assert data.labels is not None
    return data.labels


@lru_cache(maxsize=2)
def _standardised(
    data: str, folder: Path, samples: int, window: int, hop: int, n_mels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Spectrograms of all training and of all evaluation clips, (n, T, n_mels) float32.

    Args:
        data: settings of the data, as JSON.
        folder: the current one, which relative paths in `data` begin at.
    """
    clips = prepared(DataSettings(**json.loads(data)), "audio")
    rate = clips.train.sample_rate
    assert rate is not None
    train, evaluation = (
        log_mel(side.inputs, rate, samples, window, hop, n_mels) for side in (clips.train, clips.evaluation)
    )
    mean, deviation = train.mean(axis=(0, 1), dtype=np.float64), train.std(axis=(0, 1), dtype=np.float64)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return ((train - mean) / deviation).astype(np.float32), ((evaluation - mean) / deviation).astype(np.float32)
