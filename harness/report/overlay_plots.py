"""Several curves on one pair of axes: studies, experiments, parametrizations or data side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from harness.analysis.axis import Axis
from harness.analysis.emergence.find_jumps import find_jumps
from harness.analysis.emergence.metric_bounds import names_a_share
from harness.analysis.fitting.estimator import ScalingLaw
from harness.analysis.fitting.exponents import fit_exponents
from harness.analysis.fitting.laws import NO_LAW
from harness.errors import DataError
from harness.report.appearance import CLAIMS
from harness.report.axes import (
    GREY,
    LOOKS,
    MOST_CURVES,
    STYLE,
    labels_above,
    legend_above,
    log_value_axis,
    look,
    padded,
    size_axis,
    size_ticks,
    verbatim,
    wrapped,
)
from harness.report.measured import at_one_step, chosen_metric, means, measured, side_by_side
from harness.report.names import size_name
from harness.report.plots import value_axis, value_label
from harness.wording import confidence, estimate, interval

__all__ = ["plot_overlay"]

#: Sizes, of all curves together, up to which each has a tick of its own.
_MOST_TICKS = 9


@dataclass(frozen=True)
class _Drawn:
    """A curve and what is known of it: the law of a loss, and N* of what appears (columns of `find_jumps`)."""

    name: str
    runs: pd.DataFrame
    law: ScalingLaw | None
    jump: Mapping[str, Any] | None

    @property
    def label(self) -> str:
        parts = [verbatim(self.name)]
        if self.law is not None:
            alpha = estimate(self.law.params_["alpha"], *self.law.intervals_["alpha"])
            floor = f", floor {self.law.params_['E']:.3g}" if self.law.params_.get("E") else ""
            doubt = "" if self.law.status_ == "converged" else f", {self.law.status_}"
            parts.append(f"α {alpha}{floor}{doubt}")
        if self.jump is not None:
            ends = (self.jump[name] for name in ("threshold", "threshold_low", "threshold_high"))
            parts.append(f"N* {interval(*ends)}")
        return wrapped(": ".join(part for part in parts if part))


@rc_context(STYLE)
def plot_overlay(
    frame: pd.DataFrame | Mapping[str, pd.DataFrame],
    metric: str | None = None,
    x: str = "params_non_embedding",
    ax: Axes | None = None,
    *,
    by: str = "study",
    subtask: str = "all",
    level: float = 0.95,
    laws: Mapping[str, ScalingLaw] | None = None,
    jumps: pd.DataFrame | None = None,
) -> Axes:
    """A metric of several curves against size, on one pair of axes.

    Runs are faint points; their means at each size are filled markers, with Student's interval from three runs on. A
    loss is drawn on log axes with its fitted law and the law's band, and the legend gives its exponent α and, where the
    law has one, its floor; exponents of laws with and without a floor are not to be compared. Without a law that
    describes it, and for other metrics, a line joins the means. A star on the line marks N* of a curve that jumps or is
    a metric's artefact, with its interval as a bar. Along an x of which smaller is better the axis falls.

    Args:
        frame: as `harness.load` returns it, or a table with columns metric, value and `x`; or several such frames of
            a study each, as a dict of name -> frame, whose names then stand for the studies.
        metric: the loss, or the only metric that there is, unless named.
        x: column of sizes, > 0.
        ax: axes to draw on; a new figure of column width (3.4 in) unless given.
        by: column whose labels are the curves.
        subtask: of the task.
        level: of all intervals.
        laws: curve -> law fitted to it; fitted here unless given (a power law with or without a floor).
        jumps: as `find_jumps` returns it for these curves as studies; found here unless given.

    Raises:
        DataError: no such rows, a column that is missing or cannot be used, or more curves than can be told apart (18).

    Example:
        >>> runs = harness.datasets.make_text_study(random_state=0)
        >>> other = harness.datasets.make_text_study(random_state=1)
        >>> ax = harness.plots.overlay({"one seed": runs, "another": other}, "loss")
    """
    frame = side_by_side(frame) if isinstance(frame, Mapping) else frame
    metric = chosen_metric(frame, metric)
    rows = at_one_step(measured(frame, metric, (x,), by=by, subtask=subtask), x)
    if (n := rows["curve"].nunique()) > MOST_CURVES:
        raise DataError(f"{n} curves of {metric}: up to {MOST_CURVES} can be told apart in one picture; choose some")
    is_loss = bool(
        not rows["higher_is_better"].iloc[0] and not rows["discontinuous"].any() and (rows["value"] > 0).all()
    )
    if is_loss and laws is None:
        laws = _laws(rows, metric, x, level)
    if rows["discontinuous"].any() and jumps is None:
        jumps = _jumps(frame, by, x, level)
    placed = _placed(jumps, metric, subtask)
    curves = [
        _Drawn(str(name), part, (laws or {}).get(str(name)) if is_loss else None, placed.get(str(name)))
        for name, part in rows.groupby("curve", sort=False)
    ]
    explained = _explained(curves, level)
    ax, columns = labels_above(ax, [each.label for each in curves] + [str(each.get_label()) for each in explained], 2.3)
    _set_axes(ax, rows, x, metric, is_loss)
    is_share = (names_a_share(metric) or rows["discontinuous"].any()) and rows["value"].between(0, 1).all()
    handles = [_draw(ax, curve, i, x, level, bool(is_share)) for i, curve in enumerate(curves)]
    # Where colours return, the line style tells curves apart, and must show beside the marker.
    length = 1.6 if len(curves) <= len(LOOKS) else 3.2
    legend_above(ax, columns, left=-0.16, handles=[*handles, *explained], handlelength=length)
    return ax


def _laws(rows: pd.DataFrame, metric: str, x: str, level: float) -> dict[str, ScalingLaw]:
    """Curve -> its law, where one describes it."""
    named = rows.assign(study=rows["curve"], subtask="all")
    found = fit_exponents(named, (x,), metric, level=level)
    described = found.table[found.table["scatter"] <= NO_LAW]
    keys = described[["study", "task", "x"]].itertuples(index=False, name=None)
    return {str(study): found.fits[study, task, place] for study, task, place in keys}


def _jumps(frame: pd.DataFrame, by: str, x: str, level: float) -> pd.DataFrame:
    named = frame if by == "study" else frame.assign(study=frame[by].astype(str))
    return find_jumps(named, x, level=level)


def _placed(jumps: pd.DataFrame | None, metric: str, subtask: str) -> dict[str, dict[str, Any]]:
    """Curve -> the row of what jumps, or is a metric's artefact."""
    if jumps is None:
        return {}
    chosen = (jumps["metric"] == metric) & (jumps["subtask"].astype(str) == str(subtask))
    chosen &= jumps["verdict"].isin(CLAIMS) & np.isfinite(jumps["threshold"].astype(float))
    return {str(row["study"]): row for row in jumps[chosen].to_dict("records")}  # type: ignore[misc]


