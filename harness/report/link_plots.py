"""The second step of a forecast as a picture: a metric against the loss that it follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from harness.records.columns import FINITE, number_column, require_columns
from harness.report import names
from harness.report.axes import BLACK, BLUE, GREY, STYLE, VERMILLION, legend_above, new_figure, verbatim
from harness.wording import confidence

#: Half-width of a 95 % interval in standard errors.
_BAR = 1.96
#: Share of what is drawn that is left free on either side of it, and how near to it a line across must be to be drawn.
_ROOM, _NEAR = 0.06, 0.25
#: Height of one of several panels.
_PANEL_IN = 2.6


@rc_context(STYLE)
def link_panels(count: int) -> list[Axes]:
    """Axes below each other, with room for the legend of each."""
    figure = new_figure(_PANEL_IN * count, top_in=0.52)
    figure.subplots_adjust(hspace=0.62)
    return list(np.ravel(figure.subplots(count, 1)))


@rc_context(STYLE)
def plot_link(
    points: pd.DataFrame,
    curve: pd.DataFrame,
    forecasts: pd.DataFrame,
    ax: Axes | None = None,
    *,
    loss_name: str,
    metric_name: str,
    chance: float | None = None,
    ceiling: float | None = 1.0,
    level: float = 0.95,
) -> Axes:
    """A metric against the loss: runs, the fitted link with its band, and forecasts with their intervals.

    The loss falls to the right, so that what is still to come lies on the right, as it does along sizes.

    Args:
        points: a row a run: `loss`, `metric` and, where known, `stderr` of the metric, drawn as a 95 % bar.
        curve: the link along losses: `loss`, `predicted`, `low`, `high`; the band has gaps where an end is not finite.
        forecasts: a row a run not yet made, perhaps none: `loss`, `predicted`, `low`, `high` of the metric and, where
            known, `loss_low` and `loss_high`. An end that is not finite reaches the edge of the picture.
        loss_name, metric_name: columns of the user's table, which name the axes.
        chance, ceiling: the value of a guesser and the largest value of the metric, drawn as lines across where the
            picture reaches near them; None for a metric without one.
        level: of the band and the intervals of forecasts, in (0, 1); for the legend.

    Raises:
        DataError: a column is missing, or a loss or a metric of a run is not a finite number.
    """
    require_columns(curve, ("loss", "predicted", "low", "high"))
    require_columns(forecasts, ("loss", "predicted", "low", "high"))
    losses, values = (number_column(points, name, FINITE, empty=False) for name in ("loss", "metric"))
    ax = ax or new_figure(2.6, top_in=0.52).add_subplot()
    order = np.argsort(curve["loss"].to_numpy(float))
    along, middle, low, high = (curve[name].to_numpy(float)[order] for name in ("loss", "predicted", "low", "high"))
    ax.plot(along, middle, color=VERMILLION, label="link", zorder=3)
    band: Any = {"color": VERMILLION, "alpha": 0.2, "linewidth": 0, "label": f"{confidence(level)} interval"}
    ax.fill_between(along, low, high, where=np.isfinite(low) & np.isfinite(high), **band)
    bars = _BAR * number_column(points, "stderr") if "stderr" in points else np.zeros(len(points))
    looks: Any = {"color": BLACK, "markersize": 3.2, "markerfacecolor": "none", "alpha": 0.6, "elinewidth": 0.7}
    ax.errorbar(losses, values, np.nan_to_num(bars), fmt="o", label="runs", zorder=2, **looks)
    drawn = np.concatenate([values - bars, values + bars, middle, low, high])
    drawn = np.concatenate([drawn, forecasts[["predicted", "low", "high"]].to_numpy(float).ravel()])
    _lines_across(ax, drawn[np.isfinite(drawn)], {"chance": chance, "ceiling": ceiling})
    if len(forecasts):
        _draw_forecasts(ax, forecasts, f"forecast, {confidence(level)} interval")
    _fall_to_the_right(ax, np.concatenate([losses, along, forecasts["loss"].to_numpy(float)]))
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.set(xlabel=f"{_plain(loss_name)}, falling", ylabel=_plain(metric_name))
    legend_above(ax, columns=2)
    return ax


def _lines_across(ax: Axes, drawn: np.ndarray, lines: dict[str, float | None]) -> None:
    """Limits of the metric about what is drawn, and a line at each of these values that lies near."""
    low, high = float(drawn.min()), float(drawn.max())
    span = high - low or 0.1 * abs(high) or 1.0
    near = {
        name: value
        for name, value in lines.items()
        if value is not None and low - _NEAR * span <= value <= high + _NEAR * span
    }
    for name, value in near.items():
        style: Any = (0, (4, 3)) if name == "chance" else (0, (1, 2))
        ax.axhline(value, color=GREY, linewidth=0.8, linestyle=style, label=name, zorder=1)
    ax.set_ylim(min([low, *near.values()]) - _ROOM * span, max([high, *near.values()]) + _ROOM * span)


def _draw_forecasts(ax: Axes, forecasts: pd.DataFrame, label: str) -> None:
    place, middle = forecasts["loss"].to_numpy(float), forecasts["predicted"].to_numpy(float)
    low, high = (np.clip(forecasts[end].to_numpy(float), *ax.get_ylim()) for end in ("low", "high"))
    sideways = None
    if {"loss_low", "loss_high"} <= set(forecasts.columns):
        sideways = [place - forecasts["loss_low"].to_numpy(float), forecasts["loss_high"].to_numpy(float) - place]
    looks: Any = {"color": BLUE, "markersize": 3.6, "elinewidth": 1.0, "fmt": "D", "zorder": 4}
    ax.errorbar(place, middle, [middle - low, high - middle], sideways, label=label, **looks)


def _fall_to_the_right(ax: Axes, losses: np.ndarray) -> None:
    known = losses[np.isfinite(losses)]
    low, high = float(known.min()), float(known.max())
    pad = _ROOM * (high - low or abs(high) or 1.0)
    ax.set_xlim(high + pad, low - pad)
    ax.xaxis.set_major_locator(MaxNLocator(5))


def _plain(metric: str) -> str:
    return verbatim(names.metric_name(metric))
