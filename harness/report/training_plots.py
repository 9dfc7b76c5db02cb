"""Metrics over training: trajectories over steps, and against training compute with the best at each compute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

__all__ = ["lines_are_means", "plot_compute", "plot_trajectories"]

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

    The band reaches from the least to the greatest of the runs. Where the runs of any size were measured at different
    places, as runs that stop early are, every run is a line of its own (`lines_are_means`). What was measured before
    the first step has no place on a log axis.

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
    lines = _lines(rows, x, size)
    banded = not _are_single_runs(lines) and bool((lines["least"] < lines["most"]).any())
    explained = [Line2D([], [], color=GREY, linewidth=5, alpha=0.3, label="range of runs")] if banded else []
    ax = _axes(ax, rows, metric, x, size, explained)
    titled_legend(ax, size_name(size), _draw(ax, lines, x, size, banded), explained)
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
    """A metric against training compute on a log x axis: trajectories, their ends, and the best up to each compute.

    Lines are means over seeds or single runs, as in `plot_trajectories`, and circles their ends. The red steps are the
    best value of all lines that was measured at this much compute or less, so that where a curve leaves them a larger
    model is the better use of compute; of single runs it is the best run, which is better than a mean by chance too.
    Learning rates that decay towards the end of a run make what was measured before it worse than a shorter run would
    be; the ends alone are then comparable.

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
        Line2D([], [], color=VERMILLION, linewidth=0.9, label="best up to this compute"),
    ]
    ax = _axes(ax, rows, metric, x, size, explained)
    lines = _lines(rows, x, size)
    handles = _draw(ax, lines, x, size)
    ends = lines[lines[x] == lines.groupby([size, "line"])[x].transform("max")]
    for colour, (_, of_size) in _coloured(ends, size):
        ax.plot(of_size[x], of_size["value"], "o", color=colour, markersize=4, zorder=4)
    best = lines.groupby(x)["value"].max().cummax() if _higher(rows) else lines.groupby(x)["value"].min().cummin()
    ax.plot(best.index, best, color=VERMILLION, linewidth=0.9, drawstyle="steps-post", zorder=3)
    titled_legend(ax, size_name(size), handles, explained)
    return ax


def lines_are_means(frame: pd.DataFrame, metric: str, x: str, size: str, subtask: str = "all") -> bool:
    """Whether the lines of these pictures are means over the runs of each size; single runs otherwise.

    Args:
        frame, metric, x, size, subtask: as `plot_compute` takes them.

    Raises:
        DataError: as `plot_trajectories`.
    """
    return _share_places(_rows(frame, metric, x, size, subtask)[0], x, size)


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
    if not _higher(rows) and (rows["value"] > 0).all():
        ax.set_yscale("log")
        log_value_axis(ax, rows["value"])
    else:
        value_axis(ax, rows)
    ax.set_ylabel(value_label(metric, rows))
    return ax


def _higher(rows: pd.DataFrame) -> bool:
    return bool(rows["higher_is_better"].iloc[0])


def _lines(rows: pd.DataFrame, x: str, size: str) -> pd.DataFrame:
    """What is drawn, a row a place of a `line`: the means of each size with their range, or every run.

    The mean of those runs that were measured at a place is no trajectory: it leaps where one of them ends.
    """
    line = "mean" if _share_places(rows, x, size) else rows["run"]
    return means(rows.assign(line=line), [size, "line", x])


def _share_places(rows: pd.DataFrame, x: str, size: str) -> bool:
    """Whether all runs of each size were measured at the same places."""
    n_runs = rows.groupby(size)["run"].transform("nunique")
    return bool((rows.groupby([size, x])["run"].transform("nunique") == n_runs).all())


def _are_single_runs(lines: pd.DataFrame) -> bool:
    return lines["line"].nunique() > 1


def _coloured(lines: pd.DataFrame, size: str) -> Iterator[tuple[Any, tuple[Any, pd.DataFrame]]]:
    """A colour, and each size with its rows."""
    return zip(shades(lines[size].nunique()), lines.groupby(size), strict=True)


def _draw(ax: Axes, lines: pd.DataFrame, x: str, size: str, banded: bool = False) -> list[Line2D]:
    """Draw the lines of every size, with the range of its runs where asked for; a handle a size."""
    width, alpha = (0.7, 0.8) if _are_single_runs(lines) else (1.1, 1.0)
    handles = []
    for colour, (value, of_size) in _coloured(lines, size):
        if banded:
            ax.fill_between(of_size[x], of_size["least"], of_size["most"], color=colour, alpha=0.25, linewidth=0)
        for _, line in of_size.groupby("line"):
            ax.plot(line[x], line["value"], color=colour, linewidth=width, alpha=alpha, zorder=2)
        handles.append(Line2D([], [], color=colour, label=short(float(value), 3)))
    return handles
