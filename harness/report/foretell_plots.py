"""Pictures of a foretold threshold: N* against the examples that models were fine-tuned on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from harness.analysis.planning.foretell import KEY, Foretold
from harness.errors import DataError
from harness.report.axes import (
    BLACK,
    BLUE,
    COLUMN_WIDTH_IN,
    GREY,
    LIGHT_GREY,
    PAGE_WIDTH_IN,
    STYLE,
    VERMILLION,
    padded,
    verbatim,
)
from harness.report.names import metric_name, size_name
from harness.report.ticks import round_ticks, write_size
from harness.wording import confidence, count

__all__ = ["plot_foretold"]

#: Panels at most, and labels of amounts in one.
_MOST, _MOST_LABELS = 6, 5


@rc_context(STYLE)
def plot_foretold(found: Foretold, observed: pd.DataFrame | None = None, figure: Figure | None = None) -> list[Axes]:
    """N* against the amount of fine-tuning, a panel an ability: by the runs of each amount, by the law, and foretold.

    The pretrained family stands on the left, at amount 0.

    Args:
        observed: N* found of the family: the columns of the ability, observed, observed_low, observed_high.
        figure: to draw on; a new one unless given.

    Raises:
        DataError: no ability has runs that were placed.
    """
    keys = [key for key in found.forecasters if len(found.forecasters[key].thresholds_)][:_MOST]
    if not keys:
        raise DataError("nothing to draw: no ability has enough sizes and amounts")
    columns = min(len(keys), 3)
    rows = -(-len(keys) // columns)
    width = COLUMN_WIDTH_IN if columns == 1 else PAGE_WIDTH_IN
    figure = figure or Figure(figsize=(width, 0.75 + 2.15 * rows), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, squeeze=False).ravel())
    for key, ax in zip(keys, panels, strict=False):
        _panel(ax, found, key, _seen(observed, key))
    for ax in panels[len(keys) :]:
        ax.set_visible(False)
    for i, ax in enumerate(panels[: len(keys)]):
        ax.set_xlabel("fine-tuning examples" if i >= len(keys) - columns else "")
        ax.set_ylabel(f"N*, {verbatim(size_name(found.axis.x))}" if i % columns == 0 else "")
    handles: dict[str, Artist] = {}
    for ax in panels[: len(keys)]:
        handles |= {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=2, frameon=False, fontsize=7)
    return list(panels[: len(keys)])


def _seen(observed: pd.DataFrame | None, key: tuple[str, ...]) -> tuple[float, float, float] | None:
    """N* found and its interval."""
    if observed is None or observed.empty:
        return None
    own = observed[(observed[list(KEY)].astype(str) == list(key)).all(axis=1)]
    if own.empty or not np.isfinite(own["observed"].iloc[0]):
        return None
    value, low, high = own[["observed", "observed_low", "observed_high"]].iloc[0]
    return float(value), float(low), float(high)


def _panel(ax: Axes, found: Foretold, key: tuple[str, ...], seen: tuple[float, float, float] | None) -> None:
    fitted, axis = found.forecasters[key], found.axis
    placed = fitted.thresholds_
    tuned = placed[placed["amount"] > 0]
    amounts = tuned["amount"].to_numpy(float)
    ratio = max((amounts[-1] / amounts[0]) ** (1 / max(len(amounts) - 1, 1)), 2.0)
    zero = amounts[0] / ratio**1.5
    last = fitted.largest_
    shown = [last]
    known = tuned[(tuned["threshold"] > 0) & np.isfinite(tuned["threshold"])]
    ends = np.clip(known[["low", "high"]].to_numpy(float), fitted.smallest_, last)
    for (_, row), (low, high) in zip(known.iterrows(), ends, strict=True):
        ax.plot([row["amount"]] * 2, [low, high], color=BLUE, linewidth=0.9, zorder=2)
    ax.plot(
        known["amount"], known["threshold"], "o", color=BLUE, markersize=4, label="by the runs of an amount", zorder=3
    )
    shown += [*known["threshold"], *ends.ravel()]
    if fitted.status_ == "forecast":
        grid = np.geomspace(amounts[0] / ratio**0.6, amounts[-1], 60)
        law = fitted.predict(grid)
        ax.plot(grid, law["threshold"], color=BLUE, linewidth=1.0, label="law")
        ax.fill_between(grid, law["low"], np.minimum(law["high"], last * 1e4), color=BLUE, alpha=0.15, linewidth=0)
        high = min(fitted.high_, last * 1e4)
        level = confidence(found.level)
        ax.plot([zero] * 2, [fitted.low_, high], color=VERMILLION, linewidth=1.4, zorder=2)
        ax.plot(zero, fitted.threshold_, "s", color=VERMILLION, markersize=4.5, label=f"foretold, {level}", zorder=3)
        shown += [fitted.low_, high, fitted.threshold_]
    if seen is not None:
        value, low, high = (1 / end for end in (seen[0], seen[2], seen[1])) if axis.falls else seen
        at = zero / ratio**0.3
        if 0 < low < high < np.inf:
            ax.plot([at] * 2, [low, high], color=BLACK, linewidth=0.9, zorder=2)
            shown += [low, high]
        ax.plot(at, value, "D", color=BLACK, markersize=4, label="found in the family", zorder=3)
        shown.append(value)
    ax.axhline(last, color=LIGHT_GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0, label="largest size used")
    ax.set(xscale="log", yscale="log", xlim=(zero / ratio**0.7, amounts[-1] * ratio**0.4))
    apart = -(-len(amounts) // _MOST_LABELS)
    labels = [_short(amount) if i % apart == 0 else "" for i, amount in enumerate(amounts)]
    ax.xaxis.set_major_locator(FixedLocator([zero, *amounts]))
    ax.xaxis.set_major_formatter(FixedFormatter(["none", *labels]))
    ax.xaxis.set_minor_locator(NullLocator())
    low, high = padded(shown)
    round_ticks(ax.yaxis, low, high, (lambda value: f"{1 / value:.3g}") if axis.falls else write_size)
    title = verbatim(_title(key, list(found.forecasters)))
    ax.set_title(
        title if fitted.status_ == "forecast" else f"{title}: {fitted.status_}",
        color=BLACK if fitted.status_ == "forecast" else GREY,
    )


def _short(amount: float) -> str:
    return write_size(amount) if amount >= 1000 else count(amount)


def _title(key: tuple[str, ...], keys: list[tuple[str, ...]]) -> str:
    """What tells an ability from the others."""
    telling = [part for i, part in enumerate(key) if len({each[i] for each in keys}) > 1 and part]
    return metric_name(", ".join(telling) or key[-1])
