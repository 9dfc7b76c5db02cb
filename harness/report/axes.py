"""What all pictures share: size, type, colours, axes, legends and how they are saved.

Every picture is drawn at column width (3.4 in) unless its docstring says otherwise, with type of 7 to 8 points and the
palette of Okabe and Ito (2008), whose colours remain distinct for colour-blind readers. None uses pyplot, so that no
window opens and no figure is kept in memory.
"""

from __future__ import annotations

import io
import math
import sys
import textwrap
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from harness.records.files import write_whole
from harness.report.names import size_name
from harness.report.ticks import given_ticks, round_ticks, write_size
from harness.wording import plain

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

#: Colour and marker of each of several curves, in order of appearance; up to six either alone identifies the curve.
LOOKS = ((BLUE, "o"), (VERMILLION, "s"), (GREEN, "^"), (PURPLE, "D"), (ORANGE, "v"), (SKY, "P"))
_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))
#: Curves that can be told apart in one picture, by colour and line style.
MOST_CURVES = len(LOOKS) * len(_DASHES)
#: Characters of a legend's label that fit half of a column, and all of it.
_HALF_WIDTH, _FULL_WIDTH = 22, 54

#: For surfaces; and for curves in order, of which one must be told from the next by its hue.
SEQUENTIAL, _IN_ORDER = colormaps["cividis"], colormaps["viridis"]

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
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg")]
    for path, kind in zip(paths, ("png", "svg"), strict=True):
        write_whole(path, as_file(axes, kind))
    return paths


def as_file(axes: Axes, kind: str) -> bytes:
    """The figure that `axes` belongs to as a file of this kind: png (200 dots per inch) or svg."""
    figure, picture = axes.get_figure(root=True), io.BytesIO()
    assert figure is not None
    with rc_context(STYLE), warnings.catch_warnings():
        # A letter that the font lacks is a box in the picture, as everywhere; the name itself is in the tables.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(picture, format=kind, dpi=200, metadata={"Date": None} if kind == "svg" else None)
    return picture.getvalue()


def legend_above(ax: Axes, columns: int, left: float = 0.0, **settings: Any) -> None:
    """Place the legend above the axes, where it cannot hide data; it begins at `left`, in widths of the axes."""
    layout: Any = {"handlelength": 1.6, "columnspacing": 1.2, "labelspacing": 0.25, "borderaxespad": 0.2}
    title: Any = {"alignment": "left", "title_fontsize": 7} if "title" in settings else {}
    ax.legend(loc="lower left", bbox_to_anchor=(left, 1.0), ncols=columns, **layout | title | settings)


def labels_above(ax: Axes | None, labels: Iterable[str], axes_in: float) -> tuple[Axes, int]:
    """Axes with room above them for a legend of these labels, however many and long, and the columns that it has.

    Args:
        ax: the user's own axes, which stay as they are; None for a new figure.
        axes_in: height of the axes.
    """
    labels = list(labels)
    columns = 2 if max(map(len, labels)) <= _HALF_WIDTH else 1
    lines = sum(1 + label.count("\n") for label in labels)  # labels of two columns have a line each
    top_in = 0.14 + 0.135 * -(-lines // columns)
    return ax or new_figure(axes_in + 0.42 + top_in, top_in=top_in).add_subplot(), columns


def verbatim(name: object) -> str:
    """A user's name on one line, in which matplotlib typesets nothing."""
    return " ".join(str(name).split()).replace("$", r"\$")


def wrapped(label: str) -> str:
    """A label of a legend in lines that fit the width of a column."""
    return "\n".join(textwrap.wrap(label, _FULL_WIDTH, break_on_hyphens=False)) or label


def titled_legend(ax: Axes, title: str, handles: Sequence[Artist], explanations: Sequence[Artist]) -> None:
    """A legend above the axes: entries under a title, and in its last column explanations, which may be long."""
    rows = legend_rows(len(handles), explanations)
    blank = Line2D([], [], linewidth=0, label=" ")  # keeps the explanations together
    entries = [each for part in (handles, explanations) for each in (*part, *[blank] * (-len(part) % rows))]
    legend_above(ax, len(entries) // rows, handles=entries, title=verbatim(title), handlelength=1.2, columnspacing=0.9)


def legend_rows(n_entries: int, explanations: Sequence[Artist], columns: int = 2) -> int:
    """Rows of `titled_legend` where its entries stand in so many columns."""
    return max(-(-n_entries // columns), len(explanations))


def shades(n: int) -> list[Any]:
    """Colours of n curves in order, dark to light: perceptually uniform in grey and for colour-blind readers."""
    return [_IN_ORDER(shade) for shade in np.linspace(0.0, 0.88, n)]


def look(i: int) -> tuple[str, str, Any]:
    """Colour, marker and line style of curve i of `MOST_CURVES` or fewer."""
    turn, at = divmod(i, len(LOOKS))
    return LOOKS[at][0], LOOKS[(at + turn) % len(LOOKS)][1], _DASHES[turn]


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
    given_ticks(ax.xaxis, rungs, invert=falls)
    name = verbatim(size_name(column))
    ax.set_xlabel(f"{name}, falling" if falls else name)


def size_ticks(axis: Axis, low: float, high: float) -> None:
    """A log axis of sizes, tokens or FLOPs from low to high, with round ticks: 500M, 1G, 3e20."""
    round_ticks(axis, low, high, write_size)


def log_value_axis(ax: Axes, values: pd.Series) -> None:
    """A log y axis about these values with plain numbers."""
    round_ticks(ax.yaxis, *padded(values), plain)


def padded(values: ArrayLike, share: float = 0.06) -> tuple[float, float]:
    """Limits of a log axis: the range of the values, extended by `share` of it on either side."""
    low, high = float(np.min(values)), float(np.max(values))
    pad = math.exp(share * (math.log(high) - math.log(low))) if high > low else 1.5
    # A loss that was recorded as 1e308 is drawn too.
    return max(low / pad, sys.float_info.min), min(high * pad, sys.float_info.max)


def plain_log_ticks(ax: Axes) -> None:
    """A few round numbers on a log x axis."""
    round_ticks(ax.xaxis, *ax.get_xlim(), lambda value: plain(float(f"{value:.6g}")))


def scientific(value: float) -> str:
    """A number of FLOPs, as 3e20 or 1.5e21."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def axis_name(column: str) -> str:
    """Label of an axis that shows this column, with its unit."""
    return _NAMES.get(column, verbatim(size_name(column)))


def loss_axes(ax: Axes, sizes: ArrayLike, values: pd.Series, x: str, y: str) -> None:
    """Log axes for losses against sizes, padded; x = "C" stands for compute."""
    ax.set(xscale="log", yscale="log", xlabel=axis_name(x), ylabel=axis_name(y))
    size_ticks(ax.xaxis, *padded(sizes))
    log_value_axis(ax, values)
