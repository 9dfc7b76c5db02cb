"""The mean curve averaged over models: where it has made a share of its rise, and whether it rises or falls.

Draws of the posterior: first a model with its shapes, by its weight, then level and heights given these. Each draw is a
curve on the ladder and `rise_shapes.BEYOND` it. Any functional of the curve is evaluated on every draw, and quantiles
over draws are credible intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from harness.analysis.emergence.marginals import MISFIT, Marginals
from harness.analysis.emergence.models import LOG_ODDS_OF_UP, Models
from harness.analysis.emergence.noise import MIN_VARIANCE

#: Posterior draws of a curve.
N_DRAWS = 400
#: Least rise, as a share of the range of the curve, that has a place of half rise: a curve that falls has none.
MIN_RISE = 0.1
#: A draw both rises and falls if the smaller of the two is at least this share of the larger; a curve does if this
#: share of its draws do.
MIN_TURN, MIN_DRAWS_THAT_TURN = 0.2, 0.9


@dataclass(frozen=True)
class DrawnCurves:
    """Posterior draws of a mean curve, D of them, on a grid of T places.

    Attributes:
        t: (K,) places of the sizes, in steps.
        fine: (T,) places of the grid.
        curves: (D, T) values.
        place: (D,) place of the jump, in steps; NaN for draws without one.
        jump_height: (D,) height of the jump, below 0 for a drop; 0 for draws without one.
    """

    t: np.ndarray
    fine: np.ndarray
    curves: np.ndarray
    place: np.ndarray
    jump_height: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """(T,) the mean over draws."""
        return np.asarray(self.curves.mean(axis=0))

    def crossings(self, fraction: float) -> np.ndarray:
        """(D,) places, in steps, where each draw has made `fraction` of its largest rise; NaN for draws that do not
        rise.

        The largest rise is that from any place to a later one, `rise_shapes.BEYOND` the ladder included. A draw does
        not rise where that is less than `MIN_RISE` of its range.
        """
        if fraction in self._crossings:
            return self._crossings[fraction]
        curves, row = self.curves, np.arange(len(self.curves))
        start, end = self._largest_rise
        bottom, top = curves[row, start], curves[row, end]
        target = (bottom + fraction * (top - bottom))[:, None]
        index = np.arange(len(self.fine))
        below = (curves < target) & (index < end[:, None]) & (index >= start[:, None])
        last = len(self.fine) - 1 - below[:, ::-1].argmax(axis=1)
        after = np.minimum(last + 1, len(self.fine) - 1)
        step = curves[row, after] - curves[row, last]
        step = np.where(step > 0, step, 1.0)
        place = self.fine[last] + (target[:, 0] - curves[row, last]) / step * (self.fine[after] - self.fine[last])
        rises = top - bottom > MIN_RISE * np.ptp(curves, axis=1)
        return self._crossings.setdefault(fraction, np.where(rises, place, np.nan))

    def crossing(self, fraction: float, levels: np.ndarray) -> np.ndarray:
        """Quantiles of `crossings`; -inf and inf stand for places before the first and past the last size.

        NaN where most draws do not rise.

        Args:
            levels: (L,) in [0, 1].
        """
        place = self.crossings(fraction)
        known = place[~np.isnan(place)]
        if len(known) <= len(place) / 2:
            return np.full(len(levels), np.nan)
        # Order statistics: a place and infinity cannot be interpolated.
        rank = np.ceil(np.asarray(levels) * len(known)).astype(int) - 1
        found = np.sort(known)[np.clip(rank, 0, len(known) - 1)]
        return np.where(found < self.t[0], -np.inf, np.where(found > self.t[-1], np.inf, found))

    def rise_widths(self, levels: np.ndarray) -> np.ndarray:
        """Quantiles of the steps that the largest rise takes from 10 to 90 % of its height.

        NaN where most draws do not rise, or have part of that rise off the ladder.
        """
        start, end = self.crossings(0.1), self.crossings(0.9)
        with np.errstate(invalid="ignore"):
            on_ladder = (start >= self.t[0]) & (end <= self.t[-1])
        if on_ladder.mean() <= 0.5:
            return np.full(len(levels), np.nan)
        return np.asarray(np.quantile((end - start)[on_ladder], levels))

    def heights(self, levels: np.ndarray) -> np.ndarray:
        """Quantiles of the height of the largest rise."""
        row = np.arange(len(self.curves))
        start, end = self._largest_rise
        return np.asarray(np.quantile(self.curves[row, end] - self.curves[row, start], levels))

    def jump_heights(self, levels: np.ndarray) -> np.ndarray:
        """Quantiles of the height of the jump over the draws that have one; NaN where none has."""
        heights = self.jump_height[~np.isnan(self.place)]
        return np.quantile(heights, levels) if len(heights) else np.full(len(levels), np.nan)

    @property
    def course(self) -> str:
        """What the curve does on the ladder: 'rises', 'falls', 'rises, then falls' or 'falls, then rises'."""
        curves = self.curves[:, (self.fine >= self.t[0] - 1e-9) & (self.fine <= self.t[-1] + 1e-9)]
        low, high = np.minimum.accumulate(curves, axis=1), np.maximum.accumulate(curves, axis=1)
        rise, fall = (curves - low).max(axis=1), (high - curves).max(axis=1)
        both = np.minimum(rise, fall) >= MIN_TURN * np.maximum(rise, fall)
        if np.mean(both) < MIN_DRAWS_THAT_TURN:
            return "rises" if np.median(rise - fall) >= 0 else "falls"
        rises_last = (curves - low).argmax(axis=1) > (high - curves).argmax(axis=1)
        return "falls, then rises" if np.mean(rises_last) > 0.5 else "rises, then falls"

    @cached_property
    def _crossings(self) -> dict[float, np.ndarray]:
        """What `crossings` has found, by fraction."""
        return {}

    @cached_property
    def _largest_rise(self) -> tuple[np.ndarray, np.ndarray]:
        """(D,) and (D,) indices of where each draw's largest rise begins and ends."""
        low = np.minimum.accumulate(self.curves, axis=1)
        end = (self.curves - low).argmax(axis=1)
        before = np.arange(len(self.fine)) <= end[:, None]
        at_bottom = before & (self.curves <= low[np.arange(len(low)), end][:, None])
        start = len(self.fine) - 1 - at_bottom[:, ::-1].argmax(axis=1)
        return start, end


