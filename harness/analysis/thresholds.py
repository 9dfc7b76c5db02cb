"""N*: the size at which an ability appears, with an interval, and the comparison of N* across tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from harness.analysis.curves import Curve, make_curves, require_columns, select_runs
from harness.analysis.rises import normalise
from harness.errors import SettingError


@dataclass(frozen=True)
class Threshold:
    """N* of one curve.

    Attributes:
        value: in the unit of x; NaN where there is none.
        low, high: interval; NaN where there is none, and inf or 0 where it is open.
        reason: '' or why there is no value.
    """

    value: float
    low: float
    high: float
    reason: str = ""


#: Shares of the rise in one gap up to which its crossing is interpolated, and from which it may lie anywhere in it.
GRADUAL, LEAP = 0.4, 0.75

_ABSENT = (float("nan"),) * 3


def threshold_of(
    curve: Curve, fraction: float = 0.5, level: float = 0.95, n_bootstrap: int = 1000, seed: int = 0
) -> Threshold:
    """The x at which the mean over runs crosses `fraction` of the way from floor to ceiling, interpolated in ln x.

    Floor and ceiling are the worst and best runs on the ladder (`rises.normalise`), and the floor is chance where the
    curve knows it and the metric rises. Rung means are made monotone first. The interval is a percentile bootstrap
    over runs, k - 1 of the k runs of each rung (so that the variance is unbiased; Rao and Wu 1988). A crossing that
    the ladder cannot place is drawn evenly from its gap, the more so the more of the rise falls into that gap: when
    all runs leap in one gap, the interval is that gap. Measured coverage of 95 % intervals: .95 to 1, but .90 for
    smooth rises whose runs spread widely with three runs a rung, and .93 where a seed keeps its place over all sizes
    (experiments/calibration).
    """
    draws, point = _crossings(curve, fraction, level, n_bootstrap, seed)
    if np.isnan(point):
        first = _rung_scores(curve)[0]
        reason = "above the threshold at the first rung" if first >= fraction else "not reached on the ladder"
        return Threshold(*_ABSENT, reason)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return Threshold(float(np.exp(point)), float(np.exp(min(low, point))), float(np.exp(max(high, point))))


def _scores(curve: Curve) -> np.ndarray:
    """(n,) runs from 0 at the floor to 1 at the ceiling."""
    scores = curve.oriented
    if np.isfinite(curve.chance):
        chance = curve.chance if curve.higher_is_better else -curve.chance
        best = np.sort(scores)[-max(1, round(float(np.median(curve.runs.counts)) / 4)) :].mean()
        if best > chance:
            return (scores - chance) / (best - chance)
    return normalise(scores, curve.runs.counts)


def _rung_scores(curve: Curve) -> np.ndarray:
    return _monotone(curve.runs.means(_scores(curve)))


def _crossings(curve: Curve, fraction: float, level: float, n_draws: int, seed: int) -> tuple[np.ndarray, float]:
    """(n_draws,) ln N* of resampled runs, -inf or inf where off the ladder, and that of the data (NaN there)."""
    rng = np.random.default_rng(seed)
    scores, t = _scores(curve), np.log(curve.runs.sizes)
    means = np.empty((n_draws, len(t)))
    for rung in range(len(t)):
        here = scores[curve.runs.rung == rung]
        means[:, rung] = here[rng.integers(len(here), size=(n_draws, max(1, len(here) - 1)))].mean(axis=1)
    place, share, middle, gap = _cross(_monotone(means), t, fraction)
    # Of a leap, interpolation says nothing: its place is then anywhere in the gap, even at the level of the interval.
    leap = np.clip((share - GRADUAL) / (LEAP - GRADUAL), 0.0, 1.0)
    centre = (1 - leap) * np.nan_to_num(place) + leap * middle
    draws = centre + np.maximum(share, leap) * gap * (rng.random(n_draws) - 0.5) / level
    point = float(_cross(_rung_scores(curve)[None], t, fraction)[0][0])
    return np.where(np.isfinite(place), draws, place), point if np.isfinite(point) else float("nan")


def _cross(means: np.ndarray, t: np.ndarray, fraction: float) -> tuple[np.ndarray, ...]:
    """Crossing of rising means (b, R), interpolated (-inf, inf: off the ladder); the share of the rise in its gap; that
    gap's middle and length; each (b,)."""
    above = means >= fraction
    never, already = ~above[:, -1], above[:, 0]
    after = np.clip(np.argmax(above, axis=1), 1, len(t) - 1)
    rows = np.arange(len(means))
    low, high = means[rows, after - 1], means[rows, after]
    gap = t[after] - t[after - 1]
    place = t[after - 1] + gap * (fraction - low) / np.where(high > low, high - low, 1.0)
    share = (high - low) / np.maximum(means[:, -1] - means[:, 0], 1e-12)
    return np.where(never, np.inf, np.where(already, -np.inf, place)), share, t[after] - gap / 2, gap


