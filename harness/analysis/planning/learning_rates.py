"""The best learning rate of each size, with its interval, and what the rate of the smallest costs the others.

Loss against ln(learning rate) is a parabola near its minimum. It is fitted by least squares to ln loss at the tried
rate of the lowest mean and its neighbours. Runs of one seed share their initialisation and data, so each seed has a
level of its own. The noise is what seeds and rates do not explain; of one run a rate, what the parabola does not. The
interval of the minimum is Fieller's (1954), of a ratio of two estimates: it is open where the
curvature is not certain. Losses rise faster beyond the best rate than below it, which moves the minimum of a parabola
by what seeds do not tell; the interval is longer at either end by what a curve of skew `SKEW`, or of what a cubic
through five rates shows where that is more, would move it (a bias-aware interval, Armstrong and Kolesár 2018). More
neighbours lessen the noise and add to that movement: as many
take part, up to a factor of `REACH` from the best, as make the interval shortest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from harness.analysis.checks import check_between_0_and_1
from harness.analysis.curves import label_runs, with_defaults
from harness.errors import DataError
from harness.records.columns import POSITIVE, number_column, require_columns

#: Rates beyond this factor of the best tried one have no part in the parabola, but for its nearest neighbours.
REACH = 5.0
#: Rates from which a minimum can lie between two others.
LEAST_RATES = 3
#: Third derivative of ln loss by ln rate, in units of the second, that the intervals allow for, or more where a cubic
#: shows more. A curve of skew 1 rises twice as much at 3 times the best rate as at a third of it.
SKEW = 2.0


class RateStatus(StrEnum):
    """Whether the best rate of a size lies among those tried."""

    INTERIOR = "interior"
    LOWEST = "at the lowest rate"
    HIGHEST = "at the highest rate"
    NO_MINIMUM = "no minimum"
    TOO_FEW = "too few rates"


@dataclass(frozen=True)
class BestRates:
    """The best learning rate of each size.

    Attributes:
        x, metric, rate: columns of sizes and rates, and the metric.
        level: of the intervals.
        table: a row a size, the smallest first: the size under the name of its column; tried (the tried rate of the
            lowest mean loss) and loss (that mean); best (rate at the parabola's minimum) with low and high; curvature
            (second derivative of ln loss by ln rate); status; cost (share by which the loss at the rate that is best
            for the smallest size, of those tried, exceeds `loss`) with cost_low and cost_high; n_rates, n_runs. Where
            the minimum is at an edge of the rates, best is the edge and its interval open towards it. Intervals are
            NaN where there is one run a rate.
    """

    x: str
    metric: str
    rate: str
    level: float
    table: pd.DataFrame

    @property
    def transferred(self) -> float:
        """The tried rate that is best for the smallest size."""
        return float(self.table["tried"].iloc[0])


def best_rates(
    frame: pd.DataFrame, x: str = "width", metric: str = "loss", *, rate: str = "lr", level: float = 0.95
) -> BestRates:
    """Find the best learning rate of each size, and what the best rate of the smallest costs.

    The cost compares runs of the same seeds, with Student's interval of their differences; because the best of several
    rates is partly the luckiest, it is a little too high.

    Args:
        frame: runs of one study and one duration at all their rates: `harness.load(..., runs="all")`.
        x: column of sizes, > 0.
        metric: a loss, > 0.
        rate: column of learning rates, > 0.
        level: of the intervals.

    Raises:
        DataError: a column is missing or holds what cannot be used; no such metric, or one of which more is better; or
            rows of several studies or durations.
        SettingError: a level out of range.
    """
    check_between_0_and_1(level=level)
    runs = _runs(frame, x, metric, rate)
    sizes = [(float(part[x].iloc[0]), part) for _, part in runs.groupby(x)]
    smallest = _best_tried(sizes[0][1], rate)
    rows = [{x: size} | _best(part, rate, level) | _cost(part, rate, smallest, level) for size, part in sizes]
    return BestRates(x, metric, rate, level, pd.DataFrame(rows))


def _runs(frame: pd.DataFrame, x: str, metric: str, rate: str) -> pd.DataFrame:
    """A row a run: x, rate, seed, and y, the logarithm of its loss."""
    require_columns(frame, (x, rate, "metric", "value"))
    rows = with_defaults(label_runs(frame[frame["metric"] == metric]))
    rows = rows[rows["subtask"] == "all"]
    if rows.empty:
        raise DataError(f"no {metric} of subtask all")
    if rows["higher_is_better"].any():
        raise DataError(f"{metric}: more is better; the best learning rate is that of a loss")
    for column in ("study", "task", "duration", "step"):
        if (
            column in rows
            and rows.groupby([x, rate] if column == "step" else lambda _: 0)[column].nunique().gt(1).any()
        ):
            raise DataError(f"rows of several values of {column}: choose those of one")
    columns = {name: number_column(rows, name, POSITIVE, empty=False) for name in (x, rate, "value")}
    rows = rows.assign(**columns, y=np.log(columns["value"]))
    rows["seed"] = (rows["seed"] if "seed" in rows else rows["run"]).astype(str)
    return rows.groupby([x, rate, "seed", "run"])["y"].mean().reset_index()


def _best_tried(part: pd.DataFrame, rate: str) -> float:
    means = part.groupby(rate)["y"].mean()
    return float(means.index.to_numpy(float)[means.argmin()])


def _best(part: pd.DataFrame, rate: str, level: float) -> dict[str, Any]:
    """The minimum of one size."""
    means = part.groupby(rate)["y"].mean()
    rates, at = means.index.to_numpy(float), int(np.argmin(means.to_numpy()))
    row: dict[str, Any] = {"tried": rates[at], "loss": float(np.exp(means.iloc[at])), "best": rates[at]}
    row |= {"low": np.nan, "high": np.nan, "curvature": np.nan, "n_rates": len(rates), "n_runs": len(part)}
    if len(rates) < LEAST_RATES:
        return row | {"status": RateStatus.TOO_FEW}
    if at == 0:
        return row | {"low": 0.0, "high": rates[1], "status": RateStatus.LOWEST}
    if at == len(rates) - 1:
        return row | {"low": rates[-2], "high": np.inf, "status": RateStatus.HIGHEST}
    windows = list(_near(part, rate, rates, at))
    noise = _noise(windows[-1], rate)
    skew = max(SKEW, _skew(part[part[rate].isin(rates[max(at - 2, 0) : at + 3])], rate, rates[at]))
    fits = [_minimum(np.log(near[rate] / rates[at]), near["y"], near["seed"], noise, skew, level) for near in windows]
    # Of those without an interval, all as long, the first has the nearest neighbours alone.
    fit = min(fits, key=lambda each: each.length)
    if not np.isfinite(fit.place):
        return row | {"status": RateStatus.NO_MINIMUM}
    ends = {"best": fit.place, "low": fit.low, "high": fit.high}
    row |= {name: float(rates[at] * np.exp(end)) for name, end in ends.items()}
    return row | {"curvature": fit.curvature, "status": RateStatus.INTERIOR}


def _skew(near: pd.DataFrame, rate: str, centre: float) -> float:
    """Third derivative of ln loss by ln rate over the second, at the minimum of a cubic; 0 where it cannot be told."""
    if near[rate].nunique() < LEAST_RATES + 1:
        return 0.0
    t = np.log(near[rate] / centre).to_numpy()
    levels = pd.get_dummies(near["seed"]).to_numpy(float)
    slope, bend, cubic = np.linalg.lstsq(np.column_stack([t, t**2, t**3, levels]), near["y"], rcond=None)[0][:3]
    # Where the slope vanishes and the curve bends up, the second derivative is this root.
    bent_squared = 4 * (bend**2 - 3 * slope * cubic)
    return float(abs(6 * cubic) / np.sqrt(bent_squared)) if bent_squared > 0 else 0.0


def _noise(near: pd.DataFrame, rate: str) -> tuple[float, int]:
    """Variance of ln loss from seed to seed, and its degrees of freedom: what rates and seeds do not explain.

    Where that is nothing, each rate having one run, it is what the parabola does not.
    """
    levels = pd.get_dummies(near["seed"]).to_numpy(float)
    t = np.log(near[rate])
    for explained in (pd.get_dummies(near[rate]).to_numpy(float), np.column_stack([t, t**2])):
        design = np.column_stack([explained, levels])
        solution, _, rank, _ = np.linalg.lstsq(design, near["y"], rcond=None)
        if freedom := len(near) - int(rank):
            return float(np.sum((near["y"] - design @ solution) ** 2)) / freedom, freedom
    return np.nan, 0


def _near(part: pd.DataFrame, rate: str, rates: np.ndarray, at: int) -> Iterator[pd.DataFrame]:
    """Runs at the best tried rate and more and more of its neighbours."""
    for n in range(1, len(rates)):
        near = rates[max(at - n, 0) : at + n + 1]
        near = near[(np.abs(np.log(near / rates[at])) <= np.log(REACH)) | (np.isin(near, rates[at - 1 : at + 2]))]
        yield part[part[rate].isin(near)]
        if len(near) < min(at + n + 1, len(rates)) - max(at - n, 0):
            return


@dataclass(frozen=True)
class _Minimum:
    """Of a parabola: its place, NaN where there is none, with its interval, and its second derivative."""

    place: float
    low: float
    high: float
    curvature: float

    @property
    def length(self) -> float:
        """Of the interval; inf where there is none or it is open, and of a parabola without a minimum."""
        length = self.high - self.low
        return length if np.isfinite(length) and np.isfinite(self.place) else np.inf


def _minimum(
    t: pd.Series, y: pd.Series, seed: pd.Series, noise: tuple[float, int], skew: float, level: float
) -> _Minimum:
    """The minimum of the parabola through runs; its interval is NaN where the noise is not known.

    Args:
        t, y, seed: (n,) of each run.
        noise: variance of y, and its degrees of freedom.
        skew: third derivative that the interval allows for, in units of the second.
    """
    levels = pd.get_dummies(seed).to_numpy(float)
    design = np.column_stack([t, t**2, levels])
    slope, bend = np.linalg.lstsq(design, y, rcond=None)[0][:2]
    place = -slope / (2 * bend) if bend > 0 else np.nan
    variance, freedom = noise
    if not t.min() <= place <= t.max():
        place = np.nan
    if freedom < 1 or np.isnan(place):
        return _Minimum(place, np.nan, np.nan, 2 * bend)
    cover = stdtrit(freedom, (1 + level) / 2) ** 2 * variance * np.linalg.pinv(design.T @ design)[:2, :2]
    # Where (slope + 2 bend t)^2 is within its own error: a quadratic in t, whose roots are the ends.
    square = 4 * (bend**2 - cover[1, 1])
    if square <= 0:
        return _Minimum(place, -np.inf, np.inf, 2 * bend)
    half = 2 * (slope * bend - cover[0, 1])
    root = np.sqrt(max(half**2 - square * (slope**2 - cover[0, 0]), 0.0))
    # At some places the cubic term moves nothing, but the next term does.
    moved = skew * max(_moved_by_skew(t - place, levels), _moved_by_skew(t, levels))
    return _Minimum(place, (-half - root) / square - moved, (-half + root) / square + moved, 2 * bend)


def _moved_by_skew(t: pd.Series, levels: np.ndarray) -> float:
    """How far a cubic term about the minimum, of skew 1, moves the minimum of the parabola.

    Args:
        t: (n,) of each run, from the minimum.
        levels: (n, seeds) whether each run is of each seed.
    """
    slope = np.linalg.lstsq(np.column_stack([t, t**2, levels]), t**3, rcond=None)[0][0]
    return float(abs(slope) / 6)


def _cost(part: pd.DataFrame, rate: str, transferred: float, level: float) -> dict[str, float]:
    """What the loss at a rate exceeds that at the best tried rate by, over the seeds that have both."""
    by_rate = part.pivot_table(index="seed", columns=rate, values="y")
    tried = _best_tried(part, rate)
    if transferred == tried or transferred not in by_rate:
        cost = 0.0 if transferred == tried else np.nan
        return {"cost": cost, "cost_low": np.nan, "cost_high": np.nan}
    differences = (by_rate[transferred] - by_rate[tried]).dropna().to_numpy()
    if not len(differences):  # seeds are not shared
        mean, half = float(by_rate[transferred].mean() - by_rate[tried].mean()), np.nan
    else:
        mean, n = float(differences.mean()), len(differences)
        half = stdtrit(n - 1, (1 + level) / 2) * differences.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    cost, low, high = np.expm1([mean, mean - half, mean + half])
    return {"cost": float(cost), "cost_low": float(low), "cost_high": float(high)}