@dataclass(frozen=True)
class MeanCurve:
    """Posterior of a mean curve: D draws of a model, its heights and its level. Compact, for tables of many curves.

    Attributes:
        models: of the ladder.
        first, second: (D,) shapes of each draw, -1 for none.
        heights: (D, 2) of the shapes.
        level: (D,) value at the first size.
        jump: (D,) its index, -1 for draws without one.
        bounds: least and largest value of the metric.
    """

    models: Models
    first: np.ndarray
    second: np.ndarray
    heights: np.ndarray
    level: np.ndarray
    jump: np.ndarray
    bounds: tuple[float, float]

    @property
    def place(self) -> np.ndarray:
        """(D,) place of the jump, in steps; NaN for draws without one."""
        shapes, (_, within) = self.models.shapes, _random_numbers()
        low, high = shapes.jump_low[self.jump], shapes.jump_high[self.jump]
        return np.where(self.jump >= 0, low + (high - low) * within, np.nan)

    def drawn(self) -> DrawnCurves:
        """The draws as curves."""
        shapes = self.models.shapes
        curves = self._values(shapes.fine, shapes.fine_stacked)
        return DrawnCurves(shapes.t, shapes.fine, curves, self.place, self._jump_height)

    def at(self, t: np.ndarray) -> np.ndarray:
        """(D, m) values of the draws at `t` (m,), in steps."""
        return self._values(t, self.models.shapes.smooth_at(t))

    def at_sizes(self) -> np.ndarray:
        """(K,) the mean over draws at the sizes of the ladder."""
        curves = self._sums(self.models.shapes.stacked_and_none)
        return np.asarray(np.clip(curves, *self.bounds).mean(axis=0))

    def _values(self, t: np.ndarray, smooth: np.ndarray) -> np.ndarray:
        """(D, m) values at `t` (m,), where the shapes have the values (S + 1, m) `smooth`, jumps 0."""
        curves = self._sums(smooth)
        curves += self._jump_height[:, None] * (t > np.nan_to_num(self.place, nan=np.inf)[:, None])
        return np.clip(curves, *self.bounds)

    def _sums(self, rows: np.ndarray) -> np.ndarray:
        """(D, m) levels and heights times the shapes of each draw, whose values are `rows` (S + 1, m)."""
        curves = self.level[:, None] + self.heights[:, :1] * rows[self.first]
        curves += self.heights[:, 1:] * rows[self.second]
        return np.asarray(curves)

    @property
    def _jump_height(self) -> np.ndarray:
        # A pair has its jump second; a jump alone is the only shape.
        of_jump = np.where(self.second >= 0, self.heights[:, 1], self.heights[:, 0])
        most = self.bounds[1] - self.bounds[0]
        return np.clip(np.where(np.isnan(self.place), 0.0, of_jump), -most, most)


