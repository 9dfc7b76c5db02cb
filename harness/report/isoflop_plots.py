"""Loss against parameters at fixed budgets of compute, with the minimum of each budget."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from harness.analysis.planning.isoflop import IsoFlop, MinimumStatus
from harness.report.axes import (
    COLUMNS,
    GREY,
    STYLE,
    VERMILLION,
    legend_rows,
    loss_axes,
    new_figure,
    scientific,
    shades,
    titled_legend,
)
from harness.wording import confidence

__all__ = ["plot_isoflop"]


@rc_context(STYLE)
def plot_isoflop(
    frame: pd.DataFrame,
    isoflop: IsoFlop,
    ax: Axes | None = None,
    *,
    columns: tuple[str, str, str] = COLUMNS,
) -> Axes:
    """Loss against N at every budget; accepted budgets with their parabola, and their minimum with its interval.

    Runs of budgets without an acceptable minimum are drawn hollow, and the legend gives the reason.

    Args:
        frame: the runs that `isoflop` was fitted to, in the same order.
    """
    n, _, loss = columns
    minima = isoflop.minima_.to_dict("records")
    statuses = [row["status"] for row in minima]
    explanations = _explanations(statuses, isoflop.level)
    rows = legend_rows(len(minima), explanations)
    legend_in = 0.28 + 0.14 * max(rows, _lines(explanations))
    ax = ax or new_figure(2.4 + legend_in, top_in=legend_in).add_subplot()
    handles: list[Line2D] = []
    for row, colour in zip(minima, shades(len(minima)), strict=True):
        runs = frame[isoflop.budget_ == row["budget"]].sort_values(n)
        handles += _draw_budget(ax, runs[n].to_numpy(float), runs[loss].to_numpy(float), row, isoflop.approach, colour)
    loss_axes(ax, frame[n], frame[loss], n, loss)
    titled_legend(ax, "budget C in FLOPs", handles, explanations)
    return ax


def _draw_budget(
    ax: Axes, sizes: np.ndarray, loss: np.ndarray, minimum: dict[Any, Any], approach: int, colour: Any
) -> list[Line2D]:
    accepted = minimum["status"] == MinimumStatus.ACCEPTED
    looks: Any = {"color": colour, "markerfacecolor": colour if accepted else "none", "markeredgewidth": 0.8}
    handles = ax.plot(sizes, loss, "o", markersize=3, label=scientific(minimum["budget"]), **looks)
    if accepted and approach == 1:
        ax.plot(sizes, loss, color=colour, linewidth=0.6)
    elif accepted:
        logs = np.log(sizes)
        parabola = np.polynomial.Polynomial.fit(logs, loss, 2)
        along = np.linspace(logs.min(), logs.max(), 80)
        ax.plot(np.exp(along), parabola(along), color=colour, linewidth=0.9)
    if accepted:
        ax.plot([minimum["N_low"], minimum["N_high"]], [minimum["loss"]] * 2, color=VERMILLION, linewidth=1.4, zorder=4)
        ax.plot(minimum["N"], minimum["loss"], "D", color=VERMILLION, markersize=3.6, zorder=5)
    return handles


def _explanations(statuses: list[str], level: float) -> list[Line2D]:
    """Legend entries for accepted minima, and for each reason why a budget has none."""
    entries = []
    if MinimumStatus.ACCEPTED in statuses:
        label = f"minimum, {confidence(level)} interval"
        entries.append(Line2D([], [], color=VERMILLION, marker="D", markersize=3.6, label=label))
    for reason in dict.fromkeys(status for status in statuses if status != MinimumStatus.ACCEPTED):
        label = "\n".join(textwrap.wrap(f"hollow: {reason}", 24))
        looks: Any = {"marker": "o", "markersize": 3, "markerfacecolor": "none", "linewidth": 0, "color": GREY}
        entries.append(Line2D([], [], label=label, **looks))
    return entries


def _lines(handles: list[Line2D]) -> int:
    return sum(1 + str(handle.get_label()).count("\n") for handle in handles)
