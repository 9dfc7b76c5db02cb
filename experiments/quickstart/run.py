"""Sweep the quickstart four times, with different seeds throughout, compare the verdicts, and draw README's figure.

python experiments/quickstart/run.py      (2 cores, about 12 minutes; what is trained already is not trained again)
python experiments/quickstart/run.py --only figure      draws figure.png from the tables beside this file: a minute
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from harness.cli import main as harness
from harness.report.analyze import Analysis, analyze
from harness.report.axes import STYLE, save_figure, size_axis
from harness.wording import interval

#: First seeds of the sweeps; no two have a seed in common.
SEEDS = (0, 100, 200, 300)
X = "params_non_embedding"
HERE = Path(__file__).parent
BLUE, VERMILLION, GREY = "#0072B2", "#D55E00", "#666666"


def compare(sweeps: dict[int, Analysis]) -> pd.DataFrame:
    """Verdicts of every sweep, a row a curve: how many are the first's, and N* of each."""
    key = ["study", "subtask", "metric"]
    tables = {seed: sweep.jumps.set_index(key) for seed, sweep in sweeps.items()}
    first = next(iter(tables.values()))
    verdicts = pd.DataFrame({seed: table["verdict"] for seed, table in tables.items()})
    same = verdicts.eq(verdicts.iloc[:, 0], axis=0).sum(axis=1)
    placed = {
        f"N* ({seed})": [
            interval(*row)
            for row in table.loc[first.index, ["threshold", "threshold_low", "threshold_high"]].to_numpy()
        ]
        for seed, table in tables.items()
    }
    return pd.DataFrame({"verdict": first["verdict"], "same": same, **placed}).reset_index()


def draw_pair(ax: Axes, analysis: Analysis, study: str, title: str) -> None:
    """Exact match and its continuous metric on one pair of axes, with the verdict and N*."""
    frame = analysis.frame[analysis.frame["study"] == study]
    row = analysis.jumps[analysis.jumps["study"] == study].iloc[0]
    for metric, colour, marker in (("exact_match", VERMILLION, "o"), ("token_accuracy", BLUE, "s")):
        curve = frame[frame["metric"] == metric]
        ax.plot(curve.groupby(X)["value"].mean(), color=colour, lw=1.4, label=metric.replace("_", " "))
        ax.plot(curve[X], curve["value"], marker, color=colour, ms=3, mfc="none", mew=0.7)
    ax.axvline(row["threshold"], color=GREY, lw=1, label="N*")
    ax.axvspan(row["threshold_low"], row["threshold_high"], color=GREY, alpha=0.15, lw=0, label="its 95 % interval")
    ax.set(title=f"{title}: {row['verdict']}", ylabel="share that is right", ylim=(-0.04, 1.04))
    ax.legend(fontsize=7, frameon=False, loc="upper left")


def draw_law(ax: Axes, analysis: Analysis, study: str) -> None:
    """Loss against size with its law and band."""
    frame = analysis.frame
    curve = frame[(frame["study"] == study) & (frame["metric"] == "loss") & (frame["subtask"] == "all")]
    law = analysis.fits[study, X]
    band = law.predict(sorted(curve[X].unique()), level=0.95)
    low, high = law.intervals_["alpha"]
    label = f"exponent {law.params_['alpha']:.2f} ({low:.2f} to {high:.2f})"
    ax.plot(band["x"], band["predicted"], color=VERMILLION, lw=1.4, label=label)
    ax.fill_between(band["x"], band["low"], band["high"], color=VERMILLION, alpha=0.2, lw=0)
    ax.plot(curve[X], curve["value"], "o", color="black", ms=3, mfc="none", mew=0.7)
    ticks = [1.9, 2.0, 2.2, 2.4]
    ax.set(yscale="log", ylabel="loss (nats)", title=f"{study}: smooth")
    ax.minorticks_off()
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.legend(fontsize=7, frameon=False, loc="upper right")


def draw(analysis: Analysis, stem: Path) -> None:
    plt.rcParams.update(STYLE)
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.7), layout="constrained")
    draw_pair(axes[0], analysis, "induction", "induction")
    draw_pair(axes[1], analysis, "lookup", "lookup")
    draw_law(axes[2], analysis, "text")
    figure.draw_without_rendering()  # which sizes have room for a label is known once the panels have their places
    for ax, study in zip(axes, ("induction", "lookup", "text"), strict=True):
        size_axis(ax, analysis.frame.loc[analysis.frame["study"] == study, X], X)
    save_figure(axes[0], stem)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("figure",), help="train nothing; the figure of the tables beside this file")
    if parser.parse_args().only:
        draw(analyze(HERE / "results"), HERE / "figure")
        return
    sweeps = {}
    for first_seed in SEEDS:
        name = "quickstart" if first_seed == 0 else f"quickstart-{first_seed}"
        harness(["sweep", "experiment=quickstart", f"name={name}", f"first_seed={first_seed}"])
        harness(["collect", f"name={name}"])
        sweeps[first_seed] = analyze(Path("results") / name)
    with pd.option_context("display.width", 250):
        print(compare(sweeps).to_string(index=False))
    first = sweeps[SEEDS[0]]
    draw(first, first.folder / "figure")
    print(f"figure: {first.folder}/figure.png")


if __name__ == "__main__":
    main()
