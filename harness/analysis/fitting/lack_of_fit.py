"""Whether sizes scatter about a law by more than their runs explain: the lack-of-fit F test."""

from __future__ import annotations

import numpy as np
from scipy import stats

from harness.analysis.runs import Runs

#: p of the lack-of-fit F test below which sizes are taken to scatter about the law by more than their runs explain.
LACK_OF_FIT = 0.1


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
