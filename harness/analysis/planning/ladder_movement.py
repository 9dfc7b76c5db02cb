"""One recipe: which scores move along its sizes by more than their noise, and stand above chance.

Checkpoints of one run answer alike; models of two sizes that guess do not, and differ by the noise of the test items
though neither knows anything. So the larger of the two noises judges, unless one is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

from harness.analysis.false_discovery import adjusted
from harness.analysis.planning.ladder_scores import KEY, LadderScores, NoiseSource, size_from
from harness.wording import count

#: Fewest sizes: two make a difference, not a movement along a ladder.
MIN_SIZES = 3


class Direction(StrEnum):
    """Where a score goes as models grow."""

    IMPROVES = "improves"
    WORSENS = "worsens"
    STAYS = "does not move"
    NO_NOISE = "noise not known"
    TOO_FEW_SIZES = "too few sizes"


@dataclass(frozen=True)
class Movement:
    """How the scores of one recipe move from size to size.

    Attributes:
        score: (S,) mean over runs at each size.
        noise, source: standard deviation of one run's score, pooled over sizes, and where it is from.
        over_noise: (S,) gain since the smallest size in standard deviations of a difference, better being positive.
        apart: (S,) whether that is more than chance, in the direction of the whole.
        gain: of a step from one size to the next, in the mean; better is positive.
        snr, low, high: that gain over the noise of one run, with its interval.
        rank_correlation: Kendall's tau of size and score, better being positive.
        p_value: two-sided, of a score that has no trend in ln size.
    """

    score: np.ndarray
    noise: float
    source: NoiseSource | None
    over_noise: np.ndarray
    apart: np.ndarray
    gain: float
    snr: float
    low: float
    high: float
    rank_correlation: float
    p_value: float

    def direction(self, p_adjusted: float, alpha: float) -> Direction:
        """What is to be said of it."""
        if len(self.score) < MIN_SIZES:
            return Direction.TOO_FEW_SIZES
        if np.isnan(p_adjusted):
            return Direction.NO_NOISE
        if p_adjusted > alpha:
            return Direction.STAYS
        return Direction.IMPROVES if self.gain > 0 else Direction.WORSENS


def movement(scores: LadderScores, level: float, alpha: float, items_too: bool = True) -> Movement:
    """Measure it.

    Args:
        scores: of one recipe.
        level: of the interval.
        alpha: error rate of `apart` at each size, one-sided.
        items_too: whether the noise of the test items judges where it is the larger.
    """
    runs, y = scores.n_runs[:, 0], scores.oriented[:, 0]
    variance, freedom, source = _pooled(scores, items_too)
    sd, t = float(np.sqrt(variance)), np.log(scores.sizes)
    gain = float((y[-1] - y[0]) / max(len(y) - 1, 1)) if len(y) > 1 else np.nan
    tau = float(stats.kendalltau(t, y).statistic) if len(y) > 1 else np.nan
    nothing = Movement(
        score=scores.score[:, 0],
        noise=sd,
        source=source,
        over_noise=np.full(len(y), np.nan),
        apart=np.zeros(len(y), dtype=bool),
        gain=gain,
        snr=np.nan,
        low=np.nan,
        high=np.nan,
        rank_correlation=tau,
        p_value=np.nan,
    )
    if len(y) < MIN_SIZES or not freedom > 0 or not variance > 0:
        return nothing
    weight = t - np.average(t, weights=runs)
    trend = float(np.sum(runs * weight * y) / np.sqrt(np.sum(runs * weight**2)) / sd)
    rise = (y - y[0]) / (sd * np.sqrt(1 / runs + 1 / runs[0]))
    rise[0] = 0.0
    steps, pair = len(y) - 1, float(np.sqrt(1 / runs[-1] + 1 / runs[0]))
    low, high = (end * pair / steps for end in _noncentral_interval(float(rise[-1]), freedom, level))
    return Movement(
        score=scores.score[:, 0],
        noise=sd,
        source=source,
        over_noise=rise,
        apart=rise * np.sign(gain) > special.stdtrit(freedom, 1 - alpha),
        gain=gain,
        snr=gain / sd,
        low=low,
        high=high,
        rank_correlation=tau,
        p_value=float(2 * special.stdtr(freedom, -abs(trend))),
    )


def screen_ladder(
    of_metrics: Sequence[LadderScores], x: str, alpha: float, level: float, items_too: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables `tasks` and `sizes` of a screening of one recipe; `items_too` as in `movement`."""
    found = [movement(scores, level, alpha, items_too) for scores in of_metrics]
    corrected = adjusted([each.p_value for each in found])
    tasks: list[dict[str, Any]] = []
    sizes: list[dict[str, Any]] = []
    for scores, moved, p in zip(of_metrics, found, corrected, strict=True):
        guessing = [scores.at_chance(i) for i in range(len(scores.sizes))]
        named = {name: getattr(scores, name) for name in KEY} | {"noise_source": moved.source or ""}
        direction = moved.direction(p, alpha)
        goes = direction in (Direction.IMPROVES, Direction.WORSENS)
        moves_from = size_from(scores.sizes, moved.apart) if goes else np.nan
        above = size_from(scores.sizes, [at is False for at in guessing])
        tasks.append(
            {
                **named,
                "n_sizes": len(scores.sizes),
                "score": float(moved.score[-1]),
                "chance": scores.chance,
                **{name: getattr(moved, name) for name in ("noise", "gain", "snr")},
                "snr_low": moved.low,
                "snr_high": moved.high,
                "rank_correlation": moved.rank_correlation,
                "p_value": moved.p_value,
                "p_adjusted": p,
                "moves_from": moves_from,
                "above_chance_from": above,
                "reading": str(direction),
                "verdict": f"{direction} from {count(moves_from)}" if np.isfinite(moves_from) else str(direction),
                "reason": _reason(scores, moved.score, guessing, above),
            }
        )
        for i, size in enumerate(scores.sizes.tolist()):
            known = {"score": float(moved.score[i]), "chance": scores.chance, "at_chance": guessing[i]}
            sizes.append(named | {x: size} | known | {"noise": moved.noise, "over_noise": float(moved.over_noise[i])})
    ordered = pd.DataFrame(tasks).sort_values("snr", ascending=False, kind="stable", ignore_index=True)
    return ordered, pd.DataFrame(sizes)


