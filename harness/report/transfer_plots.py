"""Losses from scratch and after pretraining over the amount of data, and below them what pretraining is worth."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from harness.analysis.planning.data_transferred import DataTransferred, Reading
from harness.report.axes import (
    GREY,
    STYLE,
    axis_name,
    legend_rows,
    log_value_axis,
    new_figure,
    padded,
    shades,
    size_ticks,
    split_off_below,
    titled_legend,
)
from harness.report.names import size_name
from harness.report.ticks import round_ticks
from harness.wording import confidence, plain, short

__all__ = ["plot_transfer"]

#: Markers of the sizes, in turn.
_MARKERS = ("o", "s", "^", "D", "v", "P")
#: Multipliers are drawn up to this many times the largest and the least that were measured: open ends end in arrows.
_BEYOND = 1.6


@rc_context(STYLE)
def plot_transfer(
    found: DataTransferred, ax: Axes | None = None, *, columns: tuple[str, str, str] = ("N", "D", "loss")
) -> Axes:
    """Loss against examples on log axes, a colour a size; below, D_E / D_F with its intervals.

    Dashed lines with open markers join the mean losses of runs from scratch, full lines those of pretrained runs; faint
    points are runs. In the lower panel, above the line at 1 pretraining is worth data, below it costs data; an arrow
    is a bound, where a loss lies beyond the runs from scratch, or the open end of an interval.

    Args:
        found: as `data_transferred` returns it.
        ax: axes of a grid (`subplots`) to draw on; their lower part is used for the multiplier.
        columns: what N, D and the loss are called.

    Example:
        >>> runs = harness.datasets.make_transfer(n_seeds=2, random_state=0).frame
        >>> found = harness.data_transferred(runs[["N", "D"]], runs["loss"], runs["pretrained"], runs["seed"])
        >>> ax = harness.plots.transfer(found)
    """
    sizes = found.sizes["N"].tolist()
    explained = [
        Line2D(
            [],
            [],
            color=GREY,
            marker="o",
            markersize=3.4,
            markerfacecolor="white",
            dashes=(3, 1.5),
            label="from scratch",
        ),
        Line2D([], [], color=GREY, marker="o", markersize=3.4, markeredgewidth=0, label="pretrained"),
    ]
    legend_in = 0.3 + 0.14 * legend_rows(len(sizes), explained)
    ax = ax or new_figure(3.9 + legend_in, top_in=legend_in).add_subplot()
    below = split_off_below(ax, (5, 3), 0.26)
    runs = found.runs
    ax.set(xscale="log", yscale="log", ylabel=axis_name(columns[2]))
    log_value_axis(ax, runs["loss"])
    handles = []
    for size, colour, marker in zip(sizes, shades(len(sizes)), cycle(_MARKERS), strict=False):
        _draw_losses(ax, runs[runs["N"] == size], colour, marker)
        handles.append(
            Line2D([], [], color=colour, marker=marker, markersize=3.4, markeredgewidth=0, label=short(size, 3))
        )
    _draw_multipliers(below, found, sizes)
    for each in (ax, below):
        size_ticks(each.xaxis, *padded(runs["D"]))
    ax.tick_params(labelbottom=False)
    below.set_xlabel(axis_name(columns[1]) if columns[1] != "D" else "examples D")
    titled_legend(ax, "parameters N" if columns[0] == "N" else size_name(columns[0]), handles, explained)
    return ax


def _draw_losses(ax: Axes, runs: pd.DataFrame, colour: Any, marker: str) -> None:
    for pretrained, part in runs.groupby("pretrained"):
        mean = np.exp(np.log(part["loss"]).groupby(part["D"]).mean())
        looks: Any = {} if pretrained else {"markerfacecolor": "white", "dashes": (3, 1.5)}
        ax.plot(part["D"], part["loss"], ".", color=colour, alpha=0.35, markersize=2.6, markeredgewidth=0, zorder=1.5)
        line: Any = {"color": colour, "marker": marker, "markersize": 3.6, "markeredgewidth": 0.8, "linewidth": 1.0}
        ax.plot(mean.index, mean, zorder=2, **line | looks)


def _draw_multipliers(ax: Axes, found: DataTransferred, sizes: list[float]) -> None:
    ax.set(xscale="log", yscale="log")
    ax.axhline(1, color=GREY, linewidth=0.8, zorder=1)
    amounts = found.amounts
    known = amounts[["multiplier", "multiplier_low", "multiplier_high"]].to_numpy(float)
    known = known[np.isfinite(known) & (known > 0)]
    bottom, top = min(known.min(), 1.0) / _BEYOND, max(known.max(), 1.0) * _BEYOND
    round_ticks(ax.yaxis, bottom, top, plain)
    step = 1.0 + 0.04 * (np.arange(len(sizes)) - (len(sizes) - 1) / 2)  # side by side, where sizes share an amount
    for size, colour, marker, aside in zip(sizes, shades(len(sizes)), cycle(_MARKERS), step, strict=False):
        own = amounts[amounts["N"] == size]
        x, value = own["D_F"].to_numpy(float) * aside, own["multiplier"].to_numpy(float)
        low, high = own["multiplier_low"].to_numpy(float), own["multiplier_high"].to_numpy(float)
        ends = np.clip([np.nan_to_num(low, nan=1.0), np.nan_to_num(high, nan=1.0)], bottom, top)
        drawn = np.isfinite(low)
        ax.vlines(x[drawn], ends[0][drawn], ends[1][drawn], color=colour, linewidth=1.0, zorder=2)
        for arrow, edge, is_open in (("^", top, high == np.inf), ("v", bottom, low == 0)):
            if len(at := x[is_open]):
                ax.plot(at, np.full(len(at), edge), arrow, color=colour, markersize=3.4, clip_on=False, zorder=3)
        read = (own["reading"] == Reading.MEASURED).to_numpy()
        shape: Any = {"color": colour, "markersize": 3.6, "markeredgewidth": 0, "zorder": 4}
        ax.plot(x[read], value[read], marker, **shape)
        ax.plot(x, value, color=colour, linewidth=0.8, alpha=0.6, zorder=1.5)
    ax.set_ylabel(r"$D_E\,/\,D_F$")
    ax.set_title(
        f"bars: {confidence(found.level)} intervals; arrows: open, or bounds",
        fontsize=7,
        loc="left",
        pad=6,
    )
