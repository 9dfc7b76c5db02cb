"""Loss against learning rate, a curve a size, with the best rate of each and what the rate of the smallest costs."""

from __future__ import annotations

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
)
from harness.report.measured import check_frame, means, measured
from harness.report.names import size_name
from harness.report.plots import value_label
from harness.report.ticks import round_ticks
from harness.wording import confidence, plain, short

__all__ = ["plot_rates"]

#: The picture reaches up to this many times the loss of the worst size at its best rate: runs that all but diverged
#: would press the rest flat.
_HIGHEST = 2.0


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

    Runs are faint points; lines join their means, and leave the picture where runs all but diverged. A diamond at the
    minimum of the parabola through the best rate tried and its neighbours marks the best rate of a size, with its
    interval as a bar, which ends at the picture's edge where it is open. A triangle marks a size whose best rate is the
    lowest or highest tried: its minimum was not found. The dotted line is the rate that is best, of those tried, for
    the smallest size; the lower panel shows by how much the loss of each size is higher there than at its own best.

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
    ax = ax or new_figure(3.5 + legend_in, top_in=legend_in).add_subplot()
    below = split_off_below(ax, (3, 1), 0.55)
    ax.set(xscale="log", yscale="log", xlabel="learning rate", ylabel=value_label(found.metric))
    round_ticks(ax.xaxis, *padded(runs[found.rate]), plain)
    log_value_axis(ax, runs["value"].clip(upper=_HIGHEST * found.table["loss"].max()))
    handles = [
        _draw(ax, runs[runs[found.x] == row[found.x]], row, found, colour)
        for row, colour in zip(found.table.to_dict("records"), shades(len(sizes)), strict=True)
    ]
    ax.axvline(found.transferred, color=VERMILLION, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    titled_legend(ax, size_name(found.x), handles, explained)
    _draw_cost(below, found)
    return ax


def _draw(ax: Axes, runs: pd.DataFrame, row: dict[Any, Any], found: BestRates, colour: Any) -> Line2D:
    mean = means(runs, [found.rate])
    faint: Any = {"color": colour, "alpha": 0.4, "markersize": 2.4, "markeredgewidth": 0, "zorder": 1.5}
    ax.plot(runs[found.rate], runs["value"], "o", **faint)
    ax.plot(mean[found.rate], mean["value"], color=colour, linewidth=0.9, zorder=2)
    status = row["status"]
    if status == RateStatus.INTERIOR:
        height = float(np.interp(np.log(row["best"]), np.log(mean[found.rate]), mean["value"]))
        left, right = ax.get_xlim()
        ends = np.clip([row["low"], row["high"]], left, right)
        ax.plot(ends, [height] * 2, color=colour, linewidth=3.5, alpha=0.4, solid_capstyle="butt", zorder=2.5)
        ax.plot(row["best"], height, "D", color=colour, markersize=4, markeredgecolor="white", zorder=4)
    elif status in (RateStatus.LOWEST, RateStatus.HIGHEST):
        marker = "<" if status == RateStatus.LOWEST else ">"
        ax.plot(row["best"], row["loss"], marker, color=colour, markersize=5, markeredgecolor="white", zorder=4)
    return Line2D([], [], color=colour, marker="o", markersize=2.4, label=short(row[found.x], 3))


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
    label = f"best tried at {size_name(found.x)} {short(found.table[found.x].iloc[0], 3)}"
    return [*entries, Line2D([], [], color=VERMILLION, linewidth=0.9, linestyle=(0, (1, 2)), label=label)]


def _draw_cost(ax: Axes, found: BestRates) -> None:
    """What the loss of each size at the rate of the smallest is above its own best, in percent."""
    table = found.table
    ax.axhline(0, color=GREY, linewidth=0.7, zorder=1)
    ax.vlines(table[found.x], 100 * table["cost_low"], 100 * table["cost_high"], color=VERMILLION, linewidth=0.9)
    ax.plot(table[found.x], 100 * table["cost"], "o-", color=VERMILLION, markersize=3.2, linewidth=0.9)
    size_axis(ax, table[found.x], found.x)
    top = float(np.nanmax([*100 * table["cost"], *100 * table["cost_high"], 0.1]))
    ax.set_ylim(min(-0.08 * top, float(np.nanmin([*100 * table["cost_low"], 0.0]))), 1.12 * top)
    ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.set_ylabel("cost (%)")
