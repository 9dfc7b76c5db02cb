"""Loss against learning rate, a curve a size, with the best rate of each and what the rate of the smallest costs."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from harness.analysis.planning.learning_rates import BestRates, RateStatus, best_rates
from harness.report.axes import (
    GREY,
    STYLE,
    VERMILLION,
    legend_rows,
    log_value_axis,
    new_figure,
    padded,
    shades,
    size_axis,
    split_off_below,
    titled_legend,
    verbatim,
    wrapped,
)
from harness.report.measured import check_frame, means, measured
from harness.report.names import size_name
from harness.report.plots import value_label
from harness.report.ticks import round_ticks
from harness.wording import confidence, plain, short

__all__ = ["plot_rates"]

#: The picture reaches up to this many times the loss of the worst size at its best rate, and to the rates next to the
#: best of each size up to the second number: runs that all but diverged would press the rest flat.
_HIGHEST, _NEIGHBOURS = 2.0, 4.0
#: Intervals of the cost reach this many times beyond the largest cost: wider ones would press the costs flat.
_WIDEST = 2.0
#: Markers of the sizes, in turn; the diamond and the triangles that point sideways are of best rates.
_MARKERS = ("o", "s", "^", "P", "v", "X")


@rc_context(STYLE)
def plot_rates(
    frame: pd.DataFrame,
    x: str = "width",
    ax: Axes | None = None,
    *,
    metric: str = "loss",
    rate: str = "lr",
    level: float = 0.95,
    found: BestRates | None = None,
) -> Axes:
    """Loss against learning rate on log axes, a curve a size, and below it what one rate for all sizes costs.

    Runs are faint points; lines join their means. Where runs all but diverged a line leaves the picture, at a small
    triangle on its upper edge. A diamond at the minimum of the parabola through the best rate tried and its neighbours
    marks the best rate of a size, with its interval as a bar, which ends in an arrow where it reaches beyond the
    picture. A triangle marks a size whose best rate is the lowest or highest tried: its minimum was not found. The
    dotted line is the rate that is best, of those tried, for the smallest size; the lower panel shows by how much the
    loss of each size is higher there than at its own best, with intervals that end in an arrow where they are much
    wider than the costs.

    Args:
        frame: runs of one study and one duration at all their rates: `harness.load(..., runs="all")`.
        x: column of sizes.
        ax: axes of a grid (`subplots`) to draw on; their lower third is used for the cost.
        found: as `best_rates` returns it for this frame; found here unless given.

    Raises:
        DataError, SettingError: as `best_rates`.

    Example:
        >>> sweep = harness.load("results/rates", runs="all")  # of three learning rates or more
        >>> ax = harness.plots.rates(sweep)
    """
    check_frame(frame)
    found = found or best_rates(frame, x, metric, rate=rate, level=level)
    runs = measured(frame, found.metric, (found.x, found.rate))
    sizes = found.table[found.x].to_numpy(float)
    explained = _explained(found)
    legend_in = 0.3 + 0.14 * legend_rows(len(sizes), explained)
    ax = ax or new_figure(3.7 + legend_in, top_in=legend_in).add_subplot()
    below = split_off_below(ax, (3, 1), 0.72)
    ax.set(xscale="log", yscale="log", xlabel="learning rate", ylabel=value_label(found.metric, runs))
    round_ticks(ax.xaxis, *padded(runs[found.rate]), plain)
    log_value_axis(ax, runs["value"].clip(upper=_highest(runs, found)))
    handles = [
        _draw(ax, runs[runs[found.x] == row[found.x]], row, found, colour, marker)
        for row, colour, marker in zip(
            found.table.to_dict("records"), shades(len(sizes)), cycle(_MARKERS), strict=False
        )
    ]
    ax.axvline(found.transferred, color=VERMILLION, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    titled_legend(ax, size_name(found.x), handles, explained)
    _draw_cost(below, found)
    return ax


def _highest(runs: pd.DataFrame, found: BestRates) -> float:
    """Up to where losses are drawn, so that each curve shows its minimum and the rates next to it."""
    worst = float(found.table["loss"].max())
    mean = means(runs, [found.x, found.rate])
    shown = [_HIGHEST * worst]
    for size, tried in zip(found.table[found.x], found.table["tried"], strict=True):
        curve = mean[mean[found.x] == size].reset_index(drop=True)
        at = int(np.argmin(np.abs(np.log(curve[found.rate] / tried))))
        shown += curve["value"].iloc[max(at - 1, 0) : at + 2].tolist()
    return min(max(shown), _NEIGHBOURS * worst)


def _draw(ax: Axes, runs: pd.DataFrame, row: dict[Any, Any], found: BestRates, colour: Any, marker: str) -> Line2D:
    mean = means(runs, [found.rate])
    faint: Any = {"color": colour, "alpha": 0.4, "markersize": 2.4, "markeredgewidth": 0, "zorder": 1.5}
    ax.plot(runs[found.rate], runs["value"], "o", **faint)
    shape: Any = {"color": colour, "marker": marker, "markersize": 3.4, "markeredgewidth": 0, "linewidth": 0.9}
    ax.plot(mean[found.rate], mean["value"], zorder=2, **shape)
    _mark_exits(ax, mean[found.rate].to_numpy(float), mean["value"].to_numpy(float), colour)
    status = row["status"]
    if status == RateStatus.INTERIOR:
        height = float(np.interp(np.log(row["best"]), np.log(mean[found.rate]), mean["value"]))
        left, right = ax.get_xlim()
        ends = np.clip([row["low"], row["high"]], left, right)
        for arrow, edge, beyond in (("<", left, row["low"] < left), (">", right, row["high"] > right)):
            if beyond:
                ax.plot(edge, height, arrow, color=colour, markersize=3.5, clip_on=False, zorder=4)
        ax.plot(ends, [height] * 2, color=colour, linewidth=3.5, alpha=0.4, solid_capstyle="butt", zorder=2.5)
        ax.plot(row["best"], height, "D", color=colour, markersize=4, markeredgecolor="white", zorder=4)
    elif status in (RateStatus.LOWEST, RateStatus.HIGHEST):
        side = "<" if status == RateStatus.LOWEST else ">"
        ax.plot(row["best"], row["loss"], side, color=colour, markersize=5, markeredgecolor="white", zorder=4)
    return Line2D([], [], label=short(row[found.x], 3), **shape)


def _mark_exits(ax: Axes, rates: np.ndarray, values: np.ndarray, colour: Any) -> None:
    """A triangle wherever the line through these points leaves the picture at the top."""
    top = np.log(ax.get_ylim()[1])
    x, y = np.log(rates), np.log(values)
    at = np.flatnonzero((y[1:] > top) != (y[:-1] > top))
    places = np.exp(x[at] + (top - y[at]) / (y[at + 1] - y[at]) * (x[at + 1] - x[at]))
    if len(places):
        edge = np.full(len(places), np.exp(top))
        ax.plot(places, edge, "^", color=colour, markersize=3, markeredgewidth=0, clip_on=False, zorder=4)


def _explained(found: BestRates) -> list[Line2D]:
    """Entries of the legend for what all curves share."""
    status = found.table["status"]
    entries = []
    if (status == RateStatus.INTERIOR).any():
        known = found.table["low"].notna().any()
        label = f"best rate, {confidence(found.level)} interval" if known else "best rate (one run each)"
        entries.append(Line2D([], [], color=GREY, marker="D", markersize=4, linewidth=0, label=label))
    for edge, marker in ((RateStatus.LOWEST, "<"), (RateStatus.HIGHEST, ">")):
        if (status == edge).any():
            label = f"best {edge} tried"
            entries.append(Line2D([], [], color=GREY, marker=marker, markersize=5, linewidth=0, label=label))
    looks: Any = {"color": VERMILLION, "linewidth": 0.9, "linestyle": (0, (1, 2))}
    return [*entries, Line2D([], [], label="best tried at the smallest", **looks)]


def _draw_cost(ax: Axes, found: BestRates) -> None:
    """What the loss of each size at the rate of the smallest is above its own best, in percent."""
    table = found.table
    ax.axhline(0, color=GREY, linewidth=0.7, zorder=1)
    low, cost, high = (100 * table[name].to_numpy(float) for name in ("cost_low", "cost", "cost_high"))
    reach = _WIDEST * max(float(np.nanmax(np.abs(cost), initial=0.0)), 0.1)
    bottom, top = max(float(np.nanmin([*low, *cost, 0.0])), -reach), min(float(np.nanmax([*high, *cost, 0.1])), reach)
    bottom = min(bottom, -0.08 * top)
    ax.vlines(table[found.x], np.maximum(low, bottom), np.minimum(high, top), color=VERMILLION, linewidth=0.9)
    for arrow, edge, beyond in (("v", bottom, low < bottom), ("^", top, high > top)):
        if len(at := table[found.x][beyond]):
            ax.plot(at, np.full(len(at), edge), arrow, color=VERMILLION, markersize=3.5, clip_on=False)
    ax.plot(table[found.x], cost, "o-", color=VERMILLION, markersize=3.2, linewidth=0.9)
    size_axis(ax, table[found.x], found.x)
    ax.set_ylim(bottom, 1.12 * top)
    ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.set_ylabel("cost (%)")
    at_rate = f"the rate best for {verbatim(size_name(found.x))} {short(table[found.x].iloc[0], 3)}"
    words = wrapped(f"cost: loss above best, at {at_rate}")
    ax.set_title(words, fontsize=7, loc="left", pad=4, x=-0.18)