def _pooled(scores: LadderScores, items_too: bool) -> tuple[float, float, NoiseSource | None]:
    """Variance of one run's score over all sizes, its degrees of freedom, and where it is from."""
    known = scores.noise.freedom > 0
    items = float(scores.items.mean())
    if not known.any():
        return np.nan, 0.0, None
    variance, freedom = scores.noise.variance[known], scores.noise.freedom[known]
    weights = np.where(np.isinf(freedom), 1.0, freedom)
    pooled = float(np.average(variance, weights=weights))
    if items_too and items > pooled:
        return items, float("inf"), NoiseSource.ITEMS
    return pooled, float(freedom.sum()), scores.source


def _noncentral_interval(t: float, freedom: float, level: float) -> tuple[float, float]:
    """The standardised difference whose estimate is t, a noncentral t, in the normal approximation (Johnson and Welch
    1940, Biometrika 31): (t (1 - 1/4f) - difference) / sqrt(1 + t^2 / 2f) is standard normal."""
    half = float(special.ndtri((1 + level) / 2)) * np.sqrt(1 + t**2 / (2 * freedom))
    middle = t * (1 - 1 / (4 * freedom))
    return float(middle - half), float(middle + half)


def _reason(scores: LadderScores, score: np.ndarray, guessing: Sequence[bool | None], above: float) -> str:
    told = f"{score[0]:.3g} at {count(scores.sizes[0])}, {score[-1]:.3g} at {count(scores.sizes[-1])}"
    if guessing[-1]:
        return f"{told}; no better than chance at {'every' if all(guessing) else 'the largest'} size"
    if np.isfinite(above) and above > scores.sizes[0]:
        return f"{told}; above chance from {count(above)}"
    return told
