"""Byte-level language modelling of Python source code, namely the standard library, which every machine has."""

from __future__ import annotations

import hashlib
import math
import platform
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.data.sources import standard_library
from harness.errors import DataError
from harness.metrics import ACCURACY, LOSS
from harness.ranges import between, setting, whole
from harness.tasks.base import Signature
from harness.tasks.windows import Windows

N_BYTES = 256


@dataclass
class Text(Windows):
    """Predict the next byte at each of `context` positions; the loss is in nats per byte (bits per byte: loss / ln 2).

    Each file is used either for training or for evaluation, decided by a hash of its name and so alike on every
    machine. Files are concatenated. Accuracy is the share of bytes for which the most probable byte is right.
    """

    max_bytes: int = setting(
        4_000_000, "bytes read: files in the order of their names' hashes, until there are this many", whole(200_000)
    )
    eval_fraction: float = setting(0.1, "probability that a file is held out for evaluation", between(0.02, 0.5))

    metrics = (LOSS, ACCURACY)
    name = "text"

    @property
    def signature(self) -> Signature:
        return Signature.of_tokens(N_BYTES, self.context)

    @property
    def versions(self) -> dict[str, str]:
        digest = hashlib.sha256(b"".join(part.tobytes() for part in self.corpus)).hexdigest()
        return {"corpus": f"standard library of Python {platform.python_version()}", "corpus_sha256": digest}

    @property
    def corpus(self) -> tuple[np.ndarray, np.ndarray]:
        """The bytes of all training and of all evaluation files, as uint8.

        Raises:
            DataError: this Python comes without its sources.
        """
        return _corpus(self.max_bytes, self.eval_fraction)

    def chance(self, metric: str) -> float | None:
        return {"loss": math.log(N_BYTES), "accuracy": 1 / N_BYTES}.get(metric)


@lru_cache
def _corpus(max_bytes: int, eval_fraction: float) -> tuple[np.ndarray, np.ndarray]:
    root = standard_library.root()
    named = [
        (hashlib.sha256(path.relative_to(root).as_posix().encode()).digest(), path)
        for path in standard_library.sources(root)
    ]
    sides: tuple[list[bytes], list[bytes]] = [], []
    size = 0
    for digest, path in sorted(named):
        # The first bytes order the files, and max_bytes cuts that order off; so the last 8 decide, independently of it.
        held_out = int.from_bytes(digest[-8:], "big") < eval_fraction * 2**64
        sides[held_out].append(path.read_bytes())
        size += len(sides[held_out][-1])
        if size >= max_bytes:
            break
    train, evaluation = (np.frombuffer(b"".join(side), dtype=np.uint8) for side in sides)
    if min(len(train), len(evaluation)) <= 2 * 8192:
        raise DataError(
            f"{root}: holds too few Python sources for task=text; it needs the standard library's .py files"
        )
    return train, evaluation
