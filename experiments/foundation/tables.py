"""What the runs of this study show: effective data transferred, ways to fine-tune side by side, and a figure."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

import harness
from harness.wording import short

#: Tasks that models are fine-tuned on, and what their pretrained models were trained on.
TASKS = {
    "prose": "prose after code",
    "packages": "which package, after code",
    "target": "five classes after five others",
    "target unlabelled": "five classes after InfoNCE",
}
#: Of the Okabe and Ito palette, which readers with any colour vision tell apart, from the smallest size on.
COLOURS = ("#56B4E9", "#009E73", "#E69F00", "#D55E00")


def best(results: Path) -> pd.DataFrame:
    """Each fine-tuned run and run from scratch at its lowest loss, which is its early stopping.

    Columns: task, way (scratch, full, head, lora), width, N, examples, seed, loss, params_trained.
    """
    frame = harness.load(results, steps="all", runs="all")
    frame = frame[(frame["metric"] == "loss") & frame["study"].str.contains(" ")]
    lowest = frame.loc[frame.groupby("run_id")["value"].idxmin()]
    words = lowest["study"].str.split(" ")
    parts = pd.DataFrame({"task": words.str[0], "way": words.str[1], "parent": words.str[3]}, lowest.index)
    found = pd.concat([lowest, parts.rename(columns={"task": "name"})], axis=1)
    found = found.rename(columns={"params_non_embedding": "N", "unique_examples": "examples", "value": "loss"})
    unlabelled = found[(found["name"] == "target") & (found["way"] == "scratch")].assign(name="target unlabelled")
    found.loc[found["parent"] == "unlabelled", "name"] = "target unlabelled"
    columns = ["name", "way", "width", "N", "examples", "seed", "loss", "params_trained"]
    return pd.concat([found, unlabelled])[columns].reset_index(drop=True)


def transferred(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each task, way, size and amount: D_E, D_T and the multiplier with intervals, and the effect."""
    rows = []
    for name in TASKS:
        of_task = runs[runs["name"] == name]
        for way in ("full", "lora", "head"):
            part = of_task[of_task["way"].isin(["scratch", way])]
            if part["way"].nunique() < 2:
                continue
            found = harness.data_transferred(
                part[["N", "examples"]].to_numpy(float), part["loss"], part["way"] == way, part["seed"]
            )
            rows.append(found.amounts.assign(task=name, way=way))
    return pd.concat(rows, ignore_index=True)


def transfer_table(found: pd.DataFrame) -> Table:
    """Effective data transferred by fine-tuning in full, in words."""
    table = Table("pretrained for", "N", "examples D_F", "as good from scratch as D_E", "D_E / D_F", "pretraining")
    for row in found[found["way"] == "full"].to_dict("records"):
        # Where the loss lies beyond the runs from scratch, D_E is the end of their range.
        said = {"at least": "≥ ", "at most": "≤ "}.get(str(row["reading"]), "")
        table.add_row(
            TASKS[row["task"]],
            f"{row['N']:,.0f}",
            f"{row['D_F']:,.0f}",
            f"{said}{row['D_E']:,.0f}",
            f"{said}{row['multiplier']:.2g} ({_number(row['multiplier_low'])} to {_number(row['multiplier_high'])})",
            str(row["effect"]),
        )
    return table


def side_by_side(runs: pd.DataFrame) -> Table:
    """Losses of the largest size, mean over seeds, by way and amount, and what each way trains."""
    table = Table("task", "way", "parameters trained", *(f"loss at {n:,}" for n in (100, 1_000, 10_000)))
    for name in TASKS:
        part = runs[(runs["name"] == name)]
        part = part[part["N"] == part["N"].max()]
        for way in ("scratch", "full", "lora", "head"):
            its = part[part["way"] == way]
            if its.empty:
                continue
            by_amount = its.groupby("examples")["loss"].agg(["mean", "sem"])
            cells = [f"{by_amount['mean'][n]:.3f} ± {by_amount['sem'][n]:.3f}" for n in (100, 1_000, 10_000)]
            table.add_row(TASKS[name], way, f"{its['params_trained'].max():,.0f}", *cells)
    return table


def figure(runs: pd.DataFrame, path: Path) -> None:
    """Loss against examples, from scratch and fine-tuned in full, a panel a task and a colour a size."""
    names = [name for name in TASKS if (runs["name"] == name).any()]
    drawn, axes = plt.subplots(1, len(names), figsize=(3.6 * len(names), 3.6), squeeze=False)
    for ax, name in zip(axes[0], names, strict=True):
        part = runs[runs["name"] == name]
        sizes = sorted(part["N"].unique())
        for colour, size in zip(COLOURS[-len(sizes) :], sizes, strict=True):
            for way, style in (("scratch", "--"), ("full", "-")):
                by_amount = part[(part["N"] == size) & (part["way"] == way)].groupby("examples")["loss"]
                mean, error = by_amount.mean(), by_amount.sem()
                label = f"{short(size)} parameters" if way == "full" else None
                ax.errorbar(mean.index, mean, error, ls=style, color=colour, marker="o", ms=3, capsize=2, label=label)
        ax.set(xscale="log", yscale="log", title=TASKS[name], xlabel="examples to fine-tune on")
        ax.yaxis.set_minor_formatter(lambda value, _: f"{value:.2g}")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}")
        ax.legend(loc="lower left", fontsize=7, title="fine-tuned (line), from scratch (dashes)", title_fontsize=7)
    axes[0][0].set_ylabel("lowest evaluation loss, nats")
    drawn.tight_layout()
    drawn.savefig(path, dpi=130)
    plt.close(drawn)


def show(results: Path, console: Console) -> None:
    """Print both tables and draw the figure."""
    runs = best(results)
    found = transferred(runs)
    found.to_csv(results.parent / "transferred.csv", index=False, float_format="%.6g")
    console.print("Effective data transferred, fine-tuning in full; 95 % intervals")
    console.print(transfer_table(found))
    console.print("Ways to fine-tune, largest size; mean and standard error over seeds")
    console.print(side_by_side(runs))
    figure(runs, results.parent / "figure.png")


def _number(value: float) -> str:
    return f"{value:.2g}" if np.isfinite(value) else "∞"
