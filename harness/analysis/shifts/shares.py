"""Accuracies of the same runs on two evaluation sets, as they can be drawn on probit or logit axes.

A share of k right answers of n counts as (k + 1/2) / (n + 1), so that all or none right have a place on the axis.
A run says only that it is beyond the axis where on either set all is right (the ceiling), or it is at the floor: its
Clopper-Pearson interval on the own set does not lie above chance, or its share on the shifted set does not. Such runs
are set apart and counted. The shifted set has the laxer rule because it is y: to leave out what is low there by luck
would tilt a line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv, expit, logit, ndtr, ndtri

from harness.analysis.curves import label_runs, with_defaults
from harness.errors import DataError, SettingError, nearest
from harness.records.columns import FINITE, number_column, require_columns


@dataclass(frozen=True)
class Link:
    """A scale on which shares are straightened.

    Attributes:
        name: probit or logit.
        of: share -> place.
        share: place -> share.
        slope: (n,) derivative of `of` at shares (n,).
    """

    name: str
    of: Callable[[np.ndarray], np.ndarray]
    share: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


def _probit_slope(share: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(2 * np.pi) * np.exp(ndtri(share) ** 2 / 2))


LINKS = {
    "probit": Link("probit", ndtri, ndtr, _probit_slope),
    "logit": Link("logit", logit, expit, lambda share: 1 / (share * (1 - share))),
}


def link_of(name: str) -> Link:
    """The link of this name.

    Raises:
        SettingError: there is none.
    """
    if name not in LINKS:
        raise SettingError("link", name, " or ".join(LINKS))
    return LINKS[name]


def shifts_in(frame: pd.DataFrame, own: str) -> list[str]:
    """The splits of a frame beside its own and "train", in order of appearance.

    Raises:
        DataError: no column split, or no row of the own split.
    """
    require_columns(frame, ("split",))
    known = list(dict.fromkeys(frame["split"].astype(str)))
    if own not in known:
        raise DataError(f"no split {own}{nearest(own, known)}; there are {', '.join(known) or 'none'}")
    return [name for name in known if name not in (own, "train")]


def share_metric(frame: pd.DataFrame, metric: str | None) -> str:
    """The metric asked for; else the first that is discontinuous, such as accuracy.

    Raises:
        DataError: there is none, or not of this name.
    """
    filled = with_defaults(frame)
    known = list(dict.fromkeys(filled["metric"].astype(str)))
    if metric is None:
        first = filled.loc[filled["discontinuous"], "metric"].astype(str)
        if first.empty:
            raise DataError(f"metric: one must be named, a share of right answers; there are {', '.join(known)}")
        return str(first.iloc[0])
    if metric not in known:
        raise DataError(f"metric '{metric}' is not there{nearest(metric, known) or '; there are ' + ', '.join(known)}")
    return metric


def paired_shares(
    frame: pd.DataFrame, shift: str, metric: str, own: str, subtask: str, link: Link, level: float
) -> pd.DataFrame:
    """A row a run that was measured on both sets, with its place on the axes of the link.

    Args:
        frame: measurements with a column split, as `AccuracyLine.fit` takes it.

    Returns:
        The frame's columns of the own set's row, and `run`; `own` and `shifted` (shares), `x` and `y` (on the link),
        `x_variance` and `y_variance` (of evaluation, on the link, 0 where not known), and `beyond`: "ceiling",
        "floor" or "".

    Raises:
        DataError: a run with two rows on a set, a value that is no share, or no run on both.
    """
    rows = frame[(frame["metric"] == metric) & frame["split"].isin([own, shift])]
    if "subtask" in rows:
        rows = rows[rows["subtask"].astype(str) == subtask]
    rows = with_defaults(label_runs(rows))
    rows = rows.assign(value=number_column(rows, "value", FINITE, empty=False))
    keys = [name for name in ("study", "run", "step") if name in rows]
    sides = {name: part.set_index(keys) for name, part in rows.groupby("split")}
    if not {own, shift} <= set(sides) or not (both := sides[own].index.intersection(sides[shift].index)).size:
        raise DataError(f"no run was measured by {metric} of subtask {subtask} on both {own} and {shift}")
    for name, side in sides.items():
        if side.index.has_duplicates:
            twice = ", ".join(str(side.loc[side.index.duplicated()].reset_index()[key].iloc[0]) for key in keys)
            raise DataError(f"{metric} on {name!s}: two rows of one run ({twice})")
    at_own, at_shift = (sides[name].loc[both].reset_index() for name in (own, shift))
    x = _placed(at_own, link, level, f"{metric} on {own}")
    y = _placed(at_shift, link, None, f"{metric} on {shift}")
    beyond = np.where((x.beyond == "ceiling") | (y.beyond == "ceiling"), "ceiling", "")
    beyond = np.where((x.beyond == "floor") | (y.beyond == "floor"), "floor", beyond)
    runs = at_own.assign(own=at_own["value"], shifted=at_shift["value"], beyond=beyond)
    return runs.assign(x=x.place, y=y.place, x_variance=x.variance, y_variance=y.variance)


@dataclass(frozen=True)
class _Placed:
    """Shares on a link: (n,) places, variances of evaluation, and '' or what they are beyond."""

    place: np.ndarray
    variance: np.ndarray
    beyond: np.ndarray


def _placed(side: pd.DataFrame, link: Link, level: float | None, what: str) -> _Placed:
    """Shares on a link.

    Args:
        level: of the interval that must lie above chance; None where the share itself must.
    """
    share, n = side["value"].to_numpy(float), side["n_eval"].to_numpy(float)
    if share.min() < 0 or share.max() > 1:
        found = share[(share < 0) | (share > 1)][0]
        raise DataError(f"{what}: {found:.4g} is no share of right answers, which lies from 0 to 1", column="value")
    counted = np.isfinite(n)
    adjusted = np.where(counted, (share * n + 0.5) / (n + 1), share)
    with np.errstate(divide="ignore"):
        variance = np.where(counted, adjusted * (1 - adjusted) / n, 0.0)
    if "stderr" in side and not side["discontinuous"].all():
        # A mean over several answers of an example errs by less than as many examples right or wrong would.
        error = side["stderr"].to_numpy(float)
        variance = np.where(error > 0, np.minimum(error**2, variance), variance)
    chance = side["chance"].fillna(0).to_numpy(float)
    floor = (np.where(counted, lower_limit(share, n, level), share) if level else share) <= chance
    beyond = np.where(floor, "floor", np.where(share >= 1, "ceiling", ""))
    with np.errstate(all="ignore"):
        place, slope = link.of(adjusted), link.slope(adjusted)
        return _Placed(place, np.nan_to_num(variance * slope**2), beyond)


def lower_limit(share: np.ndarray, n: np.ndarray, level: float) -> np.ndarray:
    """(m,) lower end of the interval of Clopper and Pearson (1934) of shares (m,) of n (m,) items."""
    right = share * n
    with np.errstate(invalid="ignore"):
        low = betaincinv(np.maximum(right, 1e-12), n - right + 1, (1 - level) / 2)
    return np.where(right > 0, low, 0.0)
