"""Files that other tools wrote, and what importing them leaves; how each file was made stands in their README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command import REPOSITORY

from harness.records.store import load

IMPORTED = Path(__file__).parents[1] / "records" / "imported"
#: Files as others published them, which are no part of the repository.
REAL = REPOSITORY.parent / "shared/data/real"
needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason=f"published results are not at {REAL}")
SIZES = pd.DataFrame(
    {
        "run": ["small", "large"],
        "params_total": [6_040, 15_152],
        "params_non_embedding": [1_760, 6_592],
        "seed": [1, 1],
    }
)
SIZES_OF_ALL = {"params_total": 1000}


def values(folder: Path, split: str = "eval", **where: Any) -> dict[tuple, float]:
    """(member, step, metric) -> value."""
    frame = load(folder, steps="all", split=split)
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return {(r.member, r.step, r.metric): r.value for r in frame.itertuples()}


def tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / f"{name}.parquet").read_bytes() for name in ("runs", "measurements")}
