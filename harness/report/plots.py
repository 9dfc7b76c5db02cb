"""Pictures of curves, fits and thresholds: functions that take frames and fits and return Axes.

Frames are those of `harness.load`. Pairs of metrics with the models of their means are in `emergence_plots`, surfaces
and forecasts in `law_plots`, and the common style in `axes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from harness.analysis.axis import Axis
from harness.analysis.curves import with_defaults
from harness.errors import DataError
from harness.report.axes import (
    BLACK,
    BLUE,
    GREY,
    LIGHT_GREY,
    ORANGE,
    PAGE_WIDTH_IN,
    PURPLE,
    SKY,
    STYLE,
    VERMILLION,
    legend_above,
    log_value_axis,
    new_figure,
    save_figure,
    size_axis,
    size_ticks,
    split_off_below,
    verbatim,
)
from harness.report.losses import is_in_nats
from harness.report.names import metric_name, size_name
from harness.wording import estimate, interval

__all__ = ["plot_curve", "plot_jump", "plot_scaling", "plot_subtasks", "plot_thresholds", "save_figure"]

#: verdict -> (colour, marker): either alone identifies the verdict.
VERDICTS = {
    "emergent": (VERMILLION, "o"),
    "candidate": (ORANGE, "P"),
    "metric artefact": (PURPLE, "s"),
    "smooth": (BLUE, "^"),
    "drop": (SKY, "v"),
    "inconclusive": (GREY, "D"),
    "too few sizes": (LIGHT_GREY, "X"),
}

#: Share of the mean step between sizes below which two of them are no step apart: a line from one to the other would
#: show the difference of two models as if it were a climb.
_LEAST_STEP = 0.12


class Law(Protocol):
    """What `plot_scaling` needs of a fit, such as `harness.PowerLaw`."""

    params_: dict[str, float]
    intervals_: dict[str, tuple[float, float]]

    @property
    def status_(self) -> str: ...

    def predict(self, x: Any, level: float | None = None) -> Any: ...


@rc_context(STYLE)
def plot_scaling(
    frame: pd.DataFrame,
    law: Law | None,
    x: str = "params_total",
    ax: Axes | None = None,
    *,
    metric: str = "loss",
    subtask: str = "all",
    level: float = 0.95,
) -> Axes:
    """Loss against size on log axes: one point per run, the fitted law with its band, and residuals in a panel below.

    Args:
        frame: rows of one study.
        law: a law fitted to `metric` against `x`; with None only the points are drawn.
        x: column of sizes: a count of parameters, tokens or FLOPs.
        ax: axes of a grid (`subplots`) to draw on; their lower quarter is used for the residuals.
        level: confidence level of the band.
    """
    runs = _curve(frame, metric, subtask)
    # The two lines of the legend need their room only where there is a law to name.
    ax = ax or (new_figure(3.2, top_in=0.52) if law else new_figure(2.8, top_in=0.12)).add_subplot()
    _points(ax, runs, x)
    ax.set_yscale("log")
    ax.set_ylabel(value_label(metric, runs))
    if law is None:
        size_axis(ax, runs[x], x)
        log_value_axis(ax, runs["value"])
        return ax
    sizes = np.geomspace(runs[x].min(), runs[x].max(), 100)
    band = law.predict(sizes, level=level)
    ax.plot(sizes, band["predicted"], color=VERMILLION, label=_law_label(law))
    ax.fill_between(sizes, band["low"], band["high"], color=VERMILLION, alpha=0.2, linewidth=0)
    log_value_axis(ax, pd.concat([runs["value"], band["low"], band["high"]]))
    legend_above(ax, columns=1)
    _residuals_below(ax, runs, law, x)
    size_axis(ax, runs[x], x)
    ax.set_xlabel("")
    ax.tick_params(labelbottom=False)
    return ax


def _residuals_below(ax: Axes, runs: pd.DataFrame, law: Law, x: str) -> None:
    """Residuals in percent, in a panel split off from the lower part of `ax`."""
    below = split_off_below(ax)
    residuals = 100 * (runs["value"] / np.asarray(law.predict(runs[x].to_numpy())) - 1)
    below.axhline(0, color=VERMILLION, linewidth=0.9)
    below.plot(runs[x], residuals, "o", color=BLUE, markersize=3, markerfacecolor="none", markeredgewidth=0.7)
    reach = 1.2 * max(residuals.abs().max(), 0.1)
    below.set_ylim(-reach, reach)
    below.yaxis.set_major_locator(MaxNLocator(3, symmetric=True))
    below.set_ylabel("residual (%)")
    size_axis(below, runs[x], x)


@rc_context(STYLE)
def plot_curve(
    frame: pd.DataFrame, metric: str, x: str = "params_non_embedding", ax: Axes | None = None, *, subtask: str = "all"
) -> Axes:
    """A metric of one study against size: runs as points, their mean at each rung as a line, and the chance level."""
    runs = _curve(frame, metric, subtask)
    ax = ax or new_figure(2.4).add_subplot()
    size_axis(ax, runs[x], x)
    value_axis(ax, runs)
    draw_runs(ax, runs, x)
    ax.set_ylabel(value_label(metric, runs))
    return ax


@rc_context(STYLE)
def plot_jump(
    frame: pd.DataFrame, jump: Mapping[str, Any], x: str = "params_non_embedding", ax: Axes | None = None
) -> Axes:
    """The discontinuous metric of one row of `find_jumps` against size, with N* as a line and its interval shaded."""
    ax = ax or new_figure(2.55, top_in=0.57).add_subplot()
    ax = plot_curve(_study(frame, jump), jump["metric"], x, ax, subtask=jump["subtask"])
    mark_threshold(ax, jump)
    legend_above(ax, columns=2, left=-0.2)
    return ax


@rc_context(STYLE)
def plot_subtasks(
    frame: pd.DataFrame, jumps: pd.DataFrame, x: str = "params_non_embedding", width_in: float = PAGE_WIDTH_IN
) -> list[Axes]:
    """Small multiples: `plot_jump` for each row of `jumps`, which are of one study and metric; as many columns as fit.

    Args:
        width_in: of the figure; 7 in, a page, has four columns, and 3.4 in two.
    """
    columns = _columns(len(jumps), max(1, round(width_in / 1.75)))
    rows = -(-len(jumps) // columns)
    height_in = 0.75 + 1.0 * rows
    figure = Figure(figsize=(width_in, height_in))
    margins = {"left": 0.595 / width_in, "right": 1 - 0.105 / width_in, "bottom": 0.5 / height_in}
    margins |= {"top": 1 - 0.2 / height_in, "hspace": 0.32}
    axes = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False, gridspec_kw=margins).flat)
    runs = _study(frame, _records(jumps)[0])
    runs = runs[runs["metric"] == jumps["metric"].iloc[0]]
    size_axis(axes[0], runs[x], x)
    value_axis(axes[0], runs)
    axes[0].set_xlabel("")
    for ax, jump in zip(axes, _records(jumps), strict=False):
        draw_runs(ax, _curve(runs, jump["metric"], jump["subtask"]), x, size=2)
        mark_threshold(ax, jump)
        title = ax.set_title(f"{verbatim(jump['subtask'])}: {jump['verdict']}", fontsize=7, loc="left", pad=2)
        title.set_color(_colour(jump))
    for ax in axes[max(0, len(jumps) - columns) : len(jumps)]:
        ax.tick_params(labelbottom=True)  # the last of their columns
    for ax in axes[len(jumps) :]:
        ax.set_axis_off()
    figure.supxlabel(verbatim(size_name(x)), fontsize=8)
    figure.supylabel(verbatim(metric_name(jumps["metric"].iloc[0])), fontsize=8, x=0.005)
    return axes[: len(jumps)]


def _columns(n: int, most: int) -> int:
    """Columns of a grid of n panels: as many as fit, or one fewer where that leaves fewer places empty."""
    fit = min(most, n)
    return min((fit, fit - 1), key=lambda columns: -n % columns) if fit > 2 else fit


@rc_context(STYLE)
def plot_thresholds(
    jumps: pd.DataFrame, ax: Axes | None = None, x: str = "params_non_embedding", width_in: float = 4.2
) -> Axes:
    """Forest plot: N* with its interval for each row that has one, the smallest at the top.

    Colour and marker show the verdict. Simultaneous intervals, where the table has them, are drawn as thin lines. An
    arrow marks an open interval, one that extends beyond the ladder. The figure grows with its rows.

    Args:
        jumps: as `find_jumps` returns it, or the table of `compare_thresholds`.
        ax: axes to draw on.
        x: column of sizes.
        width_in: of the figure, where there are no axes to draw on.

    Raises:
        DataError: no row has a threshold.
    """
    rows = jumps[np.isfinite(jumps["threshold"].astype(float))].sort_values("threshold", kind="stable")
    if rows.empty:
        raise DataError("thresholds: none of the curves has one to draw")
    ax = ax or Figure(figsize=(width_in, 1.0 + 0.155 * len(rows)), layout="constrained").add_subplot()
    positions = np.arange(len(rows))
    low, high = _limits_of_thresholds(rows)
    for verdict, (colour, marker) in VERDICTS.items() if "verdict" in rows else [("N*", (BLUE, "o"))]:
        chosen = (rows["verdict"] == verdict).to_numpy() if "verdict" in rows else np.full(len(rows), True)
        if not chosen.any():
            continue
        some, y = rows[chosen], positions[chosen]
        if "simultaneous_low" in rows:
            _spans(ax, some, "simultaneous", y, (low, high), colour, 0.9)
        _spans(ax, some, "threshold", y, (low, high), colour, 2.2)
        ax.plot(some["threshold"], y, marker, color=colour, markersize=4.5, label=verdict)
    ax.set_yticks(positions, _curve_names(rows, jumps), fontsize=7)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xscale("log")
    size_ticks(ax.xaxis, low, high)
    ax.set_xlabel(f"N*: {verbatim(size_name(x))}")
    ax.grid(axis="both", color="#DDDDDD", linewidth=0.5)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)
    if "simultaneous_low" in rows:
        _, labels = ax.get_legend_handles_labels()
        ax.plot([], [], color=GREY, linewidth=2.2, label="own interval")
        ax.plot([], [], color=GREY, linewidth=0.9, label="simultaneous interval")
        legend_above(ax, columns=3 if len(labels) == 1 else 2)
    else:
        ax.plot([], [], color=GREY, linewidth=2.2, label="interval of N*")
        if _open_ends(rows):
            ax.plot([], [], ">", color=GREY, markersize=3.5, label="open: beyond the ladder")
        _, labels = ax.get_legend_handles_labels()
        legend_above(ax, columns=2 if _width_in(ax) < PAGE_WIDTH_IN else len(labels))
    return ax


def _open_ends(rows: pd.DataFrame) -> bool:
    """Whether any interval extends beyond the ladder."""
    return bool((rows["threshold_low"] == 0).any() or np.isinf(rows["threshold_high"].astype(float)).any())


def _width_in(ax: Axes) -> float:
    figure = ax.get_figure(root=True)
    assert figure is not None
    return float(figure.get_figwidth())


def _limits_of_thresholds(rows: pd.DataFrame) -> tuple[float, float]:
    """Limits of the x axis: all thresholds and ends of intervals that lie on the ladder, and some room."""
    ends = [f"{kind}_{end}" for kind in ("threshold", "simultaneous") for end in ("low", "high")]
    values = rows[["threshold", *(name for name in ends if name in rows)]].to_numpy(float)
    values = values[np.isfinite(values) & (values > 0)]
    return float(values.min()) / 1.3, float(values.max()) * 1.3


def _spans(
    ax: Axes, rows: pd.DataFrame, kind: str, y: np.ndarray, limits: tuple[float, float], colour: str, width: float
) -> None:
    """Intervals as lines, with an arrow where an end lies outside the picture."""
    low, high = (rows[f"{kind}_{end}"].to_numpy(float) for end in ("low", "high"))
    ax.hlines(y, np.maximum(low, limits[0]), np.minimum(high, limits[1]), color=colour, linewidth=width)
    for marker, at, open_end in (("<", limits[0], low < limits[0]), (">", limits[1], high > limits[1])):
        if open_end.any():
            ax.plot(np.full(open_end.sum(), at), y[open_end], marker, color=colour, markersize=3.5, clip_on=False)


def _curve_names(rows: pd.DataFrame, jumps: pd.DataFrame) -> list[str]:
    """The names in the table; else the study, with its subtask and metric where there are several."""
    if "curve" in rows:
        return [verbatim(name) for name in rows["curve"]]
    subtasks = jumps.groupby("study")["subtask"].nunique()
    metrics = jumps.groupby(["study", "subtask"])["metric"].nunique()
    return [
        verbatim(
            (f"{row['study']}: {row['subtask']}" if subtasks[row["study"]] > 1 else str(row["study"]))
            + (f" ({metric_name(row['metric'])})" if metrics[row["study"], row["subtask"]] > 1 else "")
        )
        for row in _records(rows)
    ]


def _records(jumps: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in jumps.to_dict("records")]


def _study(frame: pd.DataFrame, jump: Mapping[str, Any]) -> pd.DataFrame:
    # Names that are numbers are numbers in a table read from CSV, and text in the rows of `find_jumps`.
    return frame[frame["study"].astype(str) == str(jump["study"])] if "study" in frame else frame


def _curve(frame: pd.DataFrame, metric: str, subtask: str) -> pd.DataFrame:
    runs = with_defaults(frame)
    runs = runs[(runs["metric"] == metric) & (runs["subtask"].astype(str) == str(subtask))]
    runs = runs[np.isfinite(runs["value"])]
    if runs.empty:
        raise DataError(f"nothing to draw: no {metric} of subtask {subtask}")
    return runs


def draw_runs(ax: Axes, runs: pd.DataFrame, x: str, size: float = 3.2, colour: str = BLUE) -> None:
    """Runs (columns x, value, chance) as points, their mean at each size as a line, and the chance level.

    No line is drawn where sizes are no steps of a ladder: models of several families, each of a size of its own.
    """
    means = runs.groupby(x)["value"].mean()
    if _are_steps(means.index.to_numpy(float)):
        ax.plot(means.index, means, color=colour, label="mean", zorder=3)
    _points(ax, runs, x, size)
    if pd.notna(chance := runs["chance"].iloc[0]) and ax.get_ylim()[0] <= chance <= ax.get_ylim()[1]:
        ax.axhline(chance, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), label="chance", zorder=1)


def _are_steps(sizes: np.ndarray) -> bool:
    """Whether no two of these sizes, in order, lie almost on top of each other."""
    gaps = np.diff(np.log(sizes))
    return len(gaps) < 2 or float(gaps.min()) >= _LEAST_STEP * float(gaps.mean())


def _points(ax: Axes, runs: pd.DataFrame, x: str, size: float = 3.2) -> None:
    ax.plot(
        runs[x], runs["value"], "o", color=BLACK, alpha=0.55, markersize=size, markerfacecolor="none",
        markeredgewidth=0.7, label="runs (seeds)", zorder=2,
    )  # fmt: skip


def _colour(jump: Mapping[str, Any]) -> str:
    return VERDICTS.get(jump["verdict"], (BLACK, "o"))[0]


def mark_threshold(ax: Axes, jump: Mapping[str, Any], axis: Axis | None = None) -> None:
    """Shade the interval of N* of a row of `find_jumps`, if there is one; a line marks N* itself, if on the ladder.

    Args:
        jump: the row, its places in the unit of x.
        axis: of x, where it may fall; it is then drawn along 1 / x.
    """
    written = interval(jump["threshold"], jump["threshold_low"], jump["threshold_high"])
    drawn = jump if axis is None else axis.turned(jump)
    threshold, low, high = (float(drawn[name]) for name in ("threshold", "threshold_low", "threshold_high"))
    colour, label = _colour(jump), f"N* {written}"
    on_ladder = np.isfinite(threshold)
    start, end = max(low, ax.get_xlim()[0]), min(high, ax.get_xlim()[1])
    if start < end:
        shade: dict[str, Any] = {"color": colour, "alpha": 0.18, "linewidth": 0, "zorder": 0}
        ax.axvspan(start, end, **shade, label="interval of N*" if on_ladder else label)
    if on_ladder:
        ax.axvline(threshold, color=colour, linewidth=1.0, zorder=1, label=label)


def mark_onset(ax: Axes, jump: Mapping[str, Any], axis: Axis | None = None) -> None:
    """Draw the onset of a row of `find_jumps` as a thin line, if it is on the ladder and outside the interval of N*."""
    drawn = jump if axis is None else axis.turned(jump)
    onset = float(drawn["onset"])
    if not np.isfinite(onset) or float(drawn["threshold_low"]) <= onset <= float(drawn["threshold_high"]):
        return
    label = f"onset {interval(jump['onset'], jump['onset_low'], jump['onset_high'])}"
    ax.axvline(onset, color=_colour(jump), linewidth=0.9, linestyle=(0, (1, 2)), zorder=1, label=label)


def _law_label(law: Law) -> str:
    floor = f", floor {law.params_['E']:.3g}" if law.params_.get("E") else ""
    doubt = "" if law.status_ == "converged" else f"\n{law.status_}"
    return f"$\\alpha$ = {estimate(law.params_['alpha'], *law.intervals_['alpha'])}{floor}{doubt}"


def value_label(metric: str, runs: pd.DataFrame) -> str:
    """Label of an axis that shows this metric of these runs, with its unit."""
    name = verbatim(metric_name(metric))
    return f"{name} (nats)" if is_in_nats(metric, runs) else name


def value_axis(ax: Axes, runs: pd.DataFrame) -> None:
    """A linear y axis, because the tests compare linear values; from 0 to 1 for shares that use much of that range."""
    low, high = float(runs["value"].min()), float(runs["value"].max())
    if low >= 0 and high <= 1 and high - low > 0.3 and runs["higher_is_better"].iloc[0]:
        ax.set_ylim(-0.05, 1.05)
        ax.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        pad = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
        ax.set_ylim(low - pad, high + pad)
        ax.yaxis.set_major_locator(MaxNLocator(5))
