"""The coordinate check of all three families, and learning-rate transfer of the transformer across four widths.

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
import pandas as pd

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
from harness.training.coordinate_check import coordinate_sizes, width_exponents
from harness.training.loop import train_job

OUT = Path("results/mup")
KINDS = ("standard", "mup")
CHECKED: list[tuple[str, Family, Task, int]] = [
    ("mlp", MLP(), Parity(), 2),
    ("cnn", CNN(), Digits(), 2),
    ("transformer", Transformer(), Lookup(), 2),
]
CHECK_WIDTHS = [32, 64, 128, 256, 512]
TRANSFER_WIDTHS = [16, 32, 64, 128]
RATES = [0.01 * 2**i for i in range(-3, 5)]
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def check_coordinates() -> pd.DataFrame:
    """Plot the change of each module's output after 3 steps against width; return the largest slopes."""
    figure, axes = plt.subplots(2, 3, figsize=(7, 4.4), sharex=True, layout="constrained")
    rows = []
    for column, (name, family, task, depth) in enumerate(CHECKED):
        for row, kind in enumerate(KINDS):
            sizes = coordinate_sizes(family, task, depth, CHECK_WIDTHS, kind, "adamw", 0.01)
            rows.append({"family": name, "kind": kind, "largest exponent": width_exponents(sizes).max()})
            ax = axes[row, column]
            last = sizes[(sizes["step"] == sizes["step"].max()) & (sizes["size"] > 0)]
            for module, curve in last.groupby("module"):
                mean = curve.groupby("width")["size"].mean()
                is_logits = module == "logits"
                ax.plot(mean, color=COLOURS[1] if is_logits else COLOURS[0], lw=1.6 if is_logits else 0.7,
                        marker="o" if is_logits else None, ms=3, zorder=3 if is_logits else 2)  # fmt: skip
            ax.set(xscale="log", yscale="log", title=f"{name}, {kind}" if row == 0 else f"{name}, muP")
            ax.set_xticks(CHECK_WIDTHS, [str(w) for w in CHECK_WIDTHS])
            ax.minorticks_off()
    figure.supxlabel("width", fontsize=10)
    figure.supylabel("mean |change of output| after 3 steps", fontsize=10)
    axes[0, 0].plot([], [], color=COLOURS[1], marker="o", ms=3, label="logits")
    axes[0, 0].plot([], [], color=COLOURS[0], lw=0.7, label="other modules")
    axes[0, 0].legend(fontsize=7, frameon=False)
    figure.savefig(OUT / "coordinates.png", dpi=200)
    return pd.DataFrame(rows)


def final_losses(kind: str, width: int) -> list[dict[str, object]]:
    """Final evaluation loss of one width at every rate, two seeds each, all side by side."""
    settings = Settings(
        family=Transformer(),
        task=Lookup(),
        ladder=LadderSettings(widths=[width], steps=300, batch_size=32),
        optimizer=OptimizerSettings(lr=RATES),
        schedule=ScheduleSettings(kind="wsd", warmup=0.1, decay=0.9),
        parametrization=ParametrizationSettings(kind, base_width=16),
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
    """Plot final loss against learning rate, a line each width; return the best rates."""
    jobs = [(kind, width) for width in reversed(TRANSFER_WIDTHS) for kind in KINDS]
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as pool:
        rows = [row for rows in pool.map(final_losses, *zip(*jobs, strict=True)) for row in rows]
    losses = pd.DataFrame(rows).groupby(["kind", "width", "lr"])["loss"].mean()
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.8), sharey=True, layout="constrained")
    for ax, kind in zip(axes, KINDS, strict=True):
        for colour, width in zip(COLOURS, TRANSFER_WIDTHS, strict=True):
            curve = losses[kind, width]
            ax.plot(curve, color=colour, marker="o", ms=3, label=f"width {width}")
            ax.plot(curve.idxmin(), curve.min(), marker="o", ms=8, mfc="none", color=colour)
        ax.set(xscale="log", xlabel="base learning rate", title="standard" if kind == "standard" else "muP")
    axes[0].set_ylabel("evaluation loss, nats")
    axes[0].legend(fontsize=8, frameon=False)
    figure.savefig(OUT / "transfer.png", dpi=200)
    best = losses.groupby(["kind", "width"]).idxmin().map(lambda key: key[-1])
    return pd.DataFrame({"best lr": best, "loss there": losses.groupby(["kind", "width"]).min()}).reset_index()


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    print(check_coordinates().round(2).to_string(index=False))
    print(transfer().round(4).to_string(index=False))
    print(f"figures: {OUT}/coordinates.png, {OUT}/transfer.png")


if __name__ == "__main__":
    main()
