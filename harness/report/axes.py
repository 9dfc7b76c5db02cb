"""What all pictures share: size, type, colours, axes, legends and how they are saved.

Every picture is drawn at column width (3.4 in) unless its docstring says otherwise, with type of 7 to 8 points and the
palette of Okabe and Ito (2008), whose colours remain distinct for colour-blind readers. None uses pyplot, so that no
window opens and no figure is kept in memory.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike

from harness.records.files import write_whole
from harness.report.names import size_name
from harness.wording import plain, short

COLUMN_WIDTH_IN = 3.4
PAGE_WIDTH_IN = 7.0

#: Default names of the columns of a table of runs: size, training tokens, loss.
COLUMNS = ("N", "D", "loss")
_NAMES = {
    "N": "parameters N",
    "D": "training tokens D",
    "C": "training compute C (FLOPs)",
    "loss": "loss (nats)",
    "value": "loss (nats)",
}

BLACK, GREY, LIGHT_GREY, ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE = (
    "#000000",
    "#666666",
    "#A0A0A0",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#AA4499",
)

#: Typed as Any because matplotlib's own type lists every setting by name.
STYLE: Any = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "svg.hashsalt": "harness",
}


def new_figure(height_in: float, top_in: float = 0.42, right_in: float = 0.14) -> Figure:
    """A figure at column width, with the same left and bottom margins in every picture.

    The margin on the right holds half of a tick's label, so that none is cut off.
    """
    figure = Figure(figsize=(COLUMN_WIDTH_IN, height_in))
    figure.subplots_adjust(
        left=0.66 / COLUMN_WIDTH_IN,
        right=1 - right_in / COLUMN_WIDTH_IN,
        bottom=0.42 / height_in,
        top=1 - top_in / height_in,
    )
    return figure


def split_off_below(ax: Axes, parts: tuple[float, float] = (3, 1), gap: float = 0.12) -> Axes:
    """Divide the grid cell of `ax`: `ax` keeps the upper part, and new axes take the lower one.

    Args:
        parts: relative heights of the upper and the lower axes.
        gap: space between them, as a share of their mean height.
    """
    cell, figure = ax.get_subplotspec(), ax.figure
    assert cell is not None, "axes of a grid, as made by subplots()"
    grid = cell.subgridspec(2, 1, height_ratios=parts, hspace=gap)
    ax.set_subplotspec(grid[0])
    return figure.add_subplot(grid[1])


def save_figure(axes: Axes, stem: Path) -> list[Path]:
    """Save the figure that `axes` belongs to as ``stem.png`` (200 dots per inch) and ``stem.svg``; return both paths.

    Raises:
        UserError: the files cannot be written.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    paths = []
    for kind in ("png", "svg"):
        picture = io.BytesIO()
        with rc_context(STYLE):
            figure.savefig(picture, format=kind, dpi=200, metadata={"Date": None} if kind == "svg" else None)
        paths.append(stem.with_name(f"{stem.name}.{kind}"))
        write_whole(paths[-1], picture.getvalue())
    return paths


def legend_above(ax: Axes, columns: int, left: float = 0.0, **settings: Any) -> None:
    """Place the legend above the axes, where it cannot hide data; it begins at `left`, in widths of the axes."""
    layout: Any = {"handlelength": 1.6, "columnspacing": 1.2, "labelspacing": 0.25, "borderaxespad": 0.2}
    title: Any = {"alignment": "left", "title_fontsize": 7} if "title" in settings else {}
    ax.legend(loc="lower left", bbox_to_anchor=(left, 1.0), ncols=columns, **layout | title | settings)


def size_axis(ax: Axes, sizes: Iterable[float], column: str, falls: bool = False) -> None:
    """A log x axis with a tick at every rung, of which as many are labelled as fit.

    Args:
        sizes: where rungs are drawn.
        column: what they are.
        falls: whether they are drawn at 1 / size, so that the axis falls to the right.
    """
    rungs = np.unique(np.asarray(list(sizes), dtype=float))
    ax.set_xscale("log")
    pad = (rungs[-1] / rungs[0]) ** 0.04 if len(rungs) > 1 else 1.5
    ax.set_xlim(rungs[0] / pad, rungs[-1] * pad)
    label_ticks(ax, rungs)
    ax.xaxis.set_minor_locator(FixedLocator(rungs.tolist()))
    ax.set_xlabel(size_name(column))
    if falls:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(1 / value, digits=3)))
        ax.set_xlabel(f"{size_name(column)}, falling")


