"""Accuracy under a shift against accuracy on the own evaluation set, on probit or logit axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from harness.analysis.checks import check_fitted
from harness.analysis.shifts.accuracy_line import AccuracyLine
from harness.analysis.shifts.shares import link_of
from harness.report.axes import BLACK, GREY, MOST_CURVES, STYLE, labels_above, legend_above, look, shades, verbatim
from harness.report.names import metric_name, size_name
from harness.wording import short

#: Shares at which an axis may have ticks, those that are rather to be had first.
_TICKS = (
    *(0.5, 0.9, 0.1, 0.7, 0.3, 0.8, 0.2, 0.6, 0.4, 0.95, 0.05, 0.98, 0.02, 0.99, 0.01, 0.995, 0.005, 0.999, 0.001),
    *(0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25, 0.15, 0.97, 0.96, 0.94, 0.93, 0.92, 0.91, 0.03, 0.04, 0.06, 0.08),
)
#: Least distance of two labels, as a share of the axis.
_APART = 0.13
_ROOM = 0.06
_POINT: Any = {"linestyle": "none", "markersize": 3.6}


@rc_context(STYLE)
def plot_accuracy_line(line: AccuracyLine, ax: Axes | None = None, *, size: str | None = None) -> Axes:
    """A point a run, the fitted line, and the diagonal on which the shift would cost nothing, where it is near.

    Of several studies each has a colour and a marker of its own; the runs of one are shaded by `size`. Runs at the
    ceiling or at the floor, through which the line does not go, are open circles.

    Args:
        line: fitted.
        size: column of `line.runs_` by which the runs of a single study are shaded, dark to light.

    Raises:
        UserError: the line is not fitted.

    Example:
        >>> own = harness.datasets.make_parity_study(random_state=0).assign(split="eval")
        >>> noisy = own.assign(split="noisy", value=0.9 * own["value"] + 0.03)
        >>> line = harness.AccuracyLine("accuracy", subtask="threshold at rung 4").fit(pd.concat([own, noisy]), "noisy")
        >>> ax = harness.plots.on_the_line(line, size="params_non_embedding")
    """
    check_fitted(line, "slope_")
    runs, link = line.runs_, link_of(line.link)
    runs = runs[np.isfinite(runs["x"]) & np.isfinite(runs["y"])]
    inside = runs[runs["beyond"] == ""]
    straight = Line2D([], [], color=BLACK, label=_slope(line))
    diagonal = Line2D([], [], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), label="no loss")
    x, y = _padded(runs["x"].to_numpy()), _padded(runs["y"].to_numpy())
    meets = max(x[0], y[0]) < min(x[1], y[1])
    points = _groups(inside, size)
    apart = [Line2D([], [], **_open(), label="at the ceiling or floor")] if len(inside) < len(runs) else []
    named = [point for _, point in points if not str(point.get_label()).startswith("_")]
    handles: list[Artist] = [straight, *([diagonal] if meets else []), *named, *apart]
    ax, columns = labels_above(ax, [str(handle.get_label()) for handle in handles], 2.6)
    for part, point in points:
        ax.plot(part["x"], part["y"], **_POINT, marker=point.get_marker(), color=point.get_color(), zorder=3)
    beyond = runs[runs["beyond"] != ""]
    ax.plot(beyond["x"], beyond["y"], **_open(), zorder=2)
    fitted = inside.loc[inside["in_line"], "x"].to_numpy()
    along = np.array([fitted.min(), fitted.max()])
    ax.plot(along, line.intercept_ + line.slope_ * along, color=BLACK, zorder=4)
    ax.plot(x, x, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    ax.set(xlim=x, ylim=y)
    for axis, ends in ((ax.xaxis, x), (ax.yaxis, y)):
        _share_axis(axis, *ends, line.link)
    what, scale = verbatim(metric_name(line.metric_)), f"{link.name} scale"
    ax.set(xlabel=f"{what} on {verbatim(line.own)}, {scale}", ylabel=f"{what} on {verbatim(line.shift_)}, {scale}")
    legend_above(ax, columns, handles=handles)
    return ax


def _slope(line: AccuracyLine) -> str:
    return f"slope {line.slope_:.2f} ({line.slope_low_:.2f} to {line.slope_high_:.2f})"


def _open() -> dict[str, Any]:
    return {**_POINT, "marker": "o", "color": GREY, "markerfacecolor": "none"}


def _groups(runs: pd.DataFrame, size: str | None) -> list[tuple[pd.DataFrame, Line2D]]:
    """Runs that look alike, with how they look; a label that begins with _ has no place in the legend."""
    studies = list(dict.fromkeys(runs["study"].astype(str)))
    if len(studies) > 1:
        named = [*studies[: MOST_CURVES - 1], *(["others"] if len(studies) >= MOST_CURVES else [])]
        label = runs["study"].astype(str).where(runs["study"].astype(str).isin(named), "others")
        looks = [look(i) for i in range(len(named))]
        return [
            (runs[label == name], Line2D([], [], **_POINT, marker=marker, color=colour, label=verbatim(name)))
            for name, (colour, marker, _) in zip(named, looks, strict=True)
        ]
    if size is None or size not in runs or runs[size].nunique() < 2:
        return [(runs, Line2D([], [], **_POINT, marker="o", color=look(0)[0], label="_"))]
    sizes = np.unique(runs[size])
    ends = {sizes[0]: f"{short(sizes[0])} {verbatim(size_name(size))}", sizes[-1]: short(sizes[-1])}
    looks_by_size = [
        Line2D([], [], **_POINT, marker="o", color=colour, label=ends.get(value, "_"))
        for value, colour in zip(sizes, shades(len(sizes)), strict=True)
    ]
    return [(runs[runs[size] == value], each) for value, each in zip(sizes, looks_by_size, strict=True)]


def _padded(places: np.ndarray) -> tuple[float, float]:
    low, high = float(places.min()), float(places.max())
    pad = _ROOM * (high - low or 1.0)
    return low - pad, high + pad


def _share_axis(axis: Axis, low: float, high: float, link: str) -> None:
    """Ticks at round shares, as many as have room."""
    kept: dict[float, float] = {}
    for share in _TICKS:
        place = float(link_of(link).of(np.array(share)))
        if low <= place <= high and all(abs(place - other) >= _APART * (high - low) for other in kept):
            kept[place] = share
    axis.set_major_locator(FixedLocator(sorted(kept)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda place, _: f"{100 * kept.get(place, np.nan):g} %"))