def _monotone(means: np.ndarray) -> np.ndarray:
    """The closest rising sequence (isotonic regression) of each row, by its min-max form; shape kept."""
    n = means.shape[-1]
    total = np.concatenate([np.zeros((*means.shape[:-1], 1)), np.cumsum(means, axis=-1)], axis=-1)
    start, stop = np.arange(n)[:, None], np.arange(1, n + 1)
    block = (total[..., None, 1:] - total[..., :-1, None]) / np.maximum(stop - start, 1)
    block = np.where(stop > start, block, np.inf)
    smallest_after = np.minimum.accumulate(block[..., ::-1], axis=-1)[..., ::-1]
    return np.max(np.where(stop > start, smallest_after, -np.inf), axis=-2)


def thresholds(
    frame: pd.DataFrame,
    x: str = "params_non_embedding",
    fraction: float = 0.5,
    level: float = 0.95,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """N* of every curve of a frame (see `threshold_of`).

    Returns:
        A row per study, task, subtask and metric: threshold, threshold_low, threshold_high in the unit of x, and reason
        where there is no threshold.
    """
    if not 0 < fraction < 1:
        raise SettingError("fraction", fraction, "a number between 0 and 1")
    require_columns(frame, (x, "metric", "value"))
    rows = []
    for curve in make_curves(select_runs(frame), x):
        found = threshold_of(curve, fraction, level, n_bootstrap, seed)
        about = {"study": curve.study, "task": curve.task, "subtask": curve.subtask, "metric": curve.metric}
        interval = {"threshold": found.value, "threshold_low": found.low, "threshold_high": found.high}
        rows.append(about | interval | {"reason": found.reason})
    return pd.DataFrame(rows)


def compare_thresholds(jumps: pd.DataFrame) -> pd.DataFrame:
    """Thresholds across tasks, smallest first.

    Args:
        jumps: what `find_jumps` or `thresholds` returned; rows without a threshold are left out.

    Returns:
        The rows sorted by threshold, with rank (from 1), overlaps_previous (whether the interval meets that of the row
        before), and p_after_previous (probability that N* is larger than that of the row before, taking each ln N* as
        normal with its interval as the 95 % one).
    """
    require_columns(jumps, ("threshold", "threshold_low", "threshold_high"))
    table = jumps[np.isfinite(jumps["threshold"])].sort_values("threshold", kind="stable").reset_index(drop=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    low, high = (table[f"threshold_{end}"].to_numpy(float) for end in ("low", "high"))
    table["overlaps_previous"] = np.concatenate([[False], low[1:] <= high[:-1]]) if len(table) else False
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = ((np.log(high) - np.log(low)) / (2 * norm.ppf(0.975))) ** 2
        difference = np.diff(np.log(table["threshold"].to_numpy(float)))
        after = norm.cdf(difference / np.sqrt(variance[1:] + variance[:-1]))
    table["p_after_previous"] = np.concatenate([[np.nan], after]) if len(table) else np.nan
    return table
