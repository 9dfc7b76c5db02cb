"""Our own surface: sizes x durations of a byte-level transformer, its laws, and a forecast made before it is tested.

    python experiments/isoflop/run.py      (2 cores, about 15 minutes; what is trained already is not trained again)

Trains the grid, fits surface and IsoFLOP minima under both ways to count parameters, writes down the forecast of
one rung and one duration beyond the grid, and only then trains those runs. Pictures go to results/isoflop.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

import harness
from harness.analysis.planning.allocation import optimal_exponent
from harness.cli import main as command
from harness.report import isoflop_plots, law_plots
from harness.report.axes import save_figure
from harness.report.names import size_name

GRID, BEYOND = "isoflop", "isoflop_beyond"
CONVENTIONS = ("params_total", "params_non_embedding")


def loss(name: str) -> pd.DataFrame:
    """Runs of an experiment: both counts of N, D, C as counted, and the evaluation loss."""
    frame = harness.load(f"results/{name}", runs="all")
    frame = frame[(frame["metric"] == "loss") & (frame["subtask"] == "all")]
    columns = [*CONVENTIONS, "tokens_run", "flops_run", "value", "rung", "duration", "seed"]
    names = {"tokens_run": "D", "flops_run": "C", "value": "loss"}
    return frame[columns].rename(columns=names).sort_values(["rung", "duration"], ignore_index=True)


def surface(runs: pd.DataFrame, size: str) -> harness.ScalingLaw:
    named = runs.rename(columns={size: "N"})
    return harness.ScalingLaw("hoffmann", objective="squares").fit(named[["N", "D"]], runs["loss"])


def laws(runs: pd.DataFrame) -> None:
    for size in CONVENTIONS:
        fit = surface(runs, size)
        # Training FLOPs of a token per parameter of this count, as counted: 6 only where all parameters multiply.
        factor = float(np.exp(np.log(runs["C"] / (runs[size] * runs["D"])).mean()))
        print(f"\nN = {size_name(size)}; C = {factor:.2f} N D on average; {fit.status_} {fit.message_}")
        rows = [
            {"parameter": name, "value": value, "low": fit.intervals_[name][0], "high": fit.intervals_[name][1]}
            for name, value in fit.params_.items()
        ]
        print(pd.DataFrame(rows).round(4).to_string(index=False))
        print(f"a run scatters by {fit.noise_:.2%}; residuals reach {np.abs(fit.residuals_).max():.2%}")
        exponent = optimal_exponent(fit)
        print(f"surface: N_opt ~ C^{exponent[0]:.3f} ({exponent[1]:.3f} to {exponent[2]:.3f})")
        minima = harness.IsoFlop(flops_per_token_parameter=factor).fit(
            runs[size], runs["D"], runs["loss"], budget_of(runs)
        )
        low, high = minima.exponent_interval_
        print(f"parabolas: N_opt ~ C^{minima.exponent_:.3f} ({low:.3f} to {high:.3f}) {minima.message_}")
        print(minima.minima_.round(4).to_string(index=False))
        budgets = np.geomspace(runs["C"].min(), 10 * runs["C"].max(), 4)
        print(harness.allocate(fit, budgets, factor).to_string(index=False, float_format="%.4g"))
        print(harness.overtraining(fit).round(3).to_string(index=False))


def budget_of(runs: pd.DataFrame) -> np.ndarray:
    """C that each run's budget comes to, as counted (steps are whole)."""
    return np.exp(np.log(runs["C"]).groupby(runs["duration"]).transform("mean")).to_numpy()


def draw(runs: pd.DataFrame) -> None:
    named = runs.rename(columns={"params_total": "N"})
    fit = surface(runs, "params_total")
    folder = Path("results") / GRID
    save_figure(law_plots.plot_surface(named, fit), folder / "surface")
    minima = harness.IsoFlop().fit(named["N"], named["D"], named["loss"], budget_of(runs))
    save_figure(isoflop_plots.plot_isoflop(named, minima), folder / "minima")


def foretell(runs: pd.DataFrame, at: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Forecasts of the runs beyond the grid, written down before they are trained."""
    rows = []
    for size in CONVENTIONS:
        places = at.rename(columns={size: "N"})[["N", "D"]]
        found = harness.Forecaster().fit(runs.rename(columns={size: "N"})[["N", "D"]], runs["loss"])
        rows.append(found.predict(places).assign(size=size, rung=at["rung"], duration=at["duration"]))
    table = pd.concat(rows, ignore_index=True)
    if not path.exists():
        path.write_text(json.dumps(table.to_dict("records"), indent=2))
    return pd.read_json(path)


def planned() -> pd.DataFrame:
    """Size and duration of the runs beyond the grid, from their settings alone."""
    from harness.config import compose
    from harness.ladder import build_ladder

    (study,) = compose(f"experiment={BEYOND}")
    rows = []
    for rung in build_ladder(study):
        for duration, steps in enumerate(rung.steps):
            tokens = steps * study.ladder.batch_size * study.task.signature.context
            counts = {"params_total": rung.params.total, "params_non_embedding": rung.params.non_embedding}
            rows.append(counts | {"D": tokens, "rung": rung.index, "duration": duration})
    # The first size at the first budget is in the grid already.
    return pd.DataFrame(rows[1:])


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    command(["sweep", f"experiment={GRID}"])
    command(["collect", f"experiment={GRID}"])
    runs = loss(GRID)
    print("loss by size and budget, mean of seeds; C in FLOPs, as counted")
    print(
        runs.assign(C=budget_of(runs))
        .pivot_table(index=CONVENTIONS[0], columns="C", values="loss")
        .round(4)
        .to_string()
    )
    laws(runs)
    draw(runs)
    table = foretell(runs, planned(), Path("results") / GRID / "forecast.json")
    command(["sweep", f"experiment={BEYOND}"])
    command(["collect", f"experiment={BEYOND}"])
    both = table.merge(loss(BEYOND)[["rung", "duration", "seed", "loss"]], on=["rung", "duration"])
    both["error %"] = 100 * (both["predicted"] / both["loss"] - 1)
    both["inside"] = (both["low"] <= both["loss"]) & (both["loss"] <= both["high"])
    print("\nforecast before training, and what was measured afterwards, a row a run")
    print(both.drop(columns=["rung", "duration"]).round(4).to_string(index=False))
    print(f"median error {both['error %'].abs().median():.2f} %; {both['inside'].sum()} of {len(both)} runs inside")


if __name__ == "__main__":
    main()
