"""Our own surface: sizes x durations of a byte-level transformer, its laws, and a forecast made before it is tested.

    python experiments/isoflop/run.py      (2 cores, about 4 minutes; what is trained already is not trained again)

Trains the grid, its decays branched off one trunk for each size and seed, fits surface and IsoFLOP minima under both
ways to count parameters, writes down the forecast of one rung and one duration beyond the grid, and only then trains
those runs. Pictures go to results/isoflop. --unbranched trains the grid a second time, every run from its beginning,
and compares the two (4 minutes more); --quick does that on a small grid, and nothing else (2 minutes).
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
from harness.config import compose
from harness.records.store import load_runs
from harness.report import isoflop_plots, law_plots
from harness.report.axes import save_figure
from harness.report.names import size_name
from harness.sweeping.asked import choose_runs

GRID, BEYOND = "isoflop", "isoflop_beyond"
CONVENTIONS = ("params_total", "params_non_embedding")

#: A grid that trains in a minute.
QUICK = (
    "name=isoflop_quick",
    "ladder.widths=[12,16,24,32]",
    "ladder.flops=[3e9,5.2e9,9e9,1.56e10]",
    "schedule.warmup_steps=8",
    "task.n_eval=1024",
)


def asked_for(*overrides: str) -> pd.DataFrame:
    """The last measurements of the runs that these settings ask for; a results folder may hold others."""
    studies = compose(*overrides)
    folder = studies[0].results
    return choose_runs(studies, load_runs(folder)).rows(harness.load(folder, runs="all"), folder)


def loss(*overrides: str) -> pd.DataFrame:
    """Runs of an experiment: both counts of N, D, C as counted, and the evaluation loss."""
    frame = asked_for(*overrides)
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


def train(*overrides: str) -> None:
    for verb in ("sweep", "collect"):
        if code := command([verb, *overrides]):
            raise SystemExit(code)


def spent(runs: pd.DataFrame) -> None:
    """What a grid of runs cost."""
    paths, own = runs["flops"].sum(), runs["spent_flops"].sum()
    print(f"\n{len(runs)} runs: {paths:.3g} FLOPs on their paths, {own:.3g} spent, {own / paths:.1%}")
    print(f"{runs['wall_s'].sum():.0f} s of training, one process after another")


def compare(branched: tuple[str, ...]) -> None:
    """The grid trained a second time, every run from its beginning, beside the branched one."""
    (study,) = compose(*branched)
    alone = (*branched, "ladder.branched=false", f"name={study.name}_unbranched")
    train(*alone)
    both = {"branched": branched, "unbranched": alone}
    for words in both.values():
        folder = compose(*words)[0].results
        runs = load_runs(folder)
        spent(runs[runs["run_id"].isin(asked_for(*words)["run_id"])])
    key = ["run_id", "step", "split", "subtask", "metric"]
    ours, theirs = (asked_for(*words).set_index(key)["value"].sort_index() for words in both.values())
    print(f"measurements that differ, of {len(theirs)}: {int((ours != theirs).sum())} (compared to the bit)")
    for size in CONVENTIONS:
        told = []
        for name, words in both.items():
            value, low, high = optimal_exponent(surface(loss(*words), size))
            told.append(f"{name} C^{value:.3f} ({low:.3f} to {high:.3f})")
        print(f"N_opt by {size_name(size)}: {'; '.join(told)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unbranched", action="store_true", help="train the grid a second time, without trunks")
    parser.add_argument("--quick", action="store_true", help="compare on a small grid, and nothing else")
    arguments = parser.parse_args()
    grid = (f"experiment={GRID}", *(QUICK if arguments.quick else ()))
    train(*grid)
    if arguments.quick or arguments.unbranched:
        compare(grid)
    if arguments.quick:
        return
    runs = loss(*grid)
    spent(load_runs(f"results/{GRID}").merge(asked_for(*grid)[["run_id"]].drop_duplicates(), on="run_id"))
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
    train(f"experiment={BEYOND}")
    beyond = loss(f"experiment={BEYOND}")
    both = table.merge(beyond[["rung", "duration", "seed", "loss"]], on=["rung", "duration"])
    both["error %"] = 100 * (both["predicted"] / both["loss"] - 1)
    both["inside"] = (both["low"] <= both["loss"]) & (both["loss"] <= both["high"])
    print("\nforecast before training, and what was measured afterwards, a row a run")
    print(both.drop(columns=["rung", "duration"]).round(4).to_string(index=False))
    print(f"median error {both['error %'].abs().median():.2f} %; {both['inside'].sum()} of {len(both)} runs inside")


if __name__ == "__main__":
    main()