def mean_curve(
    models: Models,
    found: Marginals,
    curve: int,
    means: np.ndarray,
    variance: np.ndarray,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    jumps: bool | None = None,
) -> MeanCurve:
    """Posterior draws of one curve.

    Args:
        found: marginal likelihoods of several curves, and `curve` the row of this one.
        means, variance: (K,) its means and their variances.
        bounds: least and largest value of the metric.
        jumps: condition on a jump (True) or on none (False); None averages over both, with prior odds of 1, and over
            jumps in the first and last gap.
    """
    weight = _weights(models, found.log[curve], jumps)
    reached = np.cumsum(weight)
    # Systematic resampling: the number of draws of each model is its weight times N_DRAWS, to within one.
    model = np.searchsorted(reached / reached[-1], (np.arange(N_DRAWS) + 0.5) / N_DRAWS)
    model = np.minimum(model, len(reached) - 1)
    first, second = models.first[model], models.second[model]
    noise, _ = _random_numbers()
    heights = _heights(models, found, curve, model, noise)
    stacked = models.shapes.stacked_and_none
    at_sizes = heights[:, :1] * stacked[first] + heights[:, 1:] * stacked[second]
    precision = 1 / (np.maximum(variance, MIN_VARIANCE) + (MISFIT * np.ptp(means)) ** 2)
    level = ((means - at_sizes) @ precision) / precision.sum() + noise[2] / np.sqrt(precision.sum())
    first, second, jump = (index.astype(np.int16) for index in (first, second, models.jump[model]))
    return MeanCurve(models, first, second, heights, level, jump, bounds)


@cache
def _random_numbers() -> tuple[np.ndarray, np.ndarray]:
    """The same for every curve: (3, D) normal numbers, and (D,) even ones in (0, 1) in random order."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((3, N_DRAWS)), rng.permutation((np.arange(N_DRAWS) + 0.5) / N_DRAWS)


def _weights(models: Models, log: np.ndarray, jumps: bool | None) -> np.ndarray:
    """(M,) posterior probabilities of the models, up to a factor."""
    down = float(np.exp(-LOG_ODDS_OF_UP))
    with_jump = models.jump_up + down * models.jump_down
    if jumps:
        prior = with_jump
    else:
        smooth = (models.smooth_up + down * models.smooth_down) / (1 + down)
        prior = smooth if jumps is False else smooth + with_jump / (1 + down)
        if jumps is None:
            prior = prior + (models.edge_up + down * models.edge_down) / (1 + down)
    top = log[prior > 0].max()
    return np.asarray(prior * np.exp(np.minimum(log - top, 0.0)))


def _heights(models: Models, found: Marginals, curve: int, model: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(D, 2) draws of both heights: normal, those of the wrong sign set to 0."""
    heights = np.zeros((len(model), 2))
    first, pair = models.first[model], models.pair[model]
    one, two = (first >= 0) & (pair < 0), pair >= 0
    location, scale = found.height(curve, first[one])
    heights[one, 0] = location + scale * noise[0, one]
    at = pair[two]
    both, scales, r = found.heights(curve, at, first[two], models.second[model[two]])
    other = r * noise[0, two] + np.sqrt(np.maximum(0.0, 1 - r**2)) * noise[1, two]
    for column, deviation in enumerate((noise[0, two], other)):
        heights[two, column] = both[column] + scales[column] * deviation
    signs = models.signs[model]
    return np.asarray(signs * np.maximum(0.0, signs * heights))
