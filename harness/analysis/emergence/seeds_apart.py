"""Whether each seed keeps to a curve of its own, and the noise about these curves.

Seeds that jump each at a size of their own have a smooth mean, so such seeds are tested one by one. They have curves of
their own if the scatter within sizes is many times the residual sum of squares of the seeds about rises of their own,
and either few runs lie half-way (jumps) or seeds' curves are smoother than if runs had been permuted among the seeds at
each size.
"""

from __future__ import annotations

import numpy as np
from scipy.special import pdtr

from harness.analysis.emergence.ladder_design import LadderDesign
from harness.analysis.emergence.noise import Noise
from harness.analysis.emergence.null_draws import NullDraws
from harness.analysis.emergence.smooth_null import SMOOTH_STEPS

#: The middle half of a run's range that counts as half-way, as shares of the range.
MIDWAY = (0.25, 0.75)
#: Seeds that rise smoothly lie half-way at about SMOOTH_STEPS / 2 sizes each (the middle half of a rise takes half of
#: its width). So few runs half-way that at most this share of smooth rises has them (Poisson) speak for jumps.
FEW_MIDWAY_LEVEL = 0.05
#: Widest rise, from 10 to 90 % in steps, that is a jump: one that a ladder sees between two sizes. More runs half-way
#: than such jumps have in this share of cases (Poisson) speak for wider rises.
JUMP_STEPS, MANY_MIDWAY_LEVEL = 1.0, 0.95
#: Permutations of runs among seeds at each size, and the p value up to which seeds count as having own curves.
N_PERMUTATIONS, PERMUTATION_LEVEL = 199, 0.05


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
    many = _is_above(count_midway(curves), FEW_MIDWAY_LEVEL, SMOOTH_STEPS / 2 * len(curves))
    if many and not _seeds_persist(design, curves, residual):
        return None
    return np.asarray(noise.evaluation + max(0.0, residual / expected - evaluation))


def quarter_means(values: np.ndarray) -> tuple[float, float]:
    """Means of the lowest and of the highest quarter of values of any shape."""
    ordered = np.sort(values, axis=None)
    quarter = max(1, len(ordered) // 4)
    return float(ordered[:quarter].mean()), float(ordered[-quarter:].mean())


def count_midway(curves: np.ndarray) -> int:
    """How many runs (S, K) lie in the middle half (`MIDWAY`) between the lowest and the highest quarter of all."""
    low, high = quarter_means(curves)
    share = (curves - low) / max(high - low, 1e-300)
    return int(np.sum((share > MIDWAY[0]) & (share < MIDWAY[1])))


def are_resolved(curves: np.ndarray) -> bool:
    """Whether the rises of seeds (S, K) are surely wider than jumps.

    Jumps of width w leave w / 2 runs a seed half-way on average, so that more than a Poisson quantile of that mean
    half-way are wider rises.
    """
    return _is_above(count_midway(curves), MANY_MIDWAY_LEVEL, JUMP_STEPS / 2 * len(curves))


def _is_above(count: int, level: float, mean: float) -> bool:
    """Whether a count lies above the quantile of Poisson's distribution at this level."""
    return count > 0 and bool(pdtr(count - 1, mean) >= level)


def _seeds_persist(design: LadderDesign, curves: np.ndarray, residual: float) -> bool:
    """Permutation test: whether seeds' curves (S, K) are smoother than if runs changed seeds at random at each size.

    Args:
        residual: residual sum of squares of the seeds about their own best fitting rises.
    """
    permuted = np.random.default_rng(0).permuted(np.broadcast_to(curves, (N_PERMUTATIONS, *curves.shape)), axis=1)
    as_smooth = design.residual_sum_of_squares(permuted).sum(axis=1) <= residual * (1 + 1e-9)
    return bool(np.mean(as_smooth) <= PERMUTATION_LEVEL)
