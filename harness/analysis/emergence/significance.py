"""Is a curve more than a smooth curve and noise? The p value of the largest contrast, from draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import poisson

from harness.analysis.emergence.ladder_design import Layout, falls
from harness.analysis.emergence.noise import Noise
from harness.analysis.emergence.smooth_null import SMOOTH_STEPS, SmoothNull

#: Smallest standard deviation of means, over their range: what is exact in a table is not exact in the world.
_LEAST_SD = 1e-6
#: A fall that is seen may be this many times as deep: what rises meanwhile hides some of it.
DEEPEST = 4.0
_DEPTHS = np.linspace(0, 1, 13)[1:]
#: A level within this many standard deviations of the sum of squares it leaves is not excluded.
_NOT_EXCLUDED = 3.0
#: The middle half of a rise takes half of its width: `SMOOTH_STEPS` / 2 sizes of each seed. Share of smooth rises in
#: which so few runs lie there as count as none.
_HARDLY = 0.05
#: Deals of runs to seeds, and share of them that may be in as good an order as the seeds are.
_DEALS, _CHANCE_ORDER = 199, 0.05
#: Most that one seed counts, in standard deviations: a single wild run is no jump.
_MOST_OF_A_SEED = 6.0


@dataclass(frozen=True)
class JumpTest:
    """What the test of one curve found.

    Attributes:
        p_value: P(as far from smooth or farther | a smooth curve).
        seeds_apart: whether seeds were tested one by one, because each keeps to a curve of its own.
        flat: whether a level alone explains it.
    """

    p_value: float
    seeds_apart: bool
    flat: bool


def test_jump(layout: Layout, null: SmoothNull, values: np.ndarray, noise: Noise) -> JumpTest:
    """Test one curve.

    Where seeds scatter much less about curves of their own than about their size's mean, their curves are tested one by
    one and the contrasts summed, as jumps at different sizes average to a smooth mean. Otherwise the means are tested.

    Args:
        values: (n,) value of each run, higher is better.
    """
    means = layout.means(values)
    least = (_LEAST_SD * max(float(np.ptp(means)), 1e-12)) ** 2
    variance = np.maximum(noise.variance, least * layout.counts)
    of_mean = variance / layout.counts
    flat = _is_flat(means, of_mean)
    fall = _fall(layout, means, of_mean)
    if layout.by_seed is not None and fall == 0:
        apart = _seeds_apart(layout, null, values, noise)
        if apart is not None:
            return JumpTest(apart, True, flat)
    contrasts, sd = _contrasts(null, of_mean)
    drawn_variance = np.maximum(noise.drawn_variance(layout) / layout.counts, least)
    drawn_sd = np.sqrt(drawn_variance @ (contrasts**2).T)
    drawn_sd[:, np.isinf(sd)] = np.inf
    drawn = (layout.mean_draws * np.sqrt(variance)) @ contrasts.T
    scores = contrasts @ means / sd
    observed = scores.max()
    if fall > 0:
        lost = contrasts @ null.falls.T * (DEEPEST * fall) / sd[:, None]
        observed = min(observed, (scores[:, None, None] + lost[:, :, None] * _DEPTHS).max(axis=0).min())
    elif not flat:
        drawn = drawn + contrasts @ null.project(means, of_mean)
    return JumpTest(tail_probability(float(observed), (drawn / drawn_sd).max(axis=1)), False, flat)


def _contrasts(null: SmoothNull, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(R, K) contrasts, and (R,) their standard deviations; inf for those that say nothing."""
    contrasts = null.contrasts(variance)
    sd = np.sqrt(contrasts**2 @ variance)
    return contrasts, np.where(sd == 0, np.inf, sd)


def _is_flat(means: np.ndarray, of_mean: np.ndarray) -> bool:
    weight = 1 / of_mean
    level = np.sum(weight * means) / weight.sum()
    freedom = len(means) - 1
    return bool(np.sum(weight * (means - level) ** 2) < freedom + _NOT_EXCLUDED * np.sqrt(2 * freedom))


def _fall(layout: Layout, means: np.ndarray, of_mean: np.ndarray) -> float:
    """Deepest fall from one size to a later one, 0 where falls are no more than noise gives."""
    deepest, significance = falls(means[None], of_mean[None])
    return float(deepest[0]) if significance[0] > layout.false_fall else 0.0


def quarters(values: np.ndarray) -> tuple[float, float]:
    """Means of the lowest and of the highest quarter of values of any shape."""
    ordered = np.sort(values, axis=None)
    quarter = max(1, len(ordered) // 4)
    return float(ordered[:quarter].mean()), float(ordered[-quarter:].mean())


def half_way(curves: np.ndarray) -> int:
    """How many runs (S, K) lie in the middle half between the lowest and the highest quarter of all."""
    low, high = quarters(curves)
    share = (curves - low) / max(high - low, 1e-300)
    return int(np.sum((share > 0.25) & (share < 0.75)))


def _is_coherent(layout: Layout, curves: np.ndarray, left_over: float) -> bool:
    """Whether seeds keep to their curves better than runs dealt out anew at each size would."""
    dealt = np.random.default_rng(0).permuted(np.broadcast_to(curves, (_DEALS, *curves.shape)), axis=1)
    return bool(np.mean(layout.left_over(dealt).sum(axis=1) <= left_over * (1 + 1e-9)) <= _CHANCE_ORDER)


def _seeds_apart(layout: Layout, null: SmoothNull, values: np.ndarray, noise: Noise) -> float | None:
    """P value of the seeds' own curves; None where they do not keep to them."""
    by_seed = layout.by_seed
    assert by_seed is not None
    curves = values[by_seed]
    expected = float(layout.seed_residuals.mean())
    left_over = max(float(layout.left_over(curves).sum()), expected * float(noise.evaluation.mean()))
    scatter = float(layout.scatter(values).sum())
    if left_over <= 0 or scatter / left_over <= layout.keeps_to_itself:
        return None
    few = poisson.ppf(_HARDLY, SMOOTH_STEPS / 2 * len(curves))
    if half_way(curves) > few and not _is_coherent(layout, curves, left_over):
        return None
    # The scatter within sizes holds what seeds differ by, so that only their own curves tell the noise.
    of_run = noise.evaluation + max(0.0, left_over / expected - float(noise.evaluation.mean()))
    contrasts, sd = _contrasts(null, of_run)
    drawn_scale = np.sqrt(layout.seed_residuals / expected)
    observed, total = 0.0, np.zeros(len(layout.runs))
    for own, curve in zip(by_seed, curves, strict=True):
        observed += min(float((contrasts @ curve / sd).max()), _MOST_OF_A_SEED)
        drawn = (layout.runs[:, own] * np.sqrt(of_run)) @ contrasts.T
        if not _is_flat(curve, of_run):
            drawn = drawn + contrasts @ null.project(curve, of_run)
        total += np.minimum((drawn / sd).max(axis=1) / drawn_scale, _MOST_OF_A_SEED)
    return tail_probability(observed, total)


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
