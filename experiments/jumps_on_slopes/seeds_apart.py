"""Whether each seed keeps to a curve of its own, and the noise about these curves.

Seeds that jump each at a size of their own have a smooth mean, so such seeds are tested one by one. The criterion is
that of the harness (`harness.analysis.emergence.significance`): the scatter within sizes is many times the residual sum
of squares of the seeds about rises of their own, and either few runs lie half-way or seeds' curves are smoother than
if runs had been permuted among the seeds at each size.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import poisson

from harness.analysis.emergence.noise import Noise
from harness.analysis.emergence.null_draws import NullDraws
from harness.analysis.emergence.significance import FEW_MIDWAY_LEVEL, _seeds_persist, count_midway
from harness.analysis.emergence.smooth_null import SMOOTH_STEPS


def noise_about_own_curves(draws: NullDraws, values: np.ndarray, noise: Noise) -> np.ndarray | None:
    """(K,) variance of a run about its seed's own curve; None where seeds have no curves of their own.

    Args:
        values: (n,) value of each run.
        noise: of the runs about the means of their sizes.
    """
    design = draws.design
    if design.runs_by_seed is None:
        return None
    curves = values[design.runs_by_seed]
    evaluation, expected = float(noise.evaluation.mean()), float(draws.seed_residuals.mean())
    residual = max(float(design.residual_sum_of_squares(curves).sum()), expected * evaluation)
    if residual <= 0 or float(design.scatter(values).sum()) / residual <= draws.critical_scatter_ratio:
        return None
    few = poisson.ppf(FEW_MIDWAY_LEVEL, SMOOTH_STEPS / 2 * len(curves))
    if count_midway(curves) > few and not _seeds_persist(design, curves, residual):
        return None
    return np.asarray(noise.evaluation + max(0.0, residual / expected - evaluation))
