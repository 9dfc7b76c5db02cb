"""Coordinate checks over width and depth, and whether the best learning rate transfers across widths, decay included.

python experiments/mup/run.py      (2 cores, about 5 minutes; figures and tables to results/mup)
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.families.base import Family
from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.ladder import Job, build_ladder, members
from harness.settings import LadderSettings, OptimizerSettings, ParametrizationSettings, ScheduleSettings, Settings
from harness.tasks.base import Task
from harness.tasks.digits import Digits
from harness.tasks.parity import Parity
from harness.tasks.sequences.recall import Lookup
from harness.training.coordinate_check import coordinate_sizes, exponents
from harness.training.loop import train_job

OUT = Path("results/mup")
ADAMW = OptimizerSettings("adamw", lr=0.01)
CHECKED: list[tuple[str, Family, Task, int]] = [
    ("mlp", MLP(), Parity(), 2),
    ("cnn", CNN(), Digits(), 2),
    ("transformer", Transformer(), Lookup(), 2),
]
CHECK_WIDTHS = [32, 64, 128, 256, 512]
CHECK_DEPTHS = [2, 4, 8, 16, 32]
RULES = {"none": "no rule", "sqrt": "depth-muP", "complete": "CompleteP"}

BASE_WIDTH = 16
TRANSFER_WIDTHS = [16, 32, 64, 128]
RATES = [0.0025 * 2**i for i in range(6)]
WEIGHT_DECAY = 0.3
KINDS = {
    "standard": ParametrizationSettings("standard", BASE_WIDTH),
    "muP, coupled decay": ParametrizationSettings("mup", BASE_WIDTH, decay="coupled"),
    "muP, independent decay": ParametrizationSettings("mup", BASE_WIDTH),
}
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


# ---------------------------------------------------------------------------------------------------- coordinate checks


def check_widths() -> pd.DataFrame:
    """Draw the change of each module's output after 3 steps against width; return the largest exponents."""
    figure, axes = plt.subplots(2, 3, figsize=(7, 4.4), sharex=True, layout="constrained")
    rows = []
    for column, (name, family, task, depth) in enumerate(CHECKED):
        for ax, kind in zip(axes[:, column], ("standard", "mup"), strict=True):
            parametrization = ParametrizationSettings(kind, base_width=CHECK_WIDTHS[0])
            sizes = coordinate_sizes(family, task, CHECK_WIDTHS, [depth], parametrization, ADAMW)
            rows.append({"family": name, "kind": kind, "largest exponent": exponents(sizes, "width").max()})
            draw_sizes(ax, sizes, "width", CHECK_WIDTHS, "logits", f"{name}, {'muP' if kind == 'mup' else kind}")
    finish(figure, axes[0, 0], "width", "logits", "widths.png")
    return pd.DataFrame(rows)


def check_depths() -> pd.DataFrame:
    """The same against depth, for a transformer under each depth rule; return the exponents of the residual stream."""
    figure, axes = plt.subplots(1, 3, figsize=(7, 2.6), sharey=True, layout="constrained")
    rows = []
    for ax, (rule, title) in zip(axes, RULES.items(), strict=True):
        parametrization = ParametrizationSettings("mup", base_width=32, depth=rule, base_depth=CHECK_DEPTHS[0])
        sizes = coordinate_sizes(Transformer(), Lookup(), [32], CHECK_DEPTHS, parametrization, ADAMW)
        found = exponents(sizes, "depth").loc[sizes["step"].max()]
        rows.append({"rule": rule, "residual stream": found["blocks"], "largest exponent": found.max()})
        sizes["module"] = sizes["module"].str.replace(r"\.\d+", "", regex=True)
        draw_sizes(ax, sizes, "depth", CHECK_DEPTHS, "blocks", title)
    finish(figure, axes[0], "depth", "residual stream", "depths.png")
    return pd.DataFrame(rows)


def draw_sizes(ax: Axes, sizes: pd.DataFrame, along: str, ticks: list[int], marked: str, title: str) -> None:
    last = sizes[(sizes["step"] == sizes["step"].max()) & (sizes["size"] > 0)]
    for module, curve in last.groupby("module"):
        mean, is_marked = curve.groupby(along)["size"].mean(), module == marked
        ax.plot(mean, color=COLOURS[1] if is_marked else COLOURS[0], lw=1.6 if is_marked else 0.7,
                marker="o" if is_marked else None, ms=3, zorder=3 if is_marked else 2)  # fmt: skip
    ax.set(xscale="log", yscale="log", title=title)
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()


