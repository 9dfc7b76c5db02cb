"""Measurements whose text is as in `reading.ENCODED`: which rows are wanted is told from its codes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from harness.records.order import ranks
from harness.records.schema import SCHEMAS


def select_measurements(numbers: pa.Table, only_last: bool, **texts: str) -> pa.Table:
    """The rows whose columns hold these texts, as plain text.

    Args:
        only_last: of each run's rows of these texts those at its last step.
    """
    wanted = np.ones(numbers.num_rows, dtype=bool)
    for name, text in texts.items():
        wanted &= _is(numbers.column(name), text)
    if only_last:
        steps, runs = numbers.column("step").to_numpy()[wanted], ranks(numbers.column("run_id"))[wanted]
        wanted[wanted] = _is_last(steps, runs)
    return numbers.filter(pa.array(wanted)).cast(SCHEMAS["measurements"])


def _is(column: pa.ChunkedArray, text: str) -> np.ndarray:
    """(n,) which cells hold this text."""
    parts = [np.zeros(0, dtype=bool)]
    for chunk in column.chunks:
        parts.append(chunk.indices.to_numpy() == chunk.dictionary.index(text).as_py())
    return np.concatenate(parts)


def _is_last(steps: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """(n,) which rows are at the greatest step of their run.

    Args:
        steps, runs: (n,) of each row; runs are numbered from 0.
    """
    if not len(steps):
        return np.zeros(0, dtype=bool)
    # Rows of a run mostly follow each other.
    starts = np.flatnonzero(np.r_[True, runs[1:] != runs[:-1]])
    last = np.full(runs.max() + 1, steps.min())
    np.maximum.at(last, runs[starts], np.maximum.reduceat(steps, starts))
    found: np.ndarray = steps == last[runs]
    return found
