"""Sounds as a source of data, ``planted_sounds.tones:N``: three tones by N speakers who differ in loudness."""

from __future__ import annotations

import numpy as np

from harness.data.dataset import Kind
from harness.data.settings import DataSettings
from harness.data.sources.found import Found

RATE = 8000
TONES = {"high": 1760.0, "low": 220.0, "middle": 600.0}


def tones(argument: str, settings: DataSettings, kind: Kind) -> Found:
    """A clip of each tone by each speaker, a tenth of a second to a fifth."""
    rng = np.random.default_rng(0)
    clips, labels, groups = [], [], []
    for speaker in range(int(argument)):
        for tone, hz in TONES.items():
            times = np.arange(rng.integers(RATE // 10, RATE // 5)) / RATE
            noise = 0.01 * rng.standard_normal(len(times))
            clips.append((rng.uniform(0.1, 0.9) * np.sin(2 * np.pi * hz * times) + noise).astype(np.float32))
            labels.append(tone)
            groups.append(f"speaker {speaker}")
    names = [f"{label}, {group}" for label, group in zip(labels, groups, strict=True)]
    return Found(clips, names, "tones", labels, groups=groups, rates=[RATE] * len(clips))
