"""Pictures of forecasts: errors of laws on runs that were held out, and how far beyond the fitted runs those lay."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from harness.analysis.planning.forecast import Forecaster
from harness.errors import DataError
from harness.report.axes import (
    BLACK,
    BLUE,
    COLUMNS,
    GREY,
    LOOKS,
    STYLE,
    VERMILLION,
    legend_above,
    log_value_axis,
    loss_axes,
    new_figure,
    split_off_below,
)
from harness.report.ticks import round_ticks
from harness.wording import confidence, percent


@rc_context(STYLE)
def plot_rolling(tables: Mapping[str, pd.DataFrame], ax: Axes | None = None) -> Axes:
    """The errors of forecasts against how far beyond the fitted runs they reached, with their medians as lines.

    Errors below the third percentile are drawn at it, because a log axis cannot show an error of 0.

    Args:
        tables: law -> what `rolling_extrapolation` returned; a law without rows is named in the legend.

    Raises:
        DataError: none of the tables has a row.
    """
    if not any(len(table) for table in tables.values()):
        raise DataError("nothing to draw: no law made a forecast")
    ax = ax or new_figure(2.7, top_in=0.32 + 0.13 * -(-len(tables) // 2)).add_subplot()
    everything = pd.concat([table for table in tables.values() if len(table)])
    missed = 100 * everything["error"].abs()
    low, high = max(float(missed.quantile(0.03)), 1e-3), float(missed.max())
    for (law, table), (colour, marker) in zip(tables.items(), cycle(LOOKS), strict=False):
        if not len(table):
            ax.plot([], [], " ", label=f"{law}: too few sizes")
            continue
        error = 100 * table["error"].abs()
        ax.plot(table["reach"], error.clip(lower=low), marker, color=colour, markersize=2.2, alpha=0.3, linewidth=0)
        line = _medians(table["reach"].to_numpy(), error.clip(lower=low).to_numpy())
        label = f"{law} {percent(float(table['error'].abs().median()))}"
        ax.plot(*line, color=colour, marker=marker, markersize=3.8, label=label, zorder=3)
    ax.set(xscale="log", yscale="log", ylabel="error of the forecast (%)")
    ax.set_xlabel("size beyond the largest run fitted to (factor)")
    round_ticks(ax.xaxis, 1.0, max(float(everything["reach"].max()) * 1.1, 1.2), lambda value: f"{value:.6g}×")
    log_value_axis(ax, pd.Series([low, max(high, 1.5 * low)]))
    legend_above(ax, columns=2, title="median error of each law")
    return ax


@rc_context(STYLE)
def plot_runs_ahead(
    seen: pd.DataFrame,
    ahead: pd.DataFrame,
    ax: Axes | None = None,
    *,
    columns: tuple[str, ...] = COLUMNS,
    flops_per_token_parameter: float = 6.0,
    level: float = 0.95,
) -> Axes:
    """Loss against compute: the runs that a forecaster was fitted to, and runs not yet made, each with its interval.

    Args:
        seen: a row a run, with `columns`.
        ahead: the variables of `columns`, and predicted, low, high, as `Forecaster.predict` gives them.
        columns: the forecaster's variables, then the loss. With two variables the x axis is compute; otherwise it is
            the only one, or the product of all.
    """
    *variables, loss = columns
    factor = flops_per_token_parameter if len(variables) == 2 else 1.0
    x_seen, x_ahead = (factor * table[variables].prod(axis=1).to_numpy() for table in (seen, ahead))
    ax = ax or new_figure(2.7, top_in=0.36).add_subplot()
    ax.plot(x_seen, seen[loss], "o", color=GREY, markersize=3, markerfacecolor="none", label="runs")
    _bars(ax, x_ahead, ahead, label=f"a new run, {confidence(level)} interval")
    values = pd.concat([seen[loss], ahead["low"], ahead["high"]])
    name = {1: variables[0], 2: "C"}.get(len(variables), " x ".join(variables))
    loss_axes(ax, np.concatenate([x_seen, x_ahead]), values, name, loss)
    legend_above(ax, columns=2)
    return ax


@rc_context(STYLE)
def plot_forecast(
    seen: pd.DataFrame,
    held_out: pd.DataFrame,
    forecaster: Forecaster,
    ax: Axes | None = None,
    *,
    columns: tuple[str, ...] = COLUMNS,
    flops_per_token_parameter: float = 6.0,
) -> Axes:
    """Loss against compute: fitted runs, held-out runs, and the forecast of each of the latter with its interval.

    The panel below shows the held-out runs one by one, in percent of their forecast.

    Args:
        ax: axes of a grid (`subplots`) to draw on; their lower part is used for the panel below.
        columns: the forecaster's variables, then the loss. A single variable is the x axis itself.
    """
    *variables, loss = columns
    factor = flops_per_token_parameter if len(variables) == 2 else 1.0
    x_seen, x_out = (factor * table[variables].prod(axis=1).to_numpy() for table in (seen, held_out))
    # The panel below orders runs of the same budget by N; budgets that differ by rounding alone are the same.
    order = np.lexsort((held_out[variables[0]], np.round(np.log(x_out), 6)))
    held_out, x_out = held_out.iloc[order], x_out[order]
    predicted = forecaster.predict(held_out[variables])
    observed, middle = held_out[loss].to_numpy(), predicted["predicted"].to_numpy()
    inside = (observed >= predicted["low"].to_numpy()) & (observed <= predicted["high"].to_numpy())
    ax = ax or new_figure(3.9, top_in=0.52).add_subplot()
    below = split_off_below(ax, parts=(1.5, 1), gap=0.42)
    rank = np.arange(1, len(x_out) + 1)
    ax.plot(x_seen, seen[loss], "o", color=GREY, markersize=2.4, markerfacecolor="none", label="fitted to")
    _bars(ax, x_out, predicted, label=f"forecast, {confidence(forecaster.level)} interval")
    _bars(below, rank, 100 * predicted[["predicted", "low", "high"]].div(middle, axis=0) - 100)
    for chosen, colour, what in ((inside, BLACK, "inside"), (~inside, VERMILLION, "outside")):
        if chosen.any():
            looks: Any = {"color": colour, "markersize": 2.6, "linewidth": 0, "marker": "o", "zorder": 4}
            ax.plot(x_out[chosen], observed[chosen], label=f"held out, {chosen.sum()} {what}", **looks)
            below.plot(rank[chosen], 100 * (observed / middle - 1)[chosen], **looks)
    values = pd.concat([seen[loss], held_out[loss], predicted["low"], predicted["high"]])
    loss_axes(ax, np.concatenate([x_seen, x_out]), values, "C" if factor > 1 else variables[0], loss)
    below.axhline(0, color=BLUE, linewidth=0.7, zorder=0)
    below.yaxis.set_major_locator(MaxNLocator(5))
    below.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    below.set(xlabel="held-out runs, least compute first", ylabel="off forecast (%)")
    legend_above(ax, columns=2)
    return ax


def _bars(ax: Axes, x: np.ndarray, predicted: pd.DataFrame, label: str | None = None) -> None:
    middle = predicted["predicted"]
    ends = [middle - predicted["low"], predicted["high"] - middle]
    looks: Any = {"color": BLUE, "markersize": 4, "elinewidth": 0.9, "alpha": 0.8, "fmt": "_"}
    ax.errorbar(x, middle, ends, label=label, **looks)


def _medians(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians of y along x: at each x where there are at most 8 of them, else in 6 bins of equally many points."""
    place = np.round(np.log(x), 1)
    if len(np.unique(place)) > 8:
        place = pd.qcut(place, 6, labels=False, duplicates="drop")
    parts = [place == each for each in np.unique(place)]
    return np.array([np.exp(np.log(x[part]).mean()) for part in parts]), np.array(
        [np.median(y[part]) for part in parts]
    )
