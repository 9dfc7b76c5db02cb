"""Error against the number of training images: runs, forecasts with intervals, and what is published."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from forecasts import EXAMPLES, Forecast
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import harness
from harness.report.axes import GREY, LOOKS, PAGE_WIDTH_IN, STYLE, save_figure

#: Colour and marker of each study.
_LOOK = dict(zip(("mlp", "mlp_augmented", "cnn", "cnn_augmented"), LOOKS, strict=False))
#: Share by which forecasts are drawn beside each other.
_APART = 1.07


@dataclass(frozen=True)
class Panel:
    """One data set.

    Attributes:
        title: its name.
        runs: study -> rows of errors on few images.
        forecasts: study -> the forecast for all images.
        on_all: rows of errors on all images; None where nobody trained on them.
        published: study -> accuracy.
    """

    title: str
    runs: dict[str, pd.DataFrame]
    forecasts: dict[str, Forecast]
    on_all: pd.DataFrame | None = None
    published: dict[str, float] | None = None

    def with_all(self, on_all: pd.DataFrame | None, published: dict[str, float]) -> Panel:
        return replace(self, on_all=on_all, published=published)


def draw(panels: list[Panel], folder: Path) -> None:
    with rc_context(STYLE):
        figure = Figure(figsize=(PAGE_WIDTH_IN * len(panels) / 2, 3.2), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for ax, panel in zip(axes, panels, strict=True):
            _draw_panel(ax, panel)
        axes[0].set_ylabel("wrong answers (%)")
        folder.mkdir(parents=True, exist_ok=True)
        save_figure(axes[0], folder / "figure")


def _draw_panel(ax: Axes, panel: Panel) -> None:
    for i, (study, runs) in enumerate(panel.runs.items()):
        colour, marker = _LOOK[study]
        ax.plot(runs[EXAMPLES], 100 * runs["value"], marker, color=colour, ms=3.5, mfc="none", mew=0.8)
        its = panel.forecasts[study]
        sizes = np.geomspace(runs[EXAMPLES].min(), its.examples, 60)
        law = harness.Forecaster().fit(runs[[EXAMPLES]], runs["value"], runs["seed"], clusters=runs[EXAMPLES])
        ax.plot(sizes, 100 * law.predict(sizes)["predicted"], color=colour, lw=1)
        at = its.examples * _APART ** (2 * i - len(panel.runs) + 1)
        ax.errorbar(at, 100 * its.predicted, [[100 * (its.predicted - its.low)], [100 * (its.high - its.predicted)]],
                    fmt=marker, color=colour, ms=4, capsize=2, lw=1)  # fmt: skip
        if panel.published and study in panel.published:
            ax.plot(at, 100 * (1 - panel.published[study]), "*", color=colour, ms=9, mec="black", mew=0.5)
        if panel.on_all is not None:
            reached = panel.on_all[panel.on_all["study"] == study]
            ax.plot([at] * len(reached), 100 * reached["value"], "_", color="black", ms=9, mew=1.2)
    ax.set(xscale="log", yscale="log", xlabel="training images", title=panel.title)
    _ticks(ax)
    ax.legend(handles=_legend(panel), fontsize=6.5, loc="lower left")


def _ticks(ax: Axes) -> None:
    low, high = ax.get_ylim()
    ticks = [t for t in (0.5, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50) if low < t < high]
    ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
    ax.set_xticks([500, 1000, 2000, 4000, 8000, 60_000], ["500", "1k", "2k", "4k", "8k", "60k"])
    ax.minorticks_off()


def _legend(panel: Panel) -> list[Line2D]:
    def of(label: str, marker: str, colour: str = GREY, **how: object) -> Line2D:
        return Line2D([], [], ls="", marker=marker, color=colour, label=label, **how)  # type: ignore[arg-type]

    studies = [
        Line2D(
            [], [], color=_LOOK[study][0], marker=_LOOK[study][1], ms=3.5, mfc="none", label=study.replace("_", ", ")
        )
        for study in panel.runs
    ]
    marks = [of("forecast, 95 %", "o", ms=4), of("published", "*", ms=8, mec="black")]
    if panel.on_all is not None:
        marks.append(of("trained on all", "_", "black", ms=8))
    return studies + marks
