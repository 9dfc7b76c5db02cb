"""False positives and power on the grid as heat maps; power on slopes by height; ROC curves against known scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from ranking import SCORES

from harness.datasets import JUMP_KINDS, SMOOTH_KINDS

_COLOURS = ("#0072B2", "#D55E00", "#CC79A7", "#009E73", "#999999")
_STYLES = ("-", "--", ":", "-.", (0, (1, 1)))
#: Bins of the heights of steps.
_HEIGHTS = np.linspace(0.1, 0.4, 7)


def draw_all(grid: pd.DataFrame, slopes: pd.DataFrame, path: Path) -> None:
    """One figure of four panels."""
    figure, axes = plt.subplots(2, 2, figsize=(15, 11.5), width_ratios=(1.6, 1), height_ratios=(1.6, 1))
    flagged = grid.assign(flagged=grid["p"] < 0.05)
    _heat(axes[0, 0], flagged, tuple(SMOOTH_KINDS), "Oranges", (0, 0.12))
    axes[0, 0].set_title("Smooth curves flagged at p < 0.05, mean over spreads, %", pad=26)
    _heat(axes[1, 0], flagged, tuple(JUMP_KINDS), "cividis", (0, 1))
    axes[1, 0].set_title("Jumps flagged at p < 0.05, mean over spreads, %", pad=26)
    _by_height(axes[0, 1], slopes)
    _roc(axes[1, 1], slopes[(slopes["spread"] == 0.02) & (slopes["n_sizes"] == 8)])
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _heat(ax: Axes, table: pd.DataFrame, families: Sequence[str], colours: str, limits: tuple[float, float]) -> None:
    """A cell for each family, number of seeds and of sizes."""
    grid = table.groupby(["family", "n_seeds", "n_sizes"])["flagged"].mean().unstack(["n_seeds", "n_sizes"])
    grid = grid.loc[list(families)].sort_index(axis=1)
    ax.imshow(grid, cmap=colours, vmin=limits[0], vmax=limits[1], aspect="auto")
    middle, dark_is_high = np.mean(limits), colours == "Oranges"
    for (row, column), value in np.ndenumerate(grid.to_numpy()):
        dark = (value > middle) == dark_is_high
        ax.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=8, color="w" if dark else "k")
    ax.set_yticks(range(len(families)), families)
    ax.set_xticks(range(grid.shape[1]), [str(n_sizes) for _, n_sizes in grid.columns])
    seeds = grid.columns.get_level_values(0).to_numpy()
    for n_seeds in np.unique(seeds):
        at = np.flatnonzero(seeds == n_seeds)
        label = f"{n_seeds} seed{'s' if n_seeds > 1 else ''}"
        ax.text(at.mean(), 1.01, label, transform=ax.get_xaxis_transform(), ha="center", va="bottom", fontsize=9)
        if at[0]:
            ax.axvline(at[0] - 0.5, color="w", lw=2)
    ax.set_xlabel("sizes on the ladder")


def _by_height(ax: Axes, slopes: pd.DataFrame) -> None:
    """Power by height of the step, a line for each spread, solid for 8 sizes and dashed for 12."""
    steps = slopes[slopes["step"] == 1]
    found = steps.assign(power=(steps["p"] < 0.05) & steps["up"], bin=pd.cut(steps["height"], _HEIGHTS))
    middles = (_HEIGHTS[:-1] + _HEIGHTS[1:]) / 2
    for (n_sizes, spread), part in found.groupby(["n_sizes", "spread"]):
        colour = _COLOURS[sorted(set(steps["spread"])).index(spread)]
        power, style = part.groupby("bin", observed=False)["power"].mean(), "-" if n_sizes == 8 else "--"
        label = f"spread {spread:g}" if n_sizes == 8 else None
        ax.plot(middles, power, style, color=colour, marker="o", ms=4, label=label)
    ax.plot([], [], "-", color="k", label="8 sizes")
    ax.plot([], [], "--", color="k", label="12 sizes")
    ax.set(xlabel="height of the step", ylabel="power at p < 0.05", ylim=(0, 1.02), xlim=(0.1, 0.4))
    ax.set_title("Steps on slopes, 3 seeds: power by height")
    ax.legend(loc="lower right", frameon=False, fontsize=9)
    ax.grid(alpha=0.3)


def _roc(ax: Axes, table: pd.DataFrame) -> None:
    """Steps up against trends as high as trend and step."""
    smooth, jump = table[(table["step"] == 0) & table["tall"]], table[table["step"] == 1]
    for score, colour, style in zip(SCORES, _COLOURS, _STYLES, strict=True):
        edges = np.sort(smooth[score].fillna(-1e9).to_numpy())[::-1]
        false = np.arange(1, len(edges) + 1) / len(edges)
        true = 1 - np.searchsorted(np.sort(jump[score].fillna(-1e9)), edges, side="left") / len(jump)
        label = "ln Bayes factor (harness)" if score == "statistic" else score
        ax.plot(false, true, color=colour, ls=style, lw=2 if score == "statistic" else 1.4, label=label)
    ax.set(xscale="log", xlim=(2e-3, 1), ylim=(0, 1.02), xlabel="false positive rate", ylabel="true positive rate")
    ax.set_title("Steps on slopes against equally high slopes:\nranking, 8 sizes, 3 seeds, spread 0.02")
    ax.legend(loc=(0.02, 0.56), frameon=False, fontsize=9)
    ax.grid(alpha=0.3)
