"""Pieces that end too early, as a disk that failed or a copy that was broken off leaves them."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path


def copy_pieces(results: Path, copy: Path) -> None:
    """Copy the pieces of a results folder, and not its tables, which hold the same runs."""
    shutil.copytree(results / "pieces", copy / "pieces")


def truncate_pieces(results: Path, n: int, rng: random.Random) -> list[Path]:
    """Cut `n` pieces, each at a random byte; the files that were cut."""
    chosen = rng.sample(sorted(results.glob("pieces/*.parquet")), n)
    for path in chosen:
        os.truncate(path, rng.randrange(path.stat().st_size))
    return chosen
