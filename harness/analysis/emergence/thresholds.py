"""N*: the size at which an ability appears, its onset and its half rise, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from harness.analysis.axis import Axis
from harness.analysis.checks import check_between_0_and_1
from harness.analysis.curves import assumed_meanings, label_runs, make_curves, require_columns
from harness.analysis.emergence.assessment import Assessed, assess
from harness.analysis.emergence.evidence import MIN_SIZES, Finding, n_sizes
from harness.analysis.emergence.mean_curve import DrawnCurves
from harness.analysis.emergence.verdicts import State

#: Share of its rise at which an ability sets in; what is published by eye is mostly this.
ONSET = 0.1


@dataclass(frozen=True)
class Threshold:
    """A size of one curve.

    Attributes:
        value: in the unit of x; NaN where there is none.
        low, high: interval; NaN where there is none, and inf or 0 where it is open. A place off the ladder has an
            interval, but no value.
        reason: '' or why there is no value.
    """

    value: float
    low: float
    high: float
    reason: str = ""

    @classmethod
    def absent(cls, reason: str) -> Threshold:
        """None, and why."""
        return cls(float("nan"), float("nan"), float("nan"), reason)


@dataclass(frozen=True)
class Places:
    """Where a curve that was assessed rises.

    Attributes:
        assessed: the curve.
        finding: what was found of it.
    """

    assessed: Assessed
    finding: Finding

    @cached_property
    def drawn(self) -> DrawnCurves:
        """Draws of its mean curve."""
        return self.finding.mean_curve.drawn()

    @property
    def absent(self) -> str:
        """Why nothing has a place, '' where it may have one: it is neither flagged nor above the noise."""
        return "no rise above the noise" if self.assessed.state is State.FLAT else ""

    def threshold(self, fraction: float, level: float) -> Threshold:
        """N*: the place of a jump, at least the gap it lies in; of other curves where the mean crosses `fraction`."""
        if not self.assessed.has_jump_place:
            return self.crossing(fraction, level)
        low, high = self.finding.compared.gap(0, level)
        middle = float(self.jump_quantiles(np.array([0.5]))[0])
        value, low, high = self.finding.x_at(np.array([min(max(middle, low), high), low, high])).tolist()
        return Threshold(value, low, high)

    def quantiles(self, fraction: float, levels: np.ndarray) -> np.ndarray:
        """(L,) posterior quantiles of N*, in the unit of x; 0 and inf off the ladder."""
        if self.assessed.has_jump_place:
            return self.finding.x_at(self.jump_quantiles(levels))
        return self.finding.x_at(self.drawn.crossing(fraction, levels))

    def jump_quantiles(self, levels: np.ndarray) -> np.ndarray:
        """(L,) posterior quantiles of the place of the jump, in steps; uniform in each interval that it may lie in."""
        shapes, weight = self.finding.compared.models.shapes, self.finding.compared.places(0)
        low, high = shapes.jump_low[: len(weight)], shapes.jump_high[: len(weight)]
        ends = np.unique(np.concatenate([low, high]))
        share = np.clip((ends[:, None] - low) / (high - low), 0.0, 1.0)
        return np.asarray(np.interp(levels, share @ weight, ends))

    def crossing(self, fraction: float, level: float) -> Threshold:
        """Where the mean, averaged over models, has made `fraction` of its largest rise."""
        if self.absent:
            return Threshold.absent(self.absent)
        t = self.drawn.crossing(fraction, np.array([0.5, (1 - level) / 2, (1 + level) / 2]))
        if np.isnan(t[0]):
            return Threshold.absent("the curve falls" if self.drawn.course == "falls" else "no rise above the noise")
        value, low, high = self.finding.x_at(t).tolist()
        if value == 0:
            return Threshold(float("nan"), low, high, "above the threshold at the first size")
        if value == np.inf:
            return Threshold(float("nan"), low, high, "not reached on the ladder")
        return Threshold(value, low, high)


def places_of(assessed: Assessed) -> Places | Threshold:
    """Where a curve rises; an absent threshold, with its reason, where that cannot be asked."""
    if assessed.finding is None:
        few = n_sizes(assessed.curve) < MIN_SIZES
        return Threshold.absent(f"fewer than {MIN_SIZES} sizes" if few else "all values are equal")
    return Places(assessed, assessed.finding)


def thresholds(
    frame: pd.DataFrame,
    x: str = "params_non_embedding",
    fraction: float = 0.5,
    level: float = 0.95,
    onset: float = ONSET,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """N* of every curve of a frame, its onset and its half rise (the frame is as `find_jumps` takes it).

    N* is the place of the jump where a curve jumps (an adjusted p value below `alpha` and a Bayes factor for a jump, as
    `find_jumps` has them), with an interval that is at least the gap between two sizes that it lies in. Of any other
    curve it is where the mean, averaged over models with a jump and without (`mean_curve`), crosses `fraction` of its
    largest rise. Measured coverage: experiments/detector_calibration.

    Args:
        x: column of sizes, as `find_jumps` takes it.
        fraction: share of the rise at which an ability that does not jump is said to have appeared.
        level: of the intervals.
        onset: share of the rise at which an ability is said to set in.
        alpha: false discovery rate of jumps.

    Returns:
        A row per study, task, subtask and metric: threshold, onset and half_rise, each with _low and _high, in the unit
        of x (0 and inf where an end is open), and reason where there is no threshold; ``attrs["assumed"]`` as
        `find_jumps` has it.

    Raises:
        DataError: a column is missing or holds what cannot be used.
        SettingError: a setting out of its range.
    """
    check_between_0_and_1(fraction=fraction, level=level, onset=onset, alpha=alpha)
    require_columns(frame, (x, "metric", "value"))
    axis = Axis.of(x)
    curves = list(make_curves(label_runs(axis.with_rising(frame)), axis.rising))
    rows = []
    for curve, assessed in zip(curves, assess(curves, alpha), strict=True):
        about = {"study": curve.study, "task": curve.task, "subtask": curve.subtask, "metric": curve.metric}
        rows.append({**about, **threshold_columns(places_of(assessed), fraction, level, onset)})
    placed = axis.turned_rows(pd.DataFrame(rows))
    placed.attrs["assumed"] = assumed_meanings(frame)
    return placed


def threshold_columns(
    places: Places | Threshold, fraction: float, level: float, onset: float
) -> dict[str, float | str]:
    """The columns of `thresholds` of one curve."""
    if isinstance(places, Threshold):
        of_threshold = of_onset = of_half_rise = places
    else:
        of_threshold = places.threshold(fraction, level)
        of_onset, of_half_rise = places.crossing(onset, level), places.crossing(0.5, level)
    columns: dict[str, float | str] = {}
    for name, where in (("threshold", of_threshold), ("onset", of_onset), ("half_rise", of_half_rise)):
        columns.update({name: where.value, f"{name}_low": where.low, f"{name}_high": where.high})
    columns["reason"] = of_threshold.reason
    return columns