def _set_axes(ax: Axes, rows: pd.DataFrame, x: str, metric: str, is_loss: bool) -> None:
    if rows[x].nunique() <= _MOST_TICKS:
        size_axis(ax, rows[x], x)
    else:
        ax.set_xscale("log")
        size_ticks(ax.xaxis, *padded(rows[x], 0.04))
        ax.set_xlabel(verbatim(size_name(x)))
    if is_loss:
        ax.set_yscale("log")
        log_value_axis(ax, rows["value"])
    else:
        value_axis(ax, rows)
    ax.set_ylabel(value_label(metric, rows))
    if Axis.of(x).falls:
        ax.xaxis.set_inverted(True)


def _draw(ax: Axes, curve: _Drawn, i: int, x: str, level: float, is_share: bool) -> Line2D:
    """One curve; its entry in the legend."""
    colour, marker, dashes = look(i)
    runs = curve.runs
    faint: Any = {"color": colour, "alpha": 0.35, "markersize": 2.6, "markeredgewidth": 0, "zorder": 1.5}
    ax.plot(runs[x], runs["value"], "o", **faint)
    mean = means(runs, [x], level)
    low, high = (mean[name].clip(0, 1) if is_share else mean[name] for name in ("low", "high"))
    ax.vlines(mean[x], low, high, color=colour, linewidth=0.9, zorder=2)
    ax.plot(mean[x], mean["value"], marker, color=colour, markersize=3.6, zorder=3)
    if curve.law is not None:
        sizes = np.geomspace(runs[x].min(), runs[x].max(), 100)
        band = curve.law.predict(sizes, level=level)
        ax.plot(sizes, band["predicted"], color=colour, linestyle=dashes, zorder=2.5)
        ax.fill_between(sizes, band["low"], band["high"], color=colour, alpha=0.15, linewidth=0, zorder=1)
    else:
        ax.plot(mean[x], mean["value"], color=colour, linestyle=dashes, linewidth=1.0, zorder=2.5)
    if curve.jump is not None:
        _mark(ax, curve.jump, mean[x].to_numpy(float), mean["value"].to_numpy(float), colour)
    return Line2D([], [], color=colour, marker=marker, markersize=3.6, linestyle=dashes, label=curve.label)


def _mark(ax: Axes, jump: Mapping[str, Any], sizes: np.ndarray, values: np.ndarray, colour: str) -> None:
    """N* as a star on the line between the means, and its interval as a bar through it."""
    left, right = sorted(ax.get_xlim())
    at = float(jump["threshold"])
    if not left < at < right:
        return
    height = float(np.interp(np.log(at), np.log(sizes), values))
    ends = max(float(jump["threshold_low"]), left), min(float(jump["threshold_high"]), right)
    ax.plot(ends, [height, height], color=colour, linewidth=4, alpha=0.35, solid_capstyle="butt", zorder=3.5)
    ax.plot(at, height, "*", color=colour, markersize=9, markeredgecolor="white", markeredgewidth=0.6, zorder=4)


def _explained(curves: list[_Drawn], level: float) -> list[Line2D]:
    """Entries of the legend for what all curves share."""
    points = Line2D([], [], color=GREY, marker="o", markersize=2.6, alpha=0.5, linewidth=0, label="runs (seeds)")
    star = Line2D([], [], color=GREY, marker="*", markersize=8, linewidth=0, label=f"N*, {confidence(level)} interval")
    return [points, *([star] if any(curve.jump is not None for curve in curves) else [])]
