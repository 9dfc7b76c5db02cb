"""Sweep the quickstart twice, with different seeds throughout, compare the verdicts, and draw README's figure.

python experiments/quickstart/run.py      (2 cores, about 10 minutes; what is trained already is not trained again)
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from harness.cli import main as harness
from harness.report.analyze import Analysis, analyze
from harness.report.plots import save_figure
from harness.report.wording import interval

NAMES = {"quickstart": 0, "quickstart-repeated": 1000}
X = "params_non_embedding"
BLUE, VERMILLION, GREY = "#0072B2", "#D55E00", "#666666"


def compare(first: Analysis, second: Analysis) -> pd.DataFrame:
    """Both sweeps' verdicts and N*, a row a curve; whether verdicts agree and the intervals of N* overlap."""
    key = ["study", "subtask", "metric"]
    both = first.jumps.merge(second.jumps, on=key, suffixes=("", "_again"))
    overlap = (both["threshold_low"] <= both["threshold_high_again"]) & (
        both["threshold_low_again"] <= both["threshold_high"]
    )
    unplaced = both["threshold"].isna() & both["threshold_again"].isna()
    return pd.DataFrame(
        {
            "curve": both["study"] + " " + both["subtask"].where(both["subtask"] != "all", ""),
            "verdict": both["verdict"],
            "repeated": both["verdict_again"],
            "same": both["verdict"] == both["verdict_again"],
            "N*": [interval(*t) for t in both[["threshold", "threshold_low", "threshold_high"]].to_numpy()],
            "N* repeated": [
                interval(*t)
                for t in both[["threshold_again", "threshold_low_again", "threshold_high_again"]].to_numpy()
            ],
            "intervals overlap": (overlap | unplaced),
        }
    )


def draw_pair(ax: Axes, analysis: Analysis, study: str, title: str) -> None:
    """Exact match and its continuous metric on one pair of axes, with the verdict and N*."""
    frame = analysis.frame[analysis.frame["study"] == study]
    row = analysis.jumps[analysis.jumps["study"] == study].iloc[0]
    for metric, colour, marker in (("exact_match", VERMILLION, "o"), ("token_accuracy", BLUE, "s")):
        curve = frame[frame["metric"] == metric]
        ax.plot(curve.groupby(X)["value"].mean(), color=colour, lw=1.4, label=metric.replace("_", " "))
        ax.plot(curve[X], curve["value"], marker, color=colour, ms=3, mfc="none", mew=0.7)
    ax.axvspan(row["threshold_low"], row["threshold_high"], color=GREY, alpha=0.15, lw=0)
    ax.axvline(row["threshold"], color=GREY, lw=1)
    ax.set(xscale="log", xlabel="non-embedding parameters", title=f"{title}: {row['verdict']}", ylim=(-0.04, 1.04))
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
    ax.set(xscale="log", yscale="log", xlabel="non-embedding parameters", ylabel="loss, nats", title=f"{study}: smooth")
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.legend(fontsize=7, frameon=False, loc="upper right")


def draw(analysis: Analysis, stem: Path) -> None:
    plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    _, axes = plt.subplots(1, 3, figsize=(9, 2.7), layout="constrained")
    draw_pair(axes[0], analysis, "induction", "induction")
    draw_pair(axes[1], analysis, "lookup", "lookup")
    draw_law(axes[2], analysis, "text")
    save_figure(axes[0], stem)


def main() -> None:
    for name, first_seed in NAMES.items():
        harness(["sweep", "experiment=quickstart", f"name={name}", f"first_seed={first_seed}"])
        harness(["collect", f"name={name}"])
    first, second = (analyze(Path("results") / name) for name in NAMES)
    with pd.option_context("display.width", 250):
        print(compare(first, second).to_string(index=False))
    draw(first, first.folder / "figure")
    print(f"figure: {first.folder}/figure.png")


if __name__ == "__main__":
    main()
