"""The mean curve averaged over models: where it has made a share of its rise, and whether it rises or falls.

Draws of the posterior: first a model with its shapes, by its weight, then level and heights given these. Each draw is a
curve on the ladder and `rise_shapes.BEYOND` it. Any functional of the curve is evaluated on every draw, and quantiles
over draws are credible intervals. Nothing but the tests uses this module yet (README.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from model_comparison import (
    JUMP_WEIGHTS,
    LOG_ODDS_OF_UP,
    MIN_VARIANCE,
    MISFIT,
    SMOOTH_WEIGHTS,
    Comparison,
    Marginals,
    compare,
    marginals,
)
from rise_shapes import Shapes

#: Posterior draws of a curve.
N_DRAWS = 400
#: Least rise, as a share of the range of the curve, that has a place of half rise: a curve that falls has none.
_MIN_RISE = 0.1
#: A draw both rises and falls if the smaller of the two is at least this share of the larger; a curve does if this
#: share of its draws do.
_MIN_TURN, _MIN_DRAWS_THAT_TURN = 0.2, 0.9


@dataclass(frozen=True)
class MeanCurve:
    """Posterior draws of the mean curve.

    Attributes:
        shapes: of the ladder.
        curves: (D, T) values at `shapes.fine`.
        jump_place: (D,) place of the jump, in steps; NaN for draws without one.
        jump_height: (D,) height of the jump, below 0 for a drop; 0 for draws without one.
    """

    shapes: Shapes
    curves: np.ndarray
    jump_place: np.ndarray
    jump_height: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """(T,) the model-averaged mean curve."""
        return np.asarray(self.curves.mean(axis=0))

    def crossing(self, fraction: float, levels: np.ndarray) -> np.ndarray:
        """Quantiles of the place, in steps, where the curve has made `fraction` of its largest rise.

        The largest rise is that from any place to a later one, `rise_shapes.BEYOND` the ladder included. -inf and inf
        stand for places before the first and past the last size. NaN where most draws rise by less than `_MIN_RISE` of
        their range.

        Args:
            levels: (L,) in [0, 1].
        """
        place = _crossing(self.shapes.fine, self.curves, fraction)
        known = place[~np.isnan(place)]
        if len(known) <= len(place) / 2:
            return np.full(len(levels), np.nan)
        t = self.shapes.t
        # Order statistics: a place and infinity cannot be interpolated.
        found = np.quantile(known, levels, method="inverted_cdf")
        return np.where(found < t[0], -np.inf, np.where(found > t[-1], np.inf, found))

    def jump_heights(self, levels: np.ndarray) -> np.ndarray:
        """Quantiles of the height of the jump over the draws that have one; NaN where none has."""
        heights = self.jump_height[~np.isnan(self.jump_place)]
        return np.quantile(heights, levels) if len(heights) else np.full(len(levels), np.nan)

    @property
    def course(self) -> str:
        """What the curve does on the ladder: 'rises', 'falls', 'rises, then falls' or 'falls, then rises'."""
        t, fine = self.shapes.t, self.shapes.fine
        curves = self.curves[:, (fine >= t[0] - 1e-9) & (fine <= t[-1] + 1e-9)]
        low, high = np.minimum.accumulate(curves, axis=1), np.maximum.accumulate(curves, axis=1)
        rise, fall = (curves - low).max(axis=1), (high - curves).max(axis=1)
        both = np.minimum(rise, fall) >= _MIN_TURN * np.maximum(rise, fall)
        if np.mean(both) < _MIN_DRAWS_THAT_TURN:
            return "rises" if np.median(rise - fall) >= 0 else "falls"
        rises_last = (curves - low).argmax(axis=1) > (high - curves).argmax(axis=1)
        return "falls, then rises" if np.mean(rises_last) > 0.5 else "rises, then falls"


def mean_curves(
    shapes: Shapes,
    means: np.ndarray,
    variance: np.ndarray,
    freedom: np.ndarray,
    scale: np.ndarray,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    jumps: bool | None = None,
) -> list[MeanCurve]:
    """Posterior draws of n curves.

    Args:
        means, variance, freedom, scale: as `model_comparison.compare` takes them.
        bounds: least and largest value of the metric.
        jumps: condition on a jump (True) or on none (False); None averages over both, with prior odds of 1.
    """
    comparison = compare(shapes, means, variance, freedom, scale)
    found = marginals(shapes, means, variance, freedom, scale)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((3, N_DRAWS))
    within = rng.permutation((np.arange(N_DRAWS) + 0.5) / N_DRAWS)
    precision = 1 / (np.maximum(variance, MIN_VARIANCE) + (MISFIT * np.ptp(means, axis=1)[:, None]) ** 2)
    return [
        _draw(shapes, found, comparison, i, means[i], precision[i], bounds, jumps, noise, within)
        for i in range(len(means))
    ]


def _draw(
    shapes: Shapes,
    found: Marginals,
    comparison: Comparison,
    curve: int,
    means: np.ndarray,
    precision: np.ndarray,
    bounds: tuple[float, float],
    jumps: bool | None,
    noise: np.ndarray,
    within: np.ndarray,
) -> MeanCurve:
    first, second, sign_first, sign_second, weight = _models(shapes, found, comparison, curve, jumps)
    reached = np.cumsum(np.exp(weight - weight.max()))
    # Systematic resampling: the number of draws of each model is its weight times N_DRAWS, to within one.
    model = np.searchsorted(reached / reached[-1], (np.arange(N_DRAWS) + 0.5) / N_DRAWS)
    model = np.minimum(model, len(reached) - 1)
    u, v = first[model], second[model]
    heights = _heights(found, curve, u, v, sign_first[model], sign_second[model], noise)
    rows, fine, place = _curves_of(shapes, u, v, within)
    heights = np.clip(heights, bounds[0] - bounds[1], bounds[1] - bounds[0])
    at_sizes = heights[:, :1] * rows[0] + heights[:, 1:] * rows[1]
    total = precision.sum()
    level = ((means - at_sizes) @ precision) / total + noise[2] / np.sqrt(total)
    curves = level[:, None] + heights[:, :1] * fine[0] + heights[:, 1:] * fine[1]
    which = np.where(_is_jump(shapes, v), 1, 0)
    height = np.where(np.isnan(place), 0.0, heights[np.arange(len(heights)), which])
    return MeanCurve(shapes, np.clip(curves, *bounds), place, height)


def _is_jump(shapes: Shapes, shape: np.ndarray) -> np.ndarray:
    start = len(shapes.combined)
    return (shape >= start) & (shape < start + len(shapes.jumps))


def _models(
    shapes: Shapes, found: Marginals, comparison: Comparison, curve: int, jumps: bool | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every model: indices of its two shapes (-1: none), signs of their heights, and its log weight."""
    n_smooth, n_jumps = len(shapes.combined), len(shapes.jumps)
    rises = bool(comparison.jumps_up[curve])
    smooth = list(SMOOTH_WEIGHTS.values())
    if not rises:
        smooth = [smooth[i] for i in (0, 2, 1, 5, 4, 3)]
    parts: list[tuple[np.ndarray, np.ndarray, int, int, np.ndarray]] = []

    def add(prior: np.ndarray, u: np.ndarray, v: np.ndarray, signs: tuple[int, int], log: np.ndarray) -> None:
        parts.append((u, v, signs[0], signs[1], log + np.log(prior)))

    if jumps is not True:
        singles = np.arange(n_smooth + n_jumps + 2, found.above.shape[1])
        none, alone = np.full(len(singles), -1), np.array([-1])
        add(np.full(1, smooth[0]), alone, alone, (1, 1), found.level[curve : curve + 1])
        add(smooth[1] * shapes.single_prior, singles, none, (1, 1), found.above[curve, singles])
        add(smooth[2] * shapes.single_prior, singles, none, (-1, 1), found.below[curve, singles])
        pairs = slice(0, found.smooth_pairs)
        u, v, prior = found.first[pairs], found.second[pairs], np.full(found.smooth_pairs, 1 / found.smooth_pairs)
        kinds = ((smooth[3], (1, 1)), (smooth[4] / 2, (1, -1)), (smooth[4] / 2, (-1, 1)), (smooth[5], (-1, -1)))
        for (weight, pair_signs), quadrant in zip(kinds, found.quadrants, strict=True):
            add(weight * prior, u, v, pair_signs, quadrant[curve, pairs])
    if jumps is not False:
        single, on_rise, on_fall = JUMP_WEIGHTS.values()
        at = np.arange(n_smooth, n_smooth + n_jumps)
        inside = np.flatnonzero(_is_jump(shapes, found.second))
        u, v = found.first[inside], found.second[inside]
        both, first_only, second_only, neither = (quadrant[curve, inside] for quadrant in found.quadrants)
        none, equal = np.full(n_jumps, -1), np.full(n_jumps, 1 / n_jumps)
        prior = shapes.combined_prior[u] / n_jumps
        down = float(np.exp(-LOG_ODDS_OF_UP))
        add(single * equal, at, none, (1, 1), found.above[curve, at])
        add(down * single * equal, at, none, (-1, 1), found.below[curve, at])
        add(on_rise * prior, u, v, (1, 1), both)
        add(on_fall * prior, u, v, (-1, 1), second_only)
        add(down * on_fall * prior, u, v, (1, -1), first_only)
        add(down * on_rise * prior, u, v, (-1, -1), neither)
    sizes = [len(log) for *_, log in parts]
    return (
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.repeat([part[2] for part in parts], sizes),
        np.repeat([part[3] for part in parts], sizes),
        np.concatenate([part[4] for part in parts]),
    )


