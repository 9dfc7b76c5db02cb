"""Jumps within the training of single runs: whether a score leaps between checkpoints, run by run.

`find_jumps` along a column of steps compares seeds at each step, and asks whether their curve jumps; where every run
leaps at a step of its own, their mean does not. Here each run is judged by its own checkpoints, all of which count as
one run. No p value is given, for the checkpoints of one run are not independent: a run jumps by a rule, whose error
rates on planted training are measured (METHOD.md, section 10).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression
from scipy.special import expit

from harness.analysis.checks import check_between_0_and_1
from harness.analysis.curves import require_columns
from harness.analysis.fitting.laws.starts import amplitudes
from harness.errors import DataError

#: Least factor of training over which a smooth rise takes place, from 10 to 90 %.
SMOOTH_FACTOR = 4.0
#: Share of its rise by which a run must depart from the nearest smooth rise; rises of a factor of 2 do so by .14.
DEPARTS = 0.12
#: Share of its rise that must come within an octave of training, lest one that wanders be taken for a jump: a rise of a
#: factor of 4 has half of it there, one of 2.7 this much.
WITHIN_AN_OCTAVE = 0.65
#: Least rise, as a share of the way from chance to a perfect score; and in standard deviations of a checkpoint about
#: the fit.
LEAST_RISE, NOISES = 0.25, 5.0
#: Fewest checkpoints of a run.
LEAST_CHECKPOINTS = 8
#: Middles of smooth rises that are tried, as shares of ln training and half of it beyond either end; and their widths,
#: as multiples of the narrowest.
_PLACES, _WIDTHS = np.linspace(-0.5, 1.5, 61), np.array([1.0, 1.3, 1.7, 2.5, 4.0, 8.0])


def jumps_in_training(frame: pd.DataFrame, metric: str, x: str = "step", *, fraction: float = 0.5) -> pd.DataFrame:
    """Which runs jump within their training, and at which step.

    The checkpoints of each run are fitted by isotonic regression, rising, and by the nearest smooth rise: a logistic
    curve of ln x that takes a factor of `SMOOTH_FACTOR` or more from 10 to 90 % and stays within 0 and 1. A run jumps
    where the first rises by at least `LEAST_RISE` of the way from chance to 1 and by `NOISES` standard deviations of
    its checkpoints, departs from the second by more than `DEPARTS` of that rise somewhere, and `WITHIN_AN_OCTAVE` of it
    comes within a factor of two.

    Args:
        frame: as `harness.load(..., steps="all")` gives it, or one's own: columns x, metric, value and run_id; and
            where there are such study, task, subtask, chance.
        metric: a share, of which more is better.
        x: column of how far a run has trained, > 0.
        fraction: share of the rise at which the ability has come.

    Returns:
        A row per study, task, subtask and run, with those of these columns that there are: jumped; place, the x at
        which the rise crosses `fraction`, NaN where it is too small; departs, by which share of its rise the run
        departs from the nearest smooth one; within_octave, the largest share of it within a factor of two; first and
        last, the fit at the run's ends; noise, the standard deviation of a checkpoint about it; n_checkpoints.

    Raises:
        DataError: a column is missing, no rows of this metric, or a run with fewer than eight checkpoints.
        SettingError: a setting out of its range.
    """
    check_between_0_and_1(fraction=fraction)
    require_columns(frame, (x, "metric", "value", "run_id"))
    rows = frame[frame["metric"] == metric]
    if rows.empty:
        known = ", ".join(map(str, frame["metric"].unique()))
        raise DataError(f"no rows of metric {metric}; there are {known}")
    keys = [name for name in ("study", "task", "subtask", "run_id") if name in rows]
    found = []
    for names, run in rows.sort_values(x).groupby(keys, sort=False, observed=True):
        if len(run) < LEAST_CHECKPOINTS:
            what = f"run {names[-1]} has {len(run)} checkpoints of {metric}"
            raise DataError(f"{what}: at least {LEAST_CHECKPOINTS} are wanted (steps='all')")
        chance = run["chance"].iloc[0] if "chance" in run and pd.notna(run["chance"].iloc[0]) else 0.0
        judged = _judge(run[x].to_numpy(float), run["value"].to_numpy(float), float(chance), fraction)
        found.append(dict(zip(keys, names, strict=True)) | judged)
    return pd.DataFrame(found)


def _judge(x: np.ndarray, value: np.ndarray, chance: float, fraction: float) -> dict[str, Any]:
    """One run: x (n,) rising, value (n,)."""
    fit = isotonic_regression(value).x
    rise = fit[-1] - fit[0]
    noise = float(np.std(value - fit))
    enough = rise >= max(LEAST_RISE * (1 - chance), NOISES * noise)
    departs = float(np.abs(fit - _smooth(np.log(x), fit)).max() / rise) if rise > 0 else np.nan
    within = _most_within_an_octave(np.log2(x), fit) / rise if rise > 0 else np.nan
    place = float(np.exp(np.interp(fit[0] + fraction * rise, fit, np.log(x)))) if enough else np.nan
    return {
        "jumped": bool(enough and departs > DEPARTS and within >= WITHIN_AN_OCTAVE),
        "place": place,
        "departs": departs,
        "within_octave": within,
        "first": float(fit[0]),
        "last": float(fit[-1]),
        "noise": noise,
        "n_checkpoints": len(x),
    }


def _smooth(t: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """(n,) the smooth rise over t = ln x that is nearest to the fit (n,) by least squares."""
    narrowest = np.log(SMOOTH_FACTOR) / (2 * np.log(9))
    place, width = (each.ravel() for each in np.meshgrid(t[0] + _PLACES * (t[-1] - t[0]), narrowest * _WIDTHS))
    risen = expit((t - place[:, None]) / width[:, None])
    basis = np.stack([1 - risen, risen], axis=1)
    ends = np.clip(amplitudes(basis, fit, np.ones_like(fit), positive=False), 0.0, 1.0)
    curves = np.einsum("sk,skn->sn", ends, basis)
    return np.asarray(curves[np.argmin(((curves - fit) ** 2).sum(axis=1))])


def _most_within_an_octave(octaves: np.ndarray, fit: np.ndarray) -> float:
    """The largest rise between checkpoints no more than an octave apart: where they are further, nobody looked."""
    return float(np.max(fit - fit[np.searchsorted(octaves, octaves - 1 - 1e-9)]))
