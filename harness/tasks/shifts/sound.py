"""Noise in the sound itself, before it becomes a spectrogram."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.data.dataset import Dataset
from harness.ranges import between, setting
from harness.tasks.shifts.base import Change, Place
from harness.tasks.speech import Speech
from harness.tasks.streams import shift_stream

if TYPE_CHECKING:
    from harness.tasks.base import Task


@dataclass
class Snr(Change):
    """Adds white noise to each clip, by its own power: the signal-to-noise ratio is 10 log10 of signal over noise."""

    decibels: float = setting(20.0, "signal-to-noise ratio, in dB", between(-60, 120))

    def of_task(self, task: Task, place: Place) -> Task:
        if not isinstance(task, Speech):
            raise place.refused(f"another change: it is of clips of sound (task=speech), not of task={task.name}")
        own = {one.name: getattr(task, one.name) for one in fields(task)}
        return NoisySpeech(**own, decibels=self.decibels)


@dataclass
class NoisySpeech(Speech):
    """Speech of which the evaluation clips have noise."""

    decibels: float = 20.0

    def inputs_of_both(self, train: Dataset, evaluation: Dataset) -> tuple[np.ndarray, np.ndarray]:
        rng = shift_stream()
        clips = [self._noisy(clip, rng) for clip in evaluation.inputs]
        return super().inputs_of_both(train, replace(evaluation, inputs=clips))

    def _noisy(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        power = float(np.square(clip, dtype=np.float64).mean())
        deviation = np.sqrt(power * 10 ** (-self.decibels / 10))
        return (clip + deviation * rng.standard_normal(len(clip))).astype(np.float32)
