r"""The p value of one curve against every smooth curve.

Let y be the means at each size, of variance v, c_1, ..., c_R the contrasts of the design (`smooth_null`) and sd(c) =
sqrt(c^2 ' v). The statistic is the largest standardised contrast,

    T = max_r c_r'y / sd(c_r),

and p = P(T* >= T) over draws T* of a smooth curve with the noise found. The draws are about the smooth curve closest to
y, P_C y (`SmoothNull.project`), or about a level where a level explains y: there every contrast has mean 0, which makes
T* largest. Each draw is divided by the standard deviations that it would have led to, so that T* is studentised as T
is.

Two kinds of curve are treated differently:

- Seeds that each jump at a size of their own have a smooth mean. Where seeds scatter much less about curves of their
  own than about the mean, T is the sum of the seeds' own largest contrasts (`_p_value_by_seed`).
- A curve that falls somewhere is not smooth by the definition above, though two smooth processes may make it. T is then
  the smallest that any smooth fall leaves, of up to `MAX_FALL_RATIO` times the depth seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import poisson

from harness.analysis.emergence.ladder_design import LadderDesign, deepest_fall
from harness.analysis.emergence.noise import Noise
from harness.analysis.emergence.null_draws import NullDraws, null_draws
from harness.analysis.emergence.smooth_null import SMOOTH_STEPS, SmoothNull, contrasts_of

#: Smallest standard deviation of a mean, over the range of the means: tables are rounded.
MIN_RELATIVE_SD = 1e-6
#: A level explains a curve whose chi-square about it exceeds its mean by less than this many of its standard
#: deviations. Draws are then about that level, where the largest contrast is largest: the safe side.
LEVEL_TOLERANCE = 3.0
#: Depth of the deepest smooth fall that may have been added to a rise, over that of the fall seen: what rises meanwhile
#: hides some of it. With it humps are flagged in 4 to 6 % instead of 15 to 36 %, and power falls by a point.
MAX_FALL_RATIO = 4.0
#: Depths that are tried, equally spaced up to the deepest.
N_FALL_DEPTHS = 12
#: The middle half of a run's range that counts as half-way, as shares of the range.
MIDWAY = (0.25, 0.75)
#: Seeds that rise smoothly lie half-way at about SMOOTH_STEPS / 2 sizes each (the middle half of a rise takes half of
#: its width). So few runs half-way that at most this share of smooth rises has them (Poisson) speak for jumps.
FEW_MIDWAY_LEVEL = 0.05
#: Permutations of runs among seeds at each size, and the p value up to which seeds count as having own curves.
N_PERMUTATIONS, PERMUTATION_LEVEL = 199, 0.05
#: Most that one seed adds to the sum over seeds, in standard deviations, so that a single outlying run is no jump.
MAX_SEED_SCORE = 6.0
#: `tail_probability` counts where this many draws or more exceed what was observed (or there are too few for a tail),
#: else extrapolates from this share of the largest draws, to no less than 1 / (MAX_EXTRAPOLATION B).
MIN_EXCEEDANCES, MIN_DRAWS_FOR_TAIL, TAIL_SHARE, MAX_EXTRAPOLATION = 10, 100, 0.1, 20


@dataclass(frozen=True)
class JumpTest:
    """What the test of one curve found.

    Attributes:
        p_value: P(a statistic as large or larger | a smooth curve).
        by_seed: whether seeds were tested one by one, because each keeps to a curve of its own.
        flat: whether a level alone explains the means.
    """

    p_value: float
    by_seed: bool
    flat: bool


def assess_jump(design: LadderDesign, null: SmoothNull, values: np.ndarray, noise: Noise) -> JumpTest:
    """Test one curve against a null.

    Args:
        values: (n,) value of each run, higher is better.
        noise: of the runs.
    """
    draws = null_draws(design)
    means = design.means(values)
    least = (MIN_RELATIVE_SD * max(float(np.ptp(means)), 1e-12)) ** 2
    variance = np.maximum(noise.variance, least * design.counts)
    of_means = variance / design.counts
    flat = _is_level(means, of_means)
    fall = _significant_fall(draws, means, of_means)
    if design.runs_by_seed is not None and fall == 0:
        p_value = _p_value_by_seed(draws, null, values, noise)
        if p_value is not None:
            return JumpTest(p_value, True, flat)
    contrasts, sd = _contrasts(null, design.counts, of_means)
    scores = contrasts @ means / sd
    drawn = (draws.means * np.sqrt(variance)) @ contrasts.T
    observed = float(scores.max())
    if fall > 0:
        observed = min(observed, _least_score(scores, contrasts @ null.falls.T / sd[:, None], fall))
    elif not flat:
        drawn = drawn + contrasts @ null.project(means, of_means)
    drawn_variance = np.maximum(noise.drawn_variance(draws) / design.counts, least)
    drawn_sd = np.sqrt(drawn_variance @ (contrasts**2).T)
    drawn_sd[:, np.isinf(sd)] = np.inf
    return JumpTest(tail_probability(observed, (drawn / drawn_sd).max(axis=1)), False, flat)


def _contrasts(null: SmoothNull, counts: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(R, K) contrasts for means of this variance, and (R,) their standard deviations; inf for those that are 0."""
    contrasts = contrasts_of(null, counts).nearest(variance)
    sd = np.sqrt(contrasts**2 @ variance)
    return contrasts, np.where(sd == 0, np.inf, sd)


