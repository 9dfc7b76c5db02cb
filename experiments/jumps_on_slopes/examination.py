"""Curves as they would be tested: noise estimated from their runs, p value, statistic, and the comparison of models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from calibration import MAX_SEED_LOG_BAYES, Calibration, calibrate, calibrate_seeds
from model_comparison import MIN_VARIANCE, Comparison, compare, height_scale
from rise_shapes import Shapes, build_shapes
from seeds_apart import noise_about_own_curves

from harness.analysis.curves import binomial_variance
from harness.analysis.emergence.ladder_design import LadderDesign
from harness.analysis.emergence.noise import Noise, noise_of, pooled
from harness.analysis.emergence.null_draws import NullDraws, null_draws
from harness.datasets import PlantedCurves

#: With one run a size the noise is pooled over studies of so many tasks of one kind.
TASKS_A_STUDY = 20


@dataclass(frozen=True)
class Examined:
    """n curves tested, each alone.

    Attributes:
        p: (n,) p values.
        statistic: (n,) log Bayes factors, `Comparison.statistic`; the sum over seeds where seeds are tested one by one.
        comparison: of the means over seeds.
    """

    p: np.ndarray
    statistic: np.ndarray
    comparison: Comparison

    def jumps(self, alpha: float = 0.05) -> np.ndarray:
        """(n,) whether a curve jumps, up or down: p < alpha, and the Bayes factor is for a jump."""
        return np.asarray((self.p < alpha) & (self.statistic > 0))

    def smooth(self, alpha: float = 0.05) -> np.ndarray:
        """(n,) whether a curve is called smooth: p >= alpha, and the Bayes factor is against a jump by e or more."""
        return np.asarray((self.p >= alpha) & (self.statistic < -1))


def examine(planted: PlantedCurves) -> Examined:
    n, n_sizes, n_seeds = planted.values.shape
    draws, shapes = _ladder(n_sizes, n_seeds)
    runs, means = planted.values.reshape(n, -1), planted.values.mean(axis=2)
    noises = _noises(draws, planted)
    variance = np.maximum(np.stack([noise.variance for noise in noises]) / draws.design.counts, MIN_VARIANCE)
    freedom = np.array([max(noise.freedom, 1.0) for noise in noises])
    comparison = compare(shapes, means, variance, freedom, height_scale(means, 1.0))
    p, statistic = np.ones(n), comparison.statistic.copy()
    # One calibration for each quarter of the share of the noise that is pooled.
    share = np.round(4 * np.array([noise.pooled for noise in noises])) / 4
    for each in np.unique(share):
        at = share == each
        p[at] = _calibration(n_sizes, n_seeds, float(each)).p_values(statistic[at], means[at], variance[at])
    level = np.ptp(means, axis=1) == 0
    p[level] = 1.0
    for i in np.flatnonzero(~level) if n_seeds > 1 else ():
        found = _examine_seeds(draws, shapes, runs[i], noises[i])
        if found is not None:
            p[i], statistic[i] = found
    return Examined(p, statistic, comparison)


def _examine_seeds(draws: NullDraws, shapes: Shapes, values: np.ndarray, noise: Noise) -> tuple[float, float] | None:
    """P value and statistic of a curve's seeds, one by one; None where they have no curves of their own."""
    of_run = noise_about_own_curves(draws, values, noise)
    by_seed = draws.design.runs_by_seed
    if of_run is None or by_seed is None:
        return None
    curves = values[by_seed]
    variance = np.maximum(np.broadcast_to(of_run, curves.shape), MIN_VARIANCE)
    freedom = np.full(len(curves), float(draws.seed_residuals.mean()))
    statistic = compare(shapes, curves, variance, freedom, height_scale(curves, 1.0)).statistic
    calibration = _calibration_of_seeds(curves.shape[1], len(curves))
    return (
        calibration.p_value_of_seeds(statistic, curves, variance),
        float(np.minimum(statistic, MAX_SEED_LOG_BAYES).sum()),
    )


def _noises(draws: NullDraws, planted: PlantedCurves) -> list[Noise]:
    n, _, n_seeds = planted.values.shape
    evaluation = binomial_variance(planted.values.mean(axis=2), planted.n_eval[:, None], n_seeds)
    runs = planted.values.reshape(n, -1)
    noises = [noise_of(draws, *each) for each in zip(runs, evaluation, strict=True)]
    if n_seeds > 1:
        return noises
    return [each for i in range(0, n, TASKS_A_STUDY) for each in pooled(noises[i : i + TASKS_A_STUDY])]


@lru_cache
def _ladder(n_sizes: int, n_seeds: int) -> tuple[NullDraws, Shapes]:
    t = np.arange(float(n_sizes))
    design = LadderDesign(t, np.repeat(np.arange(n_sizes), n_seeds), np.tile(np.arange(n_seeds), n_sizes))
    return null_draws(design), build_shapes(t)


@lru_cache
def _calibration(n_sizes: int, n_seeds: int, share: float) -> Calibration:
    return calibrate(*_ladder(n_sizes, n_seeds), share)


@lru_cache
def _calibration_of_seeds(n_sizes: int, n_seeds: int) -> Calibration:
    return calibrate_seeds(*_ladder(n_sizes, n_seeds))
