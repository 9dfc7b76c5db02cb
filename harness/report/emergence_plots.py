"""Pictures of a verdict: the tested metric beside the continuous one of the same outputs, each with the models of its
means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from harness.analysis.axis import Axis
from harness.analysis.curves import Curve, label_runs, make_curves
from harness.analysis.emergence.evidence import Finding, examine
from harness.analysis.emergence.verdicts import JUMPED, REPRODUCES
from harness.errors import DataError
from harness.report.axes import (
    BLACK,
    BLUE,
    COLUMN_WIDTH_IN,
    GREEN,
    GREY,
    ORANGE,
    PAGE_WIDTH_IN,
    STYLE,
    size_axis,
    verbatim,
)
from harness.report.names import curve_name, metric_name
from harness.report.plots import draw_runs, mark_onset, mark_threshold, value_axis, value_label

__all__ = ["plot_mirage", "plot_mirages"]

#: Heights of the two panels side by side, and one above the other.
_HEIGHT_IN, _STACKED_HEIGHT_IN = 2.75, 4.7
#: Space above the panels for the title, for each row of the legend, and below them for the labels of sizes.
_TITLE_IN, _ROW_IN, _GAP_IN, _BOTTOM_IN = 0.24, 0.15, 0.2, 0.42
#: Width of a handle of the legend with the space about it, and of a letter.
_HANDLE_IN, _LETTER_IN = 0.4, 0.054
#: Margins and gaps of panels side by side (False) and one above the other (True).
_SIDES = {False: {"left": 0.085, "right": 0.985, "wspace": 0.24}, True: {"left": 0.17, "right": 0.965, "hspace": 0.3}}
_SMOOTH, _JUMP = "smooth models", "smooth plus a jump"


@rc_context(STYLE)
def plot_mirage(
    frame: pd.DataFrame,
    jump: Mapping[str, Any],
    x: str = "params_non_embedding",
    figure: Figure | SubFigure | None = None,
    *,
    stacked: bool = False,
) -> tuple[Axes, Axes]:
    """The evidence behind one row of `find_jumps`: the tested metric on the left, its continuous pair on the right.

    Each panel shows the runs, their means, the posterior mean of the smooth models and, where the metric jumps or
    drops, that of smooth plus a jump: a ramp across the gap in which the jump may lie anywhere. Where a power of the
    continuous metric reproduces the tested one, that power is a dashed line in the left panel. Where seeds were tested
    separately, each is a thin line: jumps at different sizes can have a smooth mean. N* and its interval have the
    colour of the verdict, as has a dotted line at the onset, where that lies outside the interval. The figure is 7 in
    wide, or 3.4 in where the panels are stacked; the right panel is empty where no continuous metric was measured.
    Along an x of which smaller is better the axis falls to the right.

    Args:
        frame: the table that `find_jumps` was given.
        jump: the row, its places in the unit of x.
        x: column of sizes.
        figure: the figure to draw on.
        stacked: the pair below the tested metric, for a column or a phone.

    Returns:
        The left and the right Axes.

    Raises:
        DataError: the frame does not hold the row's metric.
    """
    metrics = (str(jump["metric"]), str(jump["continuous_metric"]))
    axis = Axis.of(x)
    examined = _examined(axis.with_rising(frame), jump, axis.rising)
    tested, paired = (examined.get(metric) for metric in metrics)
    if tested is None:
        raise DataError(f"nothing to draw: no {metrics[0]} of {curve_name(jump)}")
    if figure is None:
        figure = Figure(figsize=(COLUMN_WIDTH_IN, _STACKED_HEIGHT_IN) if stacked else (PAGE_WIDTH_IN, _HEIGHT_IN))
    left, right = figure.subplots(*((2, 1) if stacked else (1, 2)))
    _panel(left, jump, str(jump["state"]), *tested, axis)
    left.set_ylabel(value_label(metrics[0], frame))
    if paired is None:
        right.set_axis_off()
        missing = f"no {metric_name(metrics[1]) or 'continuous metric'} was measured\non the same outputs"
        right.text(0.5, 0.5, missing, ha="center", va="center", color=GREY, parse_math=False)
    else:
        _panel(right, jump, str(jump["continuous_state"]), *paired, axis)
        right.set_ylabel(value_label(metrics[1], frame))
        if jump["link_residual"] <= REPRODUCES:
            _draw_power(left, jump, paired[0])
    _head(figure, f"{verbatim(curve_name(jump))} – {jump['verdict']}", (left, right), stacked)
    return left, right


@rc_context(STYLE)
def plot_mirages(
    frame: pd.DataFrame, jumps: Sequence[Mapping[str, Any]], x: str = "params_non_embedding"
) -> list[tuple[Axes, Axes]]:
    """`plot_mirage` of several rows of `find_jumps`, one above the other; the figure is as tall as they need.

    Raises:
        DataError: no row, or as `plot_mirage`.
    """
    if not jumps:
        raise DataError("nothing to draw: no curve")
    figure = Figure(figsize=(PAGE_WIDTH_IN, _HEIGHT_IN * len(jumps)))
    rows = figure.subfigures(len(jumps), 1, squeeze=False)[:, 0]
    return [plot_mirage(frame, jump, x, row) for jump, row in zip(jumps, rows, strict=True)]


def _head(figure: Figure | SubFigure, title: str, panels: tuple[Axes, Axes], stacked: bool) -> None:
    """The title and the legend above the panels, and margins that leave no more room for them than they need."""
    height_in, width_in = (_STACKED_HEIGHT_IN, COLUMN_WIDTH_IN) if stacked else (_HEIGHT_IN, PAGE_WIDTH_IN)
    handles, labels = _entries(*panels)
    columns = _columns(labels, width_in)
    figure.suptitle(title, fontsize=9, fontweight="bold", x=0.012, y=1 - 0.04 / height_in, ha="left")
    figure.legend(
        handles, labels, loc="upper left", bbox_to_anchor=(0.004, 1 - _TITLE_IN / height_in + 0.015), ncols=columns,
        handlelength=2.0, columnspacing=1.4, labelspacing=0.25,
    )  # fmt: skip
    top_in = _TITLE_IN + _ROW_IN * -(-len(labels) // columns) + _GAP_IN
    grid = panels[0].get_gridspec()
    assert grid is not None
    grid.update(top=1 - top_in / height_in, bottom=_BOTTOM_IN / height_in, **_SIDES[stacked])
    for ax in panels:
        cell = ax.get_subplotspec()
        assert cell is not None
        # A grid moves the axes of figures of pyplot alone.
        ax.set_position(cell.get_position(cast("Figure", figure)))


def _columns(labels: Sequence[str], width_in: float) -> int:
    """As many columns as a legend of these labels has room for, up to four; it is filled column by column."""
    for columns in range(4, 1, -1):
        rows = -(-len(labels) // columns)
        longest = [max(map(len, labels[i : i + rows])) for i in range(0, len(labels), rows)]
        if sum(_HANDLE_IN + _LETTER_IN * letters for letters in longest) <= width_in:
            return columns
    return 1


def _examined(frame: pd.DataFrame, jump: Mapping[str, Any], x: str) -> dict[str, tuple[Curve, Finding | None]]:
    """Metric -> the row's curve, and what was found about it.

    As in `find_jumps`, all subtasks of the study are examined together, because noise is pooled over them.
    """
    rows = label_runs(frame)
    # Names that are numbers are numbers in a table read from CSV, and text in the rows of `find_jumps`.
    of_study = rows["study"].astype(str) == str(jump["study"])
    rows = rows[of_study & rows["metric"].isin((jump["metric"], jump["continuous_metric"]))]
    curves = list(make_curves(rows, x))
    return {
        curve.metric: (curve, finding)
        for curve, finding in zip(curves, examine(curves), strict=True)
        if all(getattr(curve, key) == str(jump[key]) for key in ("task", "subtask"))
    }


def _panel(ax: Axes, jump: Mapping[str, Any], state: str, curve: Curve, finding: Finding | None, axis: Axis) -> None:
    """A metric, its state being one of `State`, or '' where it was not tested."""
    x = axis.rising
    runs = pd.DataFrame({x: curve.runs.sizes[curve.runs.rung], "value": curve.runs.value})
    runs = runs.assign(chance=curve.chance, higher_is_better=curve.higher_is_better)
    size_axis(ax, runs[x], axis.x, falls=axis.falls)
    value_axis(ax, runs)
    if finding is not None:
        _draw_models(ax, finding, jump=False)
        if finding.test.by_seed:
            _draw_seeds(ax, finding)
        elif state in JUMPED:
            _draw_models(ax, finding, jump=True)
    draw_runs(ax, runs, x, colour=BLACK)
    mark_threshold(ax, jump, axis)
    mark_onset(ax, jump, axis)


def _draw_models(ax: Axes, finding: Finding, jump: bool) -> None:
    """The posterior mean of the curve on the ladder, given that it has a jump, or that it is smooth."""
    drawn, sign = finding.mean_curve_with(jump=jump).drawn(), 1 if finding.curve.higher_is_better else -1
    on_ladder = (drawn.fine >= drawn.t[0]) & (drawn.fine <= drawn.t[-1])
    look: dict[str, Any] = {"color": ORANGE, "linewidth": 2.6, "label": _SMOOTH}
    if jump:
        look = {"color": BLUE, "linewidth": 2.6, "linestyle": (0, (1.2, 0.6)), "label": _JUMP}
    x, y = finding.x_at(drawn.fine[on_ladder]), sign * drawn.mean[on_ladder]
    ax.plot(x, y, zorder=2.5, **look)
    low, high = ax.get_ylim()
    room = 0.03 * (high - low)
    ax.set_ylim(min(low, y.min() - room), max(high, y.max() + room))


def _draw_seeds(ax: Axes, finding: Finding) -> None:
    """The curve of each seed."""
    design, curve = finding.design, finding.curve
    if design.runs_by_seed is None:
        return
    values = finding.values if curve.higher_is_better else -finding.values
    sizes = finding.x_at(design.t)
    for i, own in enumerate(design.runs_by_seed):
        label = "" if i else "each seed (tested separately)"
        ax.plot(sizes, values[own], color=GREY, linewidth=0.5, alpha=0.6, zorder=2.2, label=label)


def _draw_power(ax: Axes, jump: Mapping[str, Any], continuous: Curve) -> None:
    """The mean over runs of the continuous metric to the power that best reproduces the tested one."""
    runs, length = continuous.runs, float(jump["link_length"])
    label = f"({verbatim(metric_name(continuous.metric))})$^{{{length:.1f}}}$"
    ax.plot(
        runs.sizes,
        runs.means(runs.value**length),
        color=GREEN,
        linestyle=(0, (5, 2)),
        linewidth=1.6,
        zorder=4,
        label=label,
    )


def _entries(*panels: Axes) -> tuple[list[Any], list[str]]:
    """Handles and labels of both panels, without repeats: measurements first, then curves."""
    by_label: dict[str, Any] = {}
    for ax in panels:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            by_label.setdefault(label, handle)
    first = ["runs (seeds)", "mean", _SMOOTH, _JUMP]
    labels = [*(name for name in first if name in by_label), *(name for name in by_label if name not in first)]
    return [by_label[label] for label in labels], labels
