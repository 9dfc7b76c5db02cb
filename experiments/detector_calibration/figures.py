"""Error rates and power as heat maps by stratum, and ROC curves against the known scores."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from ranking import IN_FAMILY, SCORES

from harness.datasets import JUMP_KINDS, SMOOTH_KINDS

_COLOURS = ("#0072B2", "#D55E00", "#CC79A7", "#009E73", "#999999")
_STYLES = ("-", "--", ":", "-.", (0, (1, 1)))


def draw_all(table: pd.DataFrame, path: Path) -> None:
    """False positives, power and ROC curves in one figure."""
    figure, axes = plt.subplots(1, 3, figsize=(17, 6.2), width_ratios=(1.35, 1.35, 1))
    flagged = table.assign(flagged=table["p"] < 0.05)
    _heat(axes[0], flagged, tuple(SMOOTH_KINDS), worst=True, limits=(0, 0.1))
    axes[0].set_title("False positives at p < .05 (worst spread), %")
    _heat(axes[1], flagged, tuple(JUMP_KINDS), worst=False, limits=(0, 1))
    axes[1].set_title("Power at p < .05 (mean over spreads), %")
    _roc(axes[2], table[(table["n_sizes"] == 8) & (table["n_seeds"] == 3)])
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _heat(ax: Axes, table: pd.DataFrame, families: tuple[str, ...], worst: bool, limits: tuple[float, float]) -> None:
    cells = table.groupby(["family", "n_seeds", "n_sizes", "spread"])["flagged"].mean()
    over = cells.groupby(["family", "n_seeds", "n_sizes"])
    grid = (over.max() if worst else over.mean()).unstack(["n_seeds", "n_sizes"]).loc[list(families)]
    ax.imshow(grid, cmap="cividis" if not worst else "Oranges", vmin=limits[0], vmax=limits[1], aspect="auto")
    middle = np.mean(limits)
    for (row, column), value in np.ndenumerate(grid.to_numpy()):
        dark = value > middle if worst else value < middle
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
    ax.title.set_y(1.06)


def _roc(ax: Axes, table: pd.DataFrame) -> None:
    smooth, jump = table[table["family"].isin(IN_FAMILY)], table[table["family"] == "jump"]
    for score, colour, style in zip(SCORES, _COLOURS, _STYLES, strict=True):
        edges = np.sort(smooth[score].fillna(-1e9).to_numpy())[::-1]
        false = np.arange(1, len(edges) + 1) / len(edges)
        true = 1 - np.searchsorted(np.sort(jump[score].fillna(-1e9)), edges, side="left") / len(jump)
        label = "ln Bayes factor (ours)" if score == "statistic" else score
        ax.plot(false, true, color=colour, ls=style, lw=2 if score == "statistic" else 1.4, label=label)
    ax.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1), xlabel="false positive rate", ylabel="true positive rate")
    ax.set_title("Ranking, 8 sizes and 3 seeds")
    ax.legend(loc="lower right", frameon=False, fontsize=9)
    ax.grid(alpha=0.3)
