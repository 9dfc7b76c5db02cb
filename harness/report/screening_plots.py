"""Pictures of a screening: what each benchmark tells at each size."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from harness.analysis.planning.screening import Screening
from harness.errors import DataError
from harness.report.axes import (
    GREY,
    LIGHT_GREY,
    LOOKS,
    STYLE,
    legend_above,
    new_figure,
    size_axis,
    verbatim,
)
from harness.report.names import metric_name
from harness.wording import plain

__all__ = ["plot_screening"]

_KEY = ["task", "subtask", "metric"]
#: Gain, in units of noise, up to which its axis is linear where gains reach ten times as far.
_LINEAR = 2.0


@rc_context(STYLE)
def plot_screening(screening: Screening, accuracy: float = 0.8, ax: Axes | None = None) -> Axes:
    """Of several recipes the share of pairs ordered as at the target, of one the gain since its smallest size in units
    of noise, against size.

    The six benchmarks of the greatest signal-to-noise are named, with their intervals; the others are thin grey lines.

    Args:
        accuracy: share of pairs from which a benchmark is readable, drawn as a line.

    Raises:
        DataError: no size has what is drawn.
    """
    column = "decision_accuracy" if screening.of_recipes else "over_noise"
    sizes = screening.sizes.dropna(subset=column)
    if sizes.empty:
        raise DataError(f"nothing to draw: no size has a {metric_name(column)}")
    known = set(map(tuple, sizes[_KEY].drop_duplicates().to_numpy()))
    ranked = [key for key in map(tuple, screening.tasks[_KEY].to_numpy()) if key in known]
    named = ranked[: len(LOOKS)]
    rows = -(-(len(named) + (len(ranked) > len(named))) // 2)
    ax = ax or new_figure(2.6, top_in=0.2 + 0.15 * rows).add_subplot()
    size_axis(ax, sizes[screening.x], screening.x)
    parts = dict(iter(sizes.groupby(_KEY, sort=False)))
    # Bars of several benchmarks at one size would hide each other.
    step = (sizes[screening.x].max() / sizes[screening.x].min()) ** (0.01 if screening.of_recipes else 0.0)
    shifts = step ** (np.arange(len(named)) - (len(named) - 1) / 2)
    for key, (colour, marker), shift in zip(named, cycle(LOOKS), shifts, strict=False):
        _line(
            ax, parts[key], screening.x, column, shift, color=colour, marker=marker, label=verbatim(_label(key, ranked))
        )
    for i, key in enumerate(ranked[len(named) :]):
        label = f"{len(ranked) - len(named)} others" if i == 0 else None
        ax.plot(parts[key][screening.x], parts[key][column], color=LIGHT_GREY, linewidth=0.5, label=label, zorder=1)
    (_share_axis if screening.of_recipes else _gain_axis)(ax, sizes[column], accuracy)
    legend_above(ax, columns=2)
    return ax


def _line(ax: Axes, part: pd.DataFrame, x: str, column: str, shift: float, **look: str) -> None:
    """One benchmark, its places moved by a factor."""
    place = part[x] * shift
    ax.plot(place, part[column], markersize=3.2, linewidth=1.0, zorder=3, **look)  # type: ignore[arg-type]
    if f"{column}_low" in part:
        ax.vlines(place, part[f"{column}_low"], part[f"{column}_high"], colors=look["color"], linewidth=0.7, alpha=0.6)


def _share_axis(ax: Axes, _: pd.Series, accuracy: float) -> None:
    for share, meaning in ((0.5, "chance"), (accuracy, "readable")):
        ax.axhline(share, color=LIGHT_GREY, linewidth=0.7, linestyle=(0, (4, 2)), zorder=0)
        looks: Any = {"xytext": (3, -2), "textcoords": "offset points", "va": "top", "color": GREY}
        ax.annotate(meaning, (0, share), xycoords=("axes fraction", "data"), fontsize="x-small", **looks)
    ax.set(ylim=(0, 1.02), ylabel="pairs ordered as at the target")


def _gain_axis(ax: Axes, values: pd.Series, _: float) -> None:
    ax.axhline(0, color=LIGHT_GREY, linewidth=0.7, zorder=0)
    if values.abs().max() > 10 * _LINEAR:
        ax.set_yscale("symlog", linthresh=_LINEAR)
        decades = _LINEAR * 10.0 ** np.arange(np.ceil(np.log10(values.abs().max() / _LINEAR)))
        ax.yaxis.set_major_locator(FixedLocator([*-decades[::-1], 0, *decades]))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    ax.set_ylabel("gain over the noise of a difference")


def _label(key: tuple[str, str, str], ranked: list[tuple[str, str, str]]) -> str:
    """What tells a benchmark from the others that are drawn."""
    several = [len({each[i] for each in ranked}) > 1 for i in range(3)]
    parts = [part for part, tells in zip(key, several, strict=True) if tells and part]
    return metric_name(", ".join(parts) or key[2])