def finish(figure: plt.Figure, ax: Axes, along: str, marked: str, name: str) -> None:
    figure.supxlabel(along, fontsize=10)
    figure.supylabel("mean |change of output|\nafter 3 steps", fontsize=10)
    ax.plot([], [], color=COLOURS[1], marker="o", ms=3, label=marked)
    ax.plot([], [], color=COLOURS[0], lw=0.7, label="other modules")
    ax.legend(fontsize=7, frameon=False)
    figure.savefig(OUT / name, dpi=200)


# ----------------------------------------------------------------------------------------------------------- transfer


def final_losses(kind: str, width: int) -> list[dict[str, object]]:
    """Final evaluation loss of one width at every rate, two seeds each, all side by side."""
    settings = Settings(
        family=Transformer(),
        task=Lookup(),
        ladder=LadderSettings(widths=[width], steps=1000, batch_size=16),
        optimizer=OptimizerSettings(lr=RATES, weight_decay=WEIGHT_DECAY),
        schedule=ScheduleSettings(kind="wsd", warmup=0.1, decay=0.9),
        parametrization=KINDS[kind],
        seeds=2,
    )
    settings.training.device, settings.training.evaluations = "cpu", 1
    (rung,) = build_ladder(settings)
    outcomes = train_job(Job(settings, rung, 0, members(settings, rung, 0)))
    rows: list[dict[str, object]] = []
    for outcome in outcomes:
        losses = [r["value"] for r in outcome.measurements if r["split"] == "eval" and r["metric"] == "loss"]
        loss = losses[-1] if losses else float("inf")
        rows.append({"kind": kind, "width": width, "lr": outcome.member.lr, "seed": outcome.member.seed, "loss": loss})
    return rows


def transfer() -> pd.DataFrame:
    """Train every kind and width at every rate; draw final loss against rate and return the best rates."""
    # At the base width all three are one model: it is trained once.
    first, *others = KINDS
    jobs = [
        (kind, width) for width in reversed(TRANSFER_WIDTHS) for kind in KINDS if width > BASE_WIDTH or kind == first
    ]
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as pool:
        rows = [row for rows in pool.map(final_losses, *zip(*jobs, strict=True)) for row in rows]
    rows += [row | {"kind": kind} for kind in others for row in rows if row["width"] == BASE_WIDTH]
    losses = pd.DataFrame(rows).groupby(["kind", "width", "lr"])["loss"].mean()
    losses.to_csv(OUT / "transfer.csv")
    return draw_transfer(losses)


def draw_transfer(losses: pd.Series) -> pd.DataFrame:
    """Draw mean losses, indexed by (kind, width, lr), and return each width's best rate."""
    figure, axes = plt.subplots(1, 3, figsize=(7, 2.8), sharey=True, layout="constrained")
    table = []
    for ax, kind in zip(axes, KINDS, strict=True):
        for colour, width in zip(COLOURS, TRANSFER_WIDTHS, strict=True):
            curve = losses[kind, width]
            ax.plot(curve, color=colour, marker="o", ms=3, label=f"width {width}")
            ax.plot(curve.idxmin(), curve.min(), marker="o", ms=8, mfc="none", color=colour)
            at_base_rate = curve[losses[kind, BASE_WIDTH].idxmin()]
            table.append(
                {"kind": kind, "width": width, "best lr": curve.idxmin(), "by parabola": vertex(curve)}
                | {"loss there": curve.min(), "at the base width's best": at_base_rate}
            )
        ax.set(xscale="log", yscale="log", xlabel="base learning rate")
        ax.set_title(kind, fontsize=10)
        ax.set_xticks(RATES[::2], [f"{rate:g}" for rate in RATES[::2]])
        ax.minorticks_off()
    axes[0].set_ylabel("evaluation loss, nats")
    axes[2].legend(fontsize=7, frameon=False, loc="lower left")
    figure.savefig(OUT / "transfer.png", dpi=200)
    return pd.DataFrame(table)


def vertex(curve: pd.Series) -> float:
    """The best rate between the points of the grid: the vertex of a parabola, in log rate, through the best three."""
    best = int(np.clip(curve.argmin(), 1, len(curve) - 2))
    near = curve.iloc[best - 1 : best + 2]
    a, b, _ = np.polyfit(np.log(near.index), near, 2)
    return float(np.exp(-b / (2 * a))) if a > 0 else float(curve.idxmin())


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    print(check_widths().round(2).to_string(index=False))
    print(check_depths().round(2).to_string(index=False))
    print(transfer().round(4).to_string(index=False))
    print(f"figures: {OUT}/widths.png, {OUT}/depths.png, {OUT}/transfer.png; losses: {OUT}/transfer.csv")


if __name__ == "__main__":
    main()
