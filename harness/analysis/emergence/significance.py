"""The test of one curve: is its model comparison more in favour of a jump than that of smooth curves?

The statistic is the logarithm of a Bayes factor (`model_comparison`), its p value from a calibration over smooth curves
of the same signal-to-noise ratio (`calibration`). Seeds that each keep to a curve of their own are tested one by one:
the statistic is then the sum of the seeds' own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from harness.analysis.emergence.calibration import MAX_SEED_LOG_BAYES, calibration_of_means, calibration_of_seeds
from harness.analysis.emergence.marginals import MAX_FREEDOM, height_scale
from harness.analysis.emergence.model_comparison import Comparison, compare_means
from harness.analysis.emergence.models import LOG_ODDS_OF_UP, models_of
from harness.analysis.emergence.noise import MIN_VARIANCE, Noise
from harness.analysis.emergence.null_draws import NullDraws
from harness.analysis.emergence.seeds_apart import noise_about_own_curves


@dataclass(frozen=True)
class JumpTest:
    """What the test of one curve found.

    Attributes:
        p_value: P(a statistic as large or larger | a smooth curve of the same signal-to-noise ratio).
        statistic: ln Bayes factor of smooth plus a jump, up or down, against smooth; where seeds were tested one by
            one, the sum of theirs, each at most `MAX_SEED_LOG_BAYES`.
        up: whether a jump up is more likely than a jump down.
        edge: ln Bayes factor of a jump in the first or last gap; where seeds were tested one by one, the mean of
            theirs.
        by_seed: whether seeds were tested one by one, because each keeps to a curve of its own.
    """

    p_value: float
    statistic: float
    up: bool
    edge: float
    by_seed: bool

    @property
    def log_bayes_factor(self) -> float:
        """That of the jump in its own direction: `statistic` without the prior odds against a jump down."""
        return self.statistic if self.up else self.statistic + LOG_ODDS_OF_UP


def assess_jump(
    draws: NullDraws, values: np.ndarray, noise: Noise, compared: Comparison, room: float, with_powers: bool = True
) -> JumpTest:
    """Test one curve.

    Args:
        draws: of the curve's design.
        values: (n,) value of each run, higher is better.
        noise: of the runs.
        compared: the models of its means, one curve.
        room: largest height that the metric allows.
        with_powers: whether powers of smooth laws are smooth (`rise_shapes.shapes_of`); as in `compared`.
    """
    means = draws.design.means(values)[None]
    if np.ptp(means) == 0:
        return _of_means(1.0, compared)
    by_seed = _assess_seeds(draws, values, noise, room, with_powers)
    if by_seed is not None:
        return by_seed
    calibration = calibration_of_means(draws, noise.pooled, with_powers)
    p_value = calibration.p_values(compared.statistic, means, noise.variance_of_means(draws.design)[None])
    return _of_means(float(p_value[0]), compared)


def _of_means(p_value: float, compared: Comparison) -> JumpTest:
    numbers = float(compared.statistic[0]), bool(compared.jumps_up[0]), float(compared.log_bayes_edge[0])
    return JumpTest(p_value, *numbers, by_seed=False)


def level_p_value(means: np.ndarray, variance: np.ndarray, freedom: float) -> float:
    """P value of a level: F test of means (K,) about their weighted mean.

    Args:
        variance: (K,) of the means, estimated with `freedom` degrees of freedom; inf where they are known.
    """
    weight = 1 / variance
    level = np.sum(weight * means) / weight.sum()
    numerator = len(means) - 1
    ratio = float(np.sum(weight * (means - level) ** 2)) / numerator
    return float(fdtrc(numerator, min(freedom, MAX_FREEDOM), ratio))


def _assess_seeds(
    draws: NullDraws, values: np.ndarray, noise: Noise, room: float, with_powers: bool
) -> JumpTest | None:
    """The test of the seeds one by one; None where they have no curves of their own."""
    of_run, by_seed = noise_about_own_curves(draws, values, noise), draws.design.runs_by_seed
    if of_run is None or by_seed is None:
        return None
    curves = values[by_seed]
    variance = np.maximum(np.broadcast_to(of_run, curves.shape), MIN_VARIANCE)
    freedom = np.full(len(curves), float(draws.seed_residuals.mean()))
    models = models_of(draws.design.t, with_powers)
    compared = compare_means(models, curves, variance, freedom, height_scale(curves, room))
    p_value = calibration_of_seeds(draws, with_powers).p_value_of_seeds(compared.statistic, curves, variance)
    up, down, edge = (
        np.clip(each, -MAX_SEED_LOG_BAYES, MAX_SEED_LOG_BAYES)
        for each in (compared.log_bayes_up, compared.log_bayes_down, compared.log_bayes_edge)
    )
    total = float(np.minimum(compared.statistic, MAX_SEED_LOG_BAYES).sum())
    return JumpTest(p_value, total, bool(up.sum() >= down.sum() - LOG_ODDS_OF_UP), float(edge.mean()), by_seed=True)
