"""Spelling to sound over width: the law of the loss, and whole words against phonemes. Draws figure.png.

python experiments/spelling/run.py      (2 cores, about 3 minutes; what is trained already is not trained again)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.cli import main as harness
from harness.report.analyze import Analysis, analyze
from harness.report.axes import BLUE, GREY, STYLE, VERMILLION, save_figure, size_axis
from harness.tasks.spelling.spelling import Spelling
from harness.wording import interval

X, STUDY = "params_non_embedding", "spelling"


def curve(analysis: Analysis, metric: str, subtask: str = "all") -> pd.DataFrame:
    """A row for each run: its size and the value of the metric."""
    frame = analysis.frame
    return frame[(frame["metric"] == metric) & (frame["subtask"] == subtask)]


def independent(accuracy: np.ndarray) -> np.ndarray:
    """Exact match of the evaluation words, were each phoneme right with this probability whatever the others are."""
    lengths = np.array(Spelling().answer_lengths)
    return (accuracy[:, None] ** lengths).mean(axis=1)


def by_size(analysis: Analysis) -> pd.DataFrame:
    """Shares of phonemes and of words that are right, means over seeds, and of words were phonemes independent."""
    named = {"phonemes": "token_accuracy", "words": "exact_match"}
    table = pd.DataFrame({name: curve(analysis, metric).groupby(X)["value"].mean() for name, metric in named.items()})
    return table.assign(independent=independent(table["phonemes"].to_numpy()))


def draw_law(ax: Axes, analysis: Analysis) -> None:
    runs, law = curve(analysis, "loss"), analysis.fits[STUDY, X]
    band = law.predict(sorted(runs[X].unique()), level=0.95)
    low, high = law.intervals_["alpha"]
    label = f"exponent {law.params_['alpha']:.2f} ({low:.2f} to {high:.2f})"
    ax.plot(band["x"], band["predicted"], color=VERMILLION, lw=1.4, label=label)
    ax.fill_between(band["x"], band["low"], band["high"], color=VERMILLION, alpha=0.2, lw=0)
    ax.plot(runs[X], runs["value"], "o", color="black", ms=3, mfc="none", mew=0.7)
    ticks = [0.4, 0.6, 1, 2, 3]
    ax.set(yscale="log", ylabel="loss (nats per phoneme)")
    ax.minorticks_off()
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.legend(fontsize=7, frameon=False)


def draw_pair(ax: Axes, analysis: Analysis) -> None:
    table = by_size(analysis)
    for metric, column, name, colour, marker in (
        ("token_accuracy", "phonemes", "phonemes", BLUE, "s"),
        ("exact_match", "words", "whole words", VERMILLION, "o"),
    ):
        runs = curve(analysis, metric)
        ax.plot(table[column], color=colour, lw=1.4, label=name)
        ax.plot(runs[X], runs["value"], marker, color=colour, ms=3, mfc="none", mew=0.7)
    ax.plot(table["independent"], color=GREY, lw=1, ls="--", label="whole words, were phonemes independent")
    ax.set(ylabel="share that is right", ylim=(-0.02, 1.3), yticks=np.linspace(0, 1, 6))
    ax.legend(fontsize=7, frameon=False, loc="upper left")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    harness(["sweep", "experiment=spelling"])
    analysis = analyze(Path("results") / "spelling")
    law = analysis.fits[STUDY, X]
    for name, value in law.params_.items():
        print(name, interval(value, *law.intervals_[name]))
    with pd.option_context("display.width", 250):
        print(analysis.jumps[["subtask", "metric", "verdict", "threshold"]].to_string(index=False))
    print(by_size(analysis).round(3))
    plt.rcParams.update(STYLE)
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
    draw_law(axes[0], analysis)
    draw_pair(axes[1], analysis)
    figure.draw_without_rendering()  # which sizes have room for a label is known once the panels have their places
    for ax in axes:
        size_axis(ax, curve(analysis, "loss")[X], X)
    save_figure(axes[0], analysis.folder / "figure")
    print(f"figure: {analysis.folder}/figure.png")


if __name__ == "__main__":
    main()
