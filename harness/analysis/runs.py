"""Runs gathered by size: what every law and every test starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Runs:
    """Runs gathered by size.

    Attributes:
        sizes: (R,) distinct sizes, rising; or (R, d) distinct places of d variables.
        rung: (n,) index into `sizes` of each run.
        value: (n,) value of each run.
        of_row: (rows,) index of the run that each row of the data belongs to.
    """

    sizes: np.ndarray
    rung: np.ndarray
    value: np.ndarray
    of_row: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """(R,) runs at each size."""
        return np.bincount(self.rung, minlength=len(self.sizes))

    def means(self, value: np.ndarray) -> np.ndarray:
        """(..., R) means over the runs of each size of `value` (..., n)."""
        member = (self.rung[:, None] == np.arange(len(self.sizes))) / self.counts
        return value @ member


def gather_runs(x: np.ndarray, value: np.ndarray, groups: np.ndarray | None = None) -> Runs:
    """Rows at x (rows,) or (rows, d) to runs: rows that share (x, group) are one run, whose value is their mean.

    Without groups each row is a run.
    """
    sizes, rung = np.unique(x, axis=0, return_inverse=True)
    rung = rung.ravel()
    if groups is None:
        return Runs(sizes, rung, value, np.arange(len(value)))
    _, label = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    runs, of_row = np.unique(np.stack([rung, label]), axis=1, return_inverse=True)
    of_row = of_row.ravel()
    return Runs(sizes, runs[0], row_means(value, of_row), of_row)


def row_means(value: np.ndarray, of_row: np.ndarray) -> np.ndarray:
    """(n,) means of `value` (rows,) over the rows of each run."""
    return np.bincount(of_row, value) / np.bincount(of_row)


def labels_of_runs(column: np.ndarray, of_row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels 0, 1, ... (n,) of the runs by a column (rows,), and the rows that are at odds with their run's."""
    labels = np.unique(column.astype(str), return_inverse=True)[1].ravel()
    of_run = np.zeros(of_row.max() + 1, dtype=int)
    of_run[of_row] = labels
    return of_run, np.flatnonzero(of_run[of_row] != labels)
