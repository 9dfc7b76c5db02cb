"""N*: the size at which an ability appears, with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.checks import check_between_0_and_1
from harness.analysis.curves import Curve, assumed_meanings, label_runs, make_curves, require_columns
from harness.analysis.emergence.evidence import MIN_SIZES, Finding, examine


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

    @classmethod
    def absent(cls, reason: str) -> Threshold:
        """None, and why."""
        return cls(float("nan"), float("nan"), float("nan"), reason)


def threshold_of(curve: Curve, finding: Finding | None, fraction: float = 0.5, level: float = 0.95) -> Threshold:
    """The x at which the mean over runs reaches `fraction` of its rise: the posterior's median and central interval.

    The posterior is over logistic rises of every place, width and height (`rise_posterior`). Where all of a rise falls
    between two sizes the interval is most of that gap, whatever the noise. There is no threshold where a level explains
    the means and a jump is less likely than none. Measured coverage: experiments/detector_calibration.

    Args:
        curve: with its runs.
        finding: what was found of it; None where it could not be examined.
        fraction: share of the rise.
        level: of the interval.
    """
    if finding is None:
        few = len(curve.runs.sizes) < MIN_SIZES
        return Threshold.absent(f"fewer than {MIN_SIZES} sizes" if few else "all values are equal")
    low, middle, high = finding.place(fraction, ((1 - level) / 2, 0.5, (1 + level) / 2))
    if finding.test.flat and not finding.log_odds > 0:
        return Threshold.absent("no rise above the noise")
    if middle == 0:
        return Threshold.absent("above the threshold at the first size")
    if np.isinf(middle):
        return Threshold.absent("not reached on the ladder")
    return Threshold(float(middle), float(low), float(high))


def thresholds(
    frame: pd.DataFrame, x: str = "params_non_embedding", fraction: float = 0.5, level: float = 0.95
) -> pd.DataFrame:
    """N* of every curve of a frame (see `threshold_of`; the frame is as `find_jumps` takes it).

    Args:
        x: column of sizes.
        fraction: share of the rise at which an ability is said to have appeared.
        level: of the intervals.

    Returns:
        A row per study, task, subtask and metric: threshold, threshold_low, threshold_high in the unit of x, and reason
        where there is no threshold; ``attrs["assumed"]`` as `find_jumps` has it.

    Raises:
        DataError: a column is missing or holds what cannot be used.
        SettingError: a setting out of its range.
    """
    check_between_0_and_1(fraction=fraction, level=level)
    require_columns(frame, (x, "metric", "value"))
    curves = list(make_curves(label_runs(frame), x))
    rows = []
    for curve, finding in zip(curves, examine(curves), strict=True):
        found = threshold_of(curve, finding, fraction, level)
        about = {"study": curve.study, "task": curve.task, "subtask": curve.subtask, "metric": curve.metric}
        interval = {"threshold": found.value, "threshold_low": found.low, "threshold_high": found.high}
        rows.append(about | interval | {"reason": found.reason})
    placed_curves = pd.DataFrame(rows)
    placed_curves.attrs["assumed"] = assumed_meanings(frame)
    return placed_curves
