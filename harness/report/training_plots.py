"""Metrics over training: trajectories over steps, and against training compute with the best at each compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from harness.errors import DataError
from harness.report.axes import (
    GREY,
    STYLE,
    VERMILLION,
    legend_rows,
    log_value_axis,
    new_figure,
    padded,
    shades,
    size_ticks,
    titled_legend,
    verbatim,
)
from harness.report.measured import chosen_metric, means, measured, refuse_several
from harness.report.names import size_name
from harness.report.plots import value_axis, value_label
from harness.wording import short

__all__ = ["plot_compute", "plot_trajectories"]

#: Places along which each run of a size was measured, from which a line is a trajectory.
LEAST_STEPS = 3


@rc_context(STYLE)
def plot_trajectories(
    frame: pd.DataFrame,
    metric: str | None = None,
    x: str = "step",
    ax: Axes | None = None,
    *,
    size: str = "params_non_embedding",
    subtask: str = "all",
) -> Axes:
    """A metric over training on a log x axis: a line for the mean of each size, and a band from seed to seed.

    The band reaches from the least to the greatest of the runs. Where the runs of a size were measured at different
    places, each run is a line of its own. What was measured before the first step has no place on a log axis.

    Args:
        frame: measurements of one study at all steps: `harness.load(..., steps="all")`.
        metric: the loss, or the only metric that there is, unless named.
        x: column of steps, tokens or FLOPs at the measurement.
        size: column of sizes, a colour each.

    Raises:
        DataError: no such rows, a column that is missing or cannot be used, several studies, or fewer than two places.

    Example:
        >>> steps = harness.load("results/quickstart", steps="all")
        >>> ax = harness.plots.trajectories(steps[steps["study"] == "text"])
    """
    rows, metric = _rows(frame, metric, x, size, subtask)
    explained = [Line2D([], [], color=GREY, linewidth=5, alpha=0.3, label="range of runs")]
    if not any(_share_places(part, x) and part["run"].nunique() > 1 for _, part in rows.groupby(size)):
        explained = []
    ax = _axes(ax, rows, metric, x, size, explained)
    handles = [_trajectory(ax, *of_size, x, size) for of_size in _by_size(rows, x, size)]
    titled_legend(ax, size_name(size), handles, explained)
    return ax


@rc_context(STYLE)
def plot_compute(
    frame: pd.DataFrame,
    metric: str | None = None,
    x: str = "flops",
    ax: Axes | None = None,
    *,
    size: str = "params_non_embedding",
    subtask: str = "all",
) -> Axes:
    """A metric against training compute on a log x axis: a trajectory a size, its end, and the best at each compute.

    Lines are means over seeds, as in `plot_trajectories`, and circles their ends. The red line is the best mean of
    any size that this much compute or less has reached, so that where a curve leaves it a larger model is the better
    use of compute. Learning rates that decay towards the end of a run make what was measured before it worse than a
    shorter run would be; the ends alone are then comparable.

    Args:
        frame: measurements of one study at all steps: `harness.load(..., steps="all")`.
        metric: the loss, or the only metric that there is, unless named.
        x: column of FLOPs (or tokens, or seconds) at the measurement.
        size: column of sizes, a colour each.

    Raises:
        DataError: as `plot_trajectories`.

    Example:
        >>> steps = harness.load("results/quickstart", steps="all")
        >>> ax = harness.plots.compute(steps[steps["study"] == "text"], "accuracy")
    """
    rows, metric = _rows(frame, metric, x, size, subtask)
    explained = [
        Line2D([], [], color=GREY, marker="o", markersize=4, linewidth=0, label="end of training"),
        Line2D([], [], color=VERMILLION, linewidth=0.9, label="best at this compute"),
    ]
    ax = _axes(ax, rows, metric, x, size, explained)
    handles = [_trajectory(ax, *of_size, x, size, band=False) for of_size in _by_size(rows, x, size)]
    ends = rows[rows[x] == rows.groupby([size, "run"])[x].transform("max")]
    for _, mean, colour in _by_size(ends, x, size):
        ax.plot(mean[x], mean["value"], "o", color=colour, markersize=4, zorder=4)
    best = means(rows, [size, x]).sort_values(x, kind="stable")
    running = best["value"].cummax() if rows["higher_is_better"].iloc[0] else best["value"].cummin()
    ax.plot(best[x], running, color=VERMILLION, linewidth=0.9, drawstyle="steps-post", zorder=3)
    titled_legend(ax, size_name(size), handles, explained)
    return ax


def _rows(frame: pd.DataFrame, metric: str | None, x: str, size: str, subtask: str) -> tuple[pd.DataFrame, str]:
    """The rows of one study, those at x = 0 left out, and the metric."""
    metric = chosen_metric(frame, metric)
    rows = measured(frame, metric, (x, size), subtask=subtask)
    refuse_several(rows["curve"], "rows")
    rows = rows[rows[x] > 0]
    if rows[x].nunique() < 2:
        raise DataError(f"{metric} was measured at fewer than two {x}s; harness.load(..., steps='all') gives all")
    return rows, metric


def _axes(ax: Axes | None, rows: pd.DataFrame, metric: str, x: str, size: str, explained: Sequence[Line2D]) -> Axes:
    legend_in = 0.3 + 0.14 * legend_rows(rows[size].nunique(), explained)
    ax = ax or new_figure(2.3 + legend_in, top_in=legend_in).add_subplot()
    ax.set_xscale("log")
    size_ticks(ax.xaxis, *padded(rows[x], 0.03))
    ax.set_xlabel("step" if x == "step" else verbatim(size_name(x)))
    if not rows["higher_is_better"].any() and (rows["value"] > 0).all():
        ax.set_yscale("log")
        log_value_axis(ax, rows["value"])
    else:
        value_axis(ax, rows)
    ax.set_ylabel(value_label(metric, rows))
    return ax


def _by_size(rows: pd.DataFrame, x: str, size: str) -> list[tuple[pd.DataFrame, pd.DataFrame, Any]]:
    """The rows of each size, their means at each place, and a colour."""
    parts, places = ([part for _, part in each.groupby(size)] for each in (rows, means(rows, [size, x])))
    return list(zip(parts, places, shades(len(parts)), strict=True))


def _trajectory(
    ax: Axes, part: pd.DataFrame, mean: pd.DataFrame, colour: Any, x: str, size: str, band: bool = True
) -> Line2D:
    """The mean of a size and, where asked for, its band; run by run where they were measured at different places."""
    label = short(float(part[size].iloc[0]), 3)
    if _share_places(part, x):
        if band and part["run"].nunique() > 1:
            ax.fill_between(mean[x], mean["least"], mean["most"], color=colour, alpha=0.25, linewidth=0, zorder=1)
        ax.plot(mean[x], mean["value"], color=colour, linewidth=1.1, zorder=2)
    else:
        for _, run in part.sort_values(x).groupby("run"):
            ax.plot(run[x], run["value"], color=colour, linewidth=0.7, alpha=0.8, zorder=2)
    return Line2D([], [], color=colour, label=label)


def _share_places(part: pd.DataFrame, x: str) -> bool:
    """Whether all runs of a size were measured at the same places."""
    return bool((part.groupby(x)["run"].nunique() == part["run"].nunique()).all())
