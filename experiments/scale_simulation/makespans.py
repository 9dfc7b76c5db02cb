"""The figure: which rule, which way into array tasks, which interval of checkpoints, how soon a death is noticed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from studies import SIGMA, WALLTIMES_H
from workload import RULES

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")
_MARKERS = ("o", "s", "^", "D", "v")
_LADDERS = {"grid": "grid (the longest job is the bound)", "isoflop": "isoFLOP (the work is the bound)"}
_WAYS = ("a task a job", "packed", "packed, takes others'", "packed in one round, takes others'", "one list")


def draw(tables: Mapping[str, pd.DataFrame], path: Path) -> None:
    """One figure of four panels."""
    figure, axes = plt.subplots(2, 2, figsize=(13, 11))
    _rules(axes[0, 0], tables["rules"])
    _tasks(axes[0, 1], tables["tasks"])
    _checkpoints(axes[1, 0], tables["checkpoints"])
    _takeovers(axes[1, 1], tables["takeovers"])
    figure.tight_layout(h_pad=2.5, w_pad=2.5)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _rules(ax: Axes, table: pd.DataFrame) -> None:
    sigmas = sorted(table["sigma"].unique())
    for at_ladder, (ladder, words) in enumerate(_LADDERS.items()):
        for at, sigma in enumerate(sigmas):
            rows = table[(table["ladder"] == ladder) & (table["sigma"] == sigma)].set_index("rule").loc[list(RULES)]
            y = np.arange(len(RULES)) + 0.12 * (at_ladder * len(sigmas) + at - 2.5)
            filled = _COLOURS[at_ladder] if at_ladder == 0 else "white"
            style = {"marker": _MARKERS[at], "color": _COLOURS[at_ladder], "markerfacecolor": filled, "ls": ""}
            ax.plot(rows["makespan"], y, label=f"{words}, σ = {sigma:g}", **style)
    ax.set_yticks(range(len(RULES)), RULES)
    ax.invert_yaxis()
    ax.axvline(1, color="0.5", lw=1)
    ax.set_xlabel("makespan over its lower bound")
    ax.set_title("One list, by its order and the error σ of predictions")
    _legend_below(ax, 0.13)


def _tasks(ax: Axes, table: pd.DataFrame) -> None:
    width = 0.16
    for at, way in enumerate(_WAYS):
        of_way = table[(table["way"] == way)]
        for at_ladder, ladder in enumerate(_LADDERS):
            of_one = of_way[of_way["ladder"] == ladder].pivot(
                index="walltime_h", columns="queued again", values="makespan"
            )
            x = np.arange(len(WALLTIMES_H)) + at_ladder * (len(WALLTIMES_H) + 0.6) + width * (at - 2)
            last, first = of_one["last"].to_numpy(), of_one["first"].to_numpy()
            ax.vlines(x, np.minimum(last, first), np.maximum(last, first), color=_COLOURS[at], lw=1)
            ax.plot(x, last, marker=_MARKERS[at], color=_COLOURS[at], ls="", mfc="white")
            ax.plot(x, first, marker=_MARKERS[at], color=_COLOURS[at], ls="", label=way if at_ladder == 0 else None)
    places = [at + part * (len(WALLTIMES_H) + 0.6) for part in range(2) for at in range(len(WALLTIMES_H))]
    ax.set_xticks(places, [f"{hours} h" for hours in WALLTIMES_H] * 2)
    for part, ladder in enumerate(("grid", "isoFLOP")):
        ax.text(1 + part * (len(WALLTIMES_H) + 0.6), -0.12, ladder, ha="center", transform=ax.get_xaxis_transform())
    ax.axhline(1, color="0.5", lw=1)
    ax.set_xlabel("walltime of a task", labelpad=16)
    ax.set_ylabel("makespan over its lower bound")
    ax.set_title(f"Array tasks, σ = {SIGMA:g}; open: queued again last, filled: first")
    _legend_below(ax, 0.2)


def _checkpoints(ax: Axes, table: pd.DataFrame) -> None:
    kinds = [("RSC-1", 1.0), ("spot", 0.1), ("spot", 1.0), ("spot", 10.0)]
    for at, (name, write) in enumerate(kinds):
        rows = table[(table["rate"] == name) & (table["write_s"] == write)]
        rows = rows.sort_values("every_s")
        label = f"{name}, {write:g} s to write"
        ax.plot(rows["every_s"], 100 * rows["overhead"], marker=_MARKERS[at], ls="", color=_COLOURS[at], label=label)
        ax.plot(rows["every_s"], 100 * rows["model"], color=_COLOURS[at], lw=1)
    ax.axvline(60, color="0.5", lw=1, ls="--")
    ax.text(64, 0.97, "the harness's", fontsize=8, color="0.3", transform=ax.get_xaxis_transform(), va="top")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("seconds from one checkpoint to the next")
    ax.set_ylabel("writing and training again, % of training")
    ax.set_title("Checkpoints: simulated (marks) and by Young's model (lines)")
    _legend_below(ax, 0.13)


def _takeovers(ax: Axes, table: pd.DataFrame) -> None:
    names = {"RSC-1": "RSC-1 × 100", "spot": "spot"}
    for at, (name, words) in enumerate(names.items()):
        for at_ladder, ladder in enumerate(_LADDERS):
            rows = table[(table["rate"] == name) & (table["ladder"] == ladder) & table["freed first"]]
            at_one = 2 * at + at_ladder
            style = {"marker": _MARKERS[at_one], "color": _COLOURS[at_one], "ls": "-" if at_ladder == 0 else "--"}
            ax.plot(rows["gone_s"], rows["makespan"], label=f"{words}, {_LADDERS[ladder].split(' (')[0]}", **style)
    ax.axvline(30, color="0.5", lw=1, ls="--")
    ax.text(32, 0.97, "the harness's", fontsize=8, color="0.3", transform=ax.get_xaxis_transform(), va="top")
    ax.set_xscale("log")
    ticks = sorted(table["gone_s"].unique())
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("seconds until a dead worker's jobs may be taken over")
    ax.set_ylabel("makespan over its lower bound")
    ax.set_title("How soon a death is noticed")
    _legend_below(ax, 0.13)


def _legend_below(ax: Axes, by: float) -> None:
    ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -by), ncol=2, frameon=False)