def _is_level(means: np.ndarray, variance: np.ndarray) -> bool:
    weight = 1 / variance
    level = np.sum(weight * means) / weight.sum()
    freedom = len(means) - 1
    return bool(np.sum(weight * (means - level) ** 2) < freedom + LEVEL_TOLERANCE * np.sqrt(2 * freedom))


def _significant_fall(draws: NullDraws, means: np.ndarray, variance: np.ndarray) -> float:
    """Deepest fall from one size to a later one, 0 where falls are no more significant than noise makes them."""
    depth, significance = deepest_fall(means[None], variance[None])
    return float(depth[0]) if significance[0] > draws.critical_fall else 0.0


def _least_score(scores: np.ndarray, fall_scores: np.ndarray, depth: float) -> float:
    """Smallest over falls F and their depths of the largest standardised contrast of the curve with that fall undone.

    Args:
        scores: (R,) standardised contrasts of the curve.
        fall_scores: (R, F) those of falls from 0 to 1, turned over.
    """
    depths = MAX_FALL_RATIO * depth * np.arange(1, N_FALL_DEPTHS + 1) / N_FALL_DEPTHS
    added = fall_scores[:, :, None] * depths
    return float((scores[:, None, None] + added).max(axis=0).min())


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


def _seeds_persist(design: LadderDesign, curves: np.ndarray, residual: float) -> bool:
    """Permutation test: whether seeds' curves (S, K) are smoother than if runs changed seeds at random at each size.

    Args:
        residual: residual sum of squares of the seeds about their own best fitting rises.
    """
    permuted = np.random.default_rng(0).permuted(np.broadcast_to(curves, (N_PERMUTATIONS, *curves.shape)), axis=1)
    as_smooth = design.residual_sum_of_squares(permuted).sum(axis=1) <= residual * (1 + 1e-9)
    return bool(np.mean(as_smooth) <= PERMUTATION_LEVEL)


def _p_value_by_seed(draws: NullDraws, null: SmoothNull, values: np.ndarray, noise: Noise) -> float | None:
    """P value of the sum of the seeds' largest standardised contrasts; None where seeds have no curves of their own.

    They have if the within-size scatter is many times their residual sum of squares about rises of their own, and
    either few runs lie half-way (jumps) or they pass `_seeds_persist`.
    """
    design = draws.design
    runs_by_seed = design.runs_by_seed
    assert runs_by_seed is not None
    curves = values[runs_by_seed]
    evaluation, expected = float(noise.evaluation.mean()), float(draws.seed_residuals.mean())
    residual = max(float(design.residual_sum_of_squares(curves).sum()), expected * evaluation)
    if residual <= 0 or float(design.scatter(values).sum()) / residual <= draws.critical_scatter_ratio:
        return None
    few = poisson.ppf(FEW_MIDWAY_LEVEL, SMOOTH_STEPS / 2 * len(curves))
    if count_midway(curves) > few and not _seeds_persist(design, curves, residual):
        return None
    # The within-size scatter holds what seeds differ by, so only residuals about their own curves tell the noise.
    variance = noise.evaluation + max(0.0, residual / expected - evaluation)
    contrasts, sd = _contrasts(null, design.counts, variance)
    drawn_scale = np.sqrt(draws.seed_residuals / expected)
    observed, total = 0.0, np.zeros(len(draws.runs))
    for runs, curve in zip(runs_by_seed, curves, strict=True):
        observed += min(float((contrasts @ curve / sd).max()), MAX_SEED_SCORE)
        drawn = (draws.runs[:, runs] * np.sqrt(variance)) @ contrasts.T
        if not _is_level(curve, variance):
            drawn = drawn + contrasts @ null.project(curve, variance)
        total += np.minimum((drawn / sd).max(axis=1) / drawn_scale, MAX_SEED_SCORE)
    return tail_probability(observed, total)


def tail_probability(observed: float, draws: np.ndarray) -> float:
    """P(draw >= observed) from B draws, in (0, 1].

    (1 + exceedances) / (B + 1) where ten draws or more exceed. Beyond, an exponential tail is fitted to the largest
    tenth of the draws, which is the generalised Pareto tail of Knijnenburg et al. 2009 ("Fewer permutations, more
    accurate P values", Bioinformatics 25) with shape 0, that of likelihood ratios; no lower than 1 / (20 B).
    """
    n = len(draws)
    exceed = int(np.sum(draws >= observed))
    if exceed >= MIN_EXCEEDANCES or n < MIN_DRAWS_FOR_TAIL:
        return (1 + exceed) / (n + 1)
    top = np.sort(draws)[-int(TAIL_SHARE * n) :]
    edge = top[0]
    scale = np.mean(top - edge)
    if scale <= 0:
        return (1 + exceed) / (n + 1)
    return float(max(TAIL_SHARE * np.exp(-(observed - edge) / scale), 1 / (MAX_EXTRAPOLATION * n)))
