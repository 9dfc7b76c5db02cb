"""The figure of the study: six panels from the tables of run.py."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import MaxNLocator, NullLocator

import harness
from harness.report.axes import BLUE, GREEN, GREY, VERMILLION, scientific
from harness.wording import percent

SIZE = "params_non_embedding"
THRESHOLD = ("threshold_tokens", "threshold_low_tokens", "threshold_high_tokens")
SIGN_NAMES = {
    "prefix_matching": "prefix\nmatching",
    "previous_token": "previous\ntoken",
    "loss": "loss on\nrepeats",
    "token_accuracy": "token\naccuracy",
}


def draw(
    frame: pd.DataFrame,
    placed: pd.DataFrame,
    law: harness.ScalingLaw,
    compute: float,
    signs: pd.DataFrame,
    table: pd.DataFrame,
    path: Path,
) -> None:
    """Draw and save.

    Args:
        frame: `harness.load`, every study.
        placed, law, compute: N* by training, its law over tokens, and the FLOPs at which a width gains the ability.
        signs, table: early signs of runs, and what they foretell.
        path: of the PNG.
    """
    plt.rcParams.update({"font.size": 8, "axes.titlesize": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.6), layout="constrained")
    tokens = frame[(frame["metric"] == "token_accuracy")]
    whole = tokens[tokens["subtask"] == "all"]
    draw_sizes(axes[0, 0], whole)
    draw_depths(axes[0, 1], whole)
    draw_training(axes[0, 2], placed, law)
    draw_compute(axes[0, 2], whole[whole["study"] == "two_layers"], compute)
    axes[0, 2].legend(fontsize=7, frameon=False)
    draw_runs(axes[1, 0], signs)
    draw_foretold(axes[1, 1], table)
    draw_hops(axes[1, 2], tokens)
    figure.savefig(path, dpi=120)


def curve(ax: Axes, rows: pd.DataFrame, x: str, style: str, **about: object) -> None:
    """Every run as a marker and the mean of runs as a line."""
    means = rows.groupby(x)["value"].mean()
    marker, line = style[0], style[1:]
    ax.plot(means.index, means, line, marker=marker, ms=3.5, lw=1.3, **about)
    about.pop("label", None)
    ax.plot(rows[x], rows["value"], marker, ms=2.5, mfc="none", mew=0.6, alpha=0.6, **about)


def plain_ticks(axis: Axis, ticks: tuple[int, ...]) -> None:
    axis.set_ticks(ticks, [f"{tick:,}" for tick in ticks])
    axis.set_minor_locator(NullLocator())


def draw_sizes(ax: Axes, whole: pd.DataFrame) -> None:
    lines = ((500, "-"), (2000, "--"))
    for study, colour, marker, name in (
        ("two_layers", BLUE, "o", "two layers"),
        ("one_layer", VERMILLION, "s", "one layer"),
    ):
        for steps, line in lines:
            rows = whole[(whole["study"] == study) & (whole["step"] == steps)]
            curve(ax, rows, SIZE, marker + line, color=colour)
        ax.plot([], [], marker, ms=3.5, color=colour, label=name)
    for steps, line in lines:
        ax.plot([], [], line, lw=1.3, color=GREY, label=f"{steps:,} steps")
    ax.set(xscale="log", xlabel="non-embedding parameters", ylabel="token accuracy", ylim=(-0.03, 1.3))
    ax.set_title("Induction: one layer and two, by size")
    plain_ticks(ax.xaxis, (300, 1000, 3000, 10_000))
    ax.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    # Above the curves, which fill the rest of the panel.
    ax.legend(fontsize=7, frameon=False, loc="upper left", ncols=2, handlelength=2.6, columnspacing=1)


def draw_depths(ax: Axes, whole: pd.DataFrame) -> None:
    for study, colour, marker in (("layers", BLUE, "o"), ("layers_narrow", VERMILLION, "s")):
        rows = whole[whole["study"] == study]
        curve(ax, rows, "depth", marker + "-", color=colour, label=f"width {rows['width'].iloc[0]}")
    ax.set(
        xlabel="layers", ylabel="token accuracy", ylim=(-0.03, 1.03), title="Induction: depth at fixed width, 500 steps"
    )
    ax.legend(fontsize=7, frameon=False, loc="center right")


def draw_training(ax: Axes, placed: pd.DataFrame, law: harness.ScalingLaw) -> None:
    rows = placed[(placed["best"] >= 0.9) & np.isfinite(placed[THRESHOLD[0]])]
    for lr, colour, marker in ((0.005, GREEN, "^"), (0.01, BLUE, "o"), (0.02, VERMILLION, "s")):
        part = rows[rows["lr"] == lr]
        value, low, high = (part[name].to_numpy() for name in THRESHOLD)
        # A little aside, so that intervals of one duration do not hide each other.
        at = part["tokens"] * 1.05 ** np.log2(lr / 0.01)
        ax.errorbar(
            at,
            value,
            [value - low, np.where(np.isfinite(high), high - value, 0)],
            fmt=marker,
            ms=4,
            lw=1,
            capsize=2,
            color=colour,
            label=f"learning rate {lr:g}",
        )
    middle = rows.loc[rows["lr"] == 0.01, "tokens"]
    at = np.geomspace(middle.min(), middle.max(), 60)
    ax.plot(at, law.predict(at, level=0.95)["predicted"], color=BLUE, lw=1, alpha=0.7)
    ax.set(xscale="log", yscale="log", xlabel="training tokens", ylabel="N*, non-embedding parameters")
    ax.set_title("Induction, two layers: N* falls with training")
    plain_ticks(ax.xaxis, (100_000, 200_000, 500_000, 1_000_000))
    plain_ticks(ax.yaxis, (300, 1000, 3000, 10_000))


def draw_compute(ax: Axes, whole: pd.DataFrame, compute: float) -> None:
    """The tokens that one amount of compute buys each size."""
    whole = whole.assign(tokens_bought=compute * whole["tokens_run"] / whole["flops_run"])
    line = whole.groupby(SIZE)["tokens_bought"].mean()
    low, high = whole["tokens_run"].min(), whole["tokens_run"].max()
    line = line[(line > 0.8 * low) & (line < 1.2 * high)]
    ax.plot(line, line.index, color=GREY, lw=1, ls="--", label=f"{scientific(compute)} training FLOPs")


def draw_runs(ax: Axes, signs: pd.DataFrame) -> None:
    for share, colour, marker in ((0.25, BLUE, "o"), (0.5, VERMILLION, "s")):
        part = signs[signs["share"] == share]
        label = f"at {percent(share)} of training"
        ax.plot(part["prefix_matching"], part["final"], marker, color=colour, ms=3.5, mfc="none", mew=0.8, label=label)
    ax.axhline(0.5, color=GREY, lw=0.8, ls=":")
    ax.set(
        xscale="log",
        xlabel="prefix-matching score (share of attention)",
        ylabel="token accuracy at the end",
    )
    ticks = [0.08, 0.1, 0.15, 0.2, 0.3]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set(ylim=(-0.03, 1.03), title="Induction: runs near the threshold")
    ax.legend(fontsize=7, frameon=False, loc="lower right")


def draw_foretold(ax: Axes, table: pd.DataFrame) -> None:
    for share, colour, marker, shift in ((0.25, BLUE, "o", -0.12), (0.5, VERMILLION, "s", 0.12)):
        part = table[table["share"] == share].set_index("sign").loc[list(SIGN_NAMES)]
        spread = [part["auc"] - part["auc_low"], part["auc_high"] - part["auc"]]
        label = f"at {percent(share)} of training"
        at = np.arange(len(part)) + shift
        ax.errorbar(at, part["auc"], spread, fmt=marker, ms=4, lw=1, capsize=2, color=colour, label=label)
    ax.axhline(0.5, color=GREY, lw=0.8, ls=":")
    ax.set_xticks(range(len(SIGN_NAMES)), list(SIGN_NAMES.values()))
    ax.set(
        xlabel="sign; the first two are attention scores",
        ylabel="AUC within a size (0.5: a coin)",
        title="Induction: what an early sign foretells",
    )
    ax.legend(fontsize=7, frameon=False, loc="lower right")


def draw_hops(ax: Axes, tokens: pd.DataFrame) -> None:
    rows = tokens[tokens["study"] == "hops"]
    styles = (("1 hop", GREY, "D"), ("2 hops", BLUE, "o"), ("3 hops", GREEN, "^"), ("4 hops", VERMILLION, "s"))
    for subtask, colour, marker in styles:
        curve(ax, rows[rows["subtask"] == subtask], "depth", marker + "-", color=colour, label=subtask)
    ax.axhline(1 / 7, color=GREY, lw=0.8, ls=":")
    ax.annotate("chance", (6, 1 / 7), fontsize=7, color=GREY, va="bottom", ha="right")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="layers", ylabel="token accuracy", ylim=(-0.03, 1.03), title="Hops along pointers, width 32")
    ax.legend(fontsize=7, frameon=False, loc="center right")