def label_ticks(ax: Axes, ticks: np.ndarray) -> None:
    """Label the first and last tick, and those between that leave room for their neighbours' labels."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    width_in = ax.get_position().width * figure.get_figwidth()
    low, high = np.log(ax.get_xlim())
    gap = 0.36 / max(width_in, 0.5) * (high - low)
    kept = [ticks[0]]
    for tick in ticks[1:-1]:
        if np.log(tick / kept[-1]) >= gap and np.log(ticks[-1] / tick) >= gap:
            kept.append(tick)
    kept += [ticks[-1]] if len(ticks) > 1 else []
    ax.xaxis.set_major_locator(FixedLocator(kept))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())


def decade_ticks(ax: Axes, low: float, high: float) -> None:
    """A log x axis from low to high with ticks at 1, 2 and 5 of every decade."""
    ax.set_xlim(low, high)
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = np.outer(decades, (1, 2, 5)).ravel()
    inside = ticks[(ticks >= low) & (ticks <= high)]
    label_ticks(ax, inside if len(inside) > 1 else np.array([low, high]))
    ax.xaxis.set_minor_locator(NullLocator())


def log_value_axis(ax: Axes, values: pd.Series) -> None:
    """A log y axis with plain numbers, without matplotlib's minor labels, which overlap on short ranges."""
    low, high = float(values.min()), float(values.max())
    decades = np.log10(high / low)
    if decades < 0.8:
        ticks: list[float] = list(MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high))
        ax.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if tick > 0]))
    else:
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2.2 else (1,), numticks=20))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    ax.yaxis.set_minor_locator(NullLocator())
    pad = (high / low) ** 0.06
    ax.set_ylim(low / pad, high * pad)


def padded(values: ArrayLike, share: float = 0.06) -> tuple[float, float]:
    """Limits of a log axis: the range of the values, extended by `share` of it on either side."""
    low, high = float(np.min(values)), float(np.max(values))
    pad = (high / low) ** share if high > low else 1.5
    return low / pad, high * pad


def log_size_ticks(axis: Axis, low: float, high: float) -> None:
    """A log axis from low to high with ticks labelled 500M, 1G."""
    axis.set_view_interval(low, high, ignore=True)
    decades = np.log10(high / low)
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2.2 else (1,), numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.set_minor_locator(NullLocator())


def power_ticks(ax: Axes, low: float, high: float) -> None:
    """A log x axis from low to high with ticks labelled 1e18, 1e19: for FLOPs, whose prefixes few readers know."""
    ax.set_xlim(low, high)
    decades = np.log10(high / low)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 1.3 else (1,), numticks=7))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: scientific(value)))
    ax.xaxis.set_minor_locator(NullLocator())


def size_ticks(ax: Axes, low: float, high: float) -> None:
    """`power_ticks` where the values exceed 1e15, and so must be FLOPs; `decade_ticks` elsewhere."""
    (power_ticks if high > 1e15 else decade_ticks)(ax, low, high)


def plain_log_ticks(ax: Axes) -> None:
    """A few round numbers on a log x axis, evenly spaced where it spans less than a factor of 6."""
    low, high = ax.get_xlim()
    if high / low < 6:
        ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
        ax.xaxis.set_major_locator(FixedLocator([float(tick) for tick in ticks if low <= tick <= high]))
    else:
        subs = (1, 2, 5) if high / low < 60 else (1,)
        ax.xaxis.set_major_locator(LogLocator(subs=subs, numticks=8))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(float(f"{value:.6g}"))))
    ax.xaxis.set_minor_locator(NullLocator())


def scientific(value: float) -> str:
    """A number of FLOPs, as 3e20 or 1.5e21."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def axis_name(column: str) -> str:
    """Label of an axis that shows this column, with its unit."""
    return _NAMES.get(column, size_name(column))


def loss_axes(ax: Axes, sizes: ArrayLike, values: pd.Series, x: str, y: str) -> None:
    """Log axes for losses against sizes, padded; x = "C" stands for compute."""
    ax.set(xscale="log", yscale="log", xlabel=axis_name(x), ylabel=axis_name(y))
    (power_ticks if x == "C" else decade_ticks)(ax, *padded(sizes))
    log_value_axis(ax, values)
