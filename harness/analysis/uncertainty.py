"""Resampling of runs, and numbers read off the draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Runs:
    """Runs gathered by size.

    Attributes:
        sizes: (R,) distinct sizes, rising.
        rung: (n,) index into `sizes` of each run.
        value: (n,) value of each run.
    """

    sizes: np.ndarray
    rung: np.ndarray
    value: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """(R,) runs at each size."""
        return np.bincount(self.rung, minlength=len(self.sizes))

    def means(self, value: np.ndarray) -> np.ndarray:
        """(..., R) means over the runs of each size of `value` (..., n)."""
        member = (self.rung[:, None] == np.arange(len(self.sizes))) / self.counts
        return value @ member


def gather_runs(x: np.ndarray, value: np.ndarray, groups: np.ndarray | None = None) -> Runs:
    """Rows to runs: rows that share (x, group) are one run, whose value is their mean.

    Without groups each row is a run.
    """
    sizes, rung = np.unique(x, return_inverse=True)
    if groups is None:
        return Runs(sizes, rung, value)
    _, label = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    runs, row_to_run = np.unique(np.stack([rung, label]), axis=1, return_inverse=True)
    row_to_run = row_to_run.ravel()
    return Runs(sizes, runs[0], np.bincount(row_to_run, value) / np.bincount(row_to_run))


def residual_draws(
    runs: Runs, fitted: np.ndarray, n_parameters: int, n_draws: int, level: float, seed: int
) -> np.ndarray:
    """(n_draws, R) rung means of data sets in which the runs' residuals are dealt out anew.

    Resampling the k runs of each rung would miss most of the noise at k = 3, so residuals are pooled over rungs. They
    are widened for the degrees of freedom that the fit took and by Student's t over normal at `level`, which makes
    percentile intervals cover with few runs (measured in experiments/calibration). If rungs scatter about the curve
    more than their runs explain (lack-of-fit F test at 10 %: the law is not exact), a normal deviate for each rung is
    added on that scale, with the degrees of freedom of the rungs.

    Args:
        runs: with values on the scale of the residuals.
        fitted: (R,) fitted rung means.
    """
    rng = np.random.default_rng(seed)
    n, n_rungs = len(runs.value), len(runs.sizes)
    residual, freedom = runs.value - fitted[runs.rung], n - n_parameters
    rung_sd = rung_misfit(runs, fitted, n_parameters)
    if rung_sd > 0:
        residual, freedom = runs.value - runs.means(runs.value)[runs.rung], n - n_rungs
        rung_sd *= _student_over_normal(n_rungs - n_parameters, level)
    residual = (residual - residual.mean()) * np.sqrt(n / freedom) * _student_over_normal(freedom, level)
    draws = runs.means(residual[rng.integers(n, size=(n_draws, n))])
    return fitted + draws + rung_sd * rng.standard_normal((n_draws, n_rungs))


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
    if stats.f.sf(between / max(within, 1e-300), n_rungs - n_parameters, n - n_rungs) >= 0.1:
        return 0.0
    return float(np.sqrt(max(0.0, between - within) / runs.counts.mean()))


def new_run_noise(residual: np.ndarray, freedom: int, shape: tuple[int, ...], level: float, seed: int) -> np.ndarray:
    """`shape` draws of one run's deviation from the curve, from residuals (n,) of a fit with `freedom` to spare.

    Residuals dealt out anew, with a small normal part (the smoothed bootstrap of Silverman and Young 1987) because n
    residuals alone have no tails.
    """
    rng = np.random.default_rng(seed)
    n = len(residual)
    scale = np.sqrt(n / freedom) * _student_over_normal(freedom, level)
    bandwidth = 1.06 * n**-0.2 * residual.std()
    return scale * (rng.choice(residual, size=shape) + bandwidth * rng.standard_normal(shape))


def _student_over_normal(freedom: int, level: float) -> float:
    tail = (1 + level) / 2
    return float(stats.t.ppf(tail, freedom) / stats.norm.ppf(tail))


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