def _heights(
    found: Marginals,
    curve: int,
    u: np.ndarray,
    v: np.ndarray,
    sign_u: np.ndarray,
    sign_v: np.ndarray,
    noise: np.ndarray,
) -> np.ndarray:
    """(D, 2) draws of both heights: normal, those of the wrong sign set to 0."""
    heights = np.zeros((len(u), 2))
    one, two = (u >= 0) & (v < 0), v >= 0
    heights[one, 0] = found.height[curve, u[one]] + found.height_sd[curve, u[one]] * noise[0, one]
    n_all = int(found.second.max()) + 1
    index = np.full((n_all, n_all), -1)
    index[found.first, found.second] = np.arange(len(found.first))
    pair = index[u[two], v[two]]
    r = found.pair_correlation[curve, pair]
    other = r * noise[0, two] + np.sqrt(np.maximum(0.0, 1 - r**2)) * noise[1, two]
    for column, deviation in enumerate((noise[0, two], other)):
        heights[two, column] = found.pair_heights[column, curve, pair] + found.pair_sds[column, curve, pair] * deviation
    signs = np.stack([sign_u, sign_v], axis=1)
    return np.asarray(signs * np.maximum(0.0, signs * heights))


def _curves_of(
    shapes: Shapes, u: np.ndarray, v: np.ndarray, within: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(2, D, K) and (2, D, T) both shapes of each draw, 0 for no shape; and (D,) the place of its jump."""
    n_smooth, n_jumps = len(shapes.combined), len(shapes.jumps)
    no_shape = np.zeros((1, len(shapes.t)))
    sizes = np.concatenate([shapes.of_combined, shapes.jumps, shapes.edge_jumps, shapes.of_single, no_shape])
    no_jump = np.zeros((n_jumps + 2, len(shapes.fine)))
    fine = np.concatenate([shapes.fine_combined, no_jump, shapes.fine_single, no_jump[:1]])
    rows = np.stack([sizes[u], sizes[v]])
    curves = np.stack([fine[u], fine[v]])
    place = np.full(len(u), np.nan)
    for which, shape in enumerate((u, v)):
        jumps = _is_jump(shapes, shape)
        low, high = (ends[shape[jumps] - n_smooth] for ends in (shapes.jump_low, shapes.jump_high))
        place[jumps] = low + (high - low) * within[jumps]
        curves[which, jumps] = shapes.fine > place[jumps, None]
    return rows, curves, place


def _crossing(fine: np.ndarray, curves: np.ndarray, fraction: float) -> np.ndarray:
    """(D,) where curves (D, T) last pass `fraction` of their largest rise; NaN where that is below `_MIN_RISE`."""
    row = np.arange(len(curves))
    low = np.minimum.accumulate(curves, axis=1)
    end = (curves - low).argmax(axis=1)
    start, top = low[row, end], curves[row, end]
    target = (start + fraction * (top - start))[:, None]
    below = (curves < target) & (np.arange(len(fine)) < end[:, None])
    last = len(fine) - 1 - below[:, ::-1].argmax(axis=1)
    after = np.minimum(last + 1, len(fine) - 1)
    step = np.maximum(curves[row, after] - curves[row, last], 1e-300)
    place = fine[last] + (target[:, 0] - curves[row, last]) / step * (fine[after] - fine[last])
    return np.where(top - start > _MIN_RISE * np.ptp(curves, axis=1), place, np.nan)
