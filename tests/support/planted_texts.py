"""Texts that a test reads as a source of data: ``data.source=planted_texts.documents:200``."""

from __future__ import annotations

import numpy as np

from harness.data.dataset import Kind
from harness.data.settings import DataSettings
from harness.data.sources.found import Found

WORDS = ["scaling", "laws", "relate", "loss", "to", "size", "and", "data", ";", "a", "jump", "of", "metric"]


def documents(n: str, settings: DataSettings, kind: Kind) -> Found:
    """n texts of 60 random words, in the two classes of those that speak of cats and of dogs."""
    rng = np.random.default_rng(0)
    labels = ["cats" if i % 2 else "dogs" for i in range(int(n))]
    texts = [" ".join(rng.choice([*WORDS, label], size=60)) for label in labels]
    return Found(texts, [f"{i}" for i in range(int(n))], "planted documents", labels)
