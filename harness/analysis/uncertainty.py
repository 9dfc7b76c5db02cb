"""Resampling of runs, and numbers read off the draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

#: p of the lack-of-fit F test below which sizes are taken to scatter about the law by more than their runs explain.
LACK_OF_FIT = 0.1


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


def rung_misfit(runs: Runs, fitted: np.ndarray, n_parameters: int) -> float:
    """Standard deviation with which rungs scatter about the curve beyond what their runs explain; 0 if F says none.

    The lack-of-fit F test at 10 %; 0 too where no rung has two runs.
    """
    n, n_rungs = len(runs.value), len(runs.sizes)
    if n == n_rungs:
        return 0.0
    means = runs.means(runs.value)
    between = np.sum(runs.counts * (means - fitted) ** 2) / (n_rungs - n_parameters)
    within = np.sum((runs.value - means[runs.rung]) ** 2) / (n - n_rungs)
    if not lacks_fit(between, within, n_rungs - n_parameters, n - n_rungs):
        return 0.0
    return float(np.sqrt(max(0.0, between - within) / runs.counts.mean()))


def lacks_fit(
    between: np.ndarray, within: np.ndarray, between_freedom: np.ndarray | int, within_freedom: np.ndarray | int
) -> np.ndarray:
    """Whether mean squares of rungs about the curve exceed those of their runs: the F test at `LACK_OF_FIT`."""
    return stats.f.sf(between / np.maximum(within, 1e-300), between_freedom, within_freedom) < LACK_OF_FIT


def percentile_interval(draws: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Low and high percentiles over the first axis, NaN draws left out."""
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def tail_probability(observed: float, draws: np.ndarray) -> float:
    """P(draw >= observed) from B draws, in (0, 1].

    (1 + exceedances) / (B + 1) where at least ten draws exceed. Beyond, an exponential tail is fitted to the top tenth
    of the draws (Knijnenburg et al. 2009, with the shape that likelihood ratios have), no lower than 1 / (20 B).
    """
    n = len(draws)
    exceed = int(np.sum(draws >= observed))
    if exceed >= 10 or n < 100:
        return (1 + exceed) / (n + 1)
    top = np.sort(draws)[-(n // 10) :]
    edge = top[0]
    scale = np.mean(top - edge)
    if scale <= 0:
        return (1 + exceed) / (n + 1)
    return float(max(0.1 * np.exp(-(observed - edge) / scale), 1 / (20 * n)))
