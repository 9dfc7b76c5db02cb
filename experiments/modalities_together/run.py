"""Two digits, shown, spoken or written, by one transformer: what appears first, wholes and parts, kinds beside kinds.

    python experiments/modalities_together/run.py [--results FOLDER] [--table]

2 cores, about 10 minutes; what is trained already is not trained again. Spoken digits need
pip install 'scaling-harness[speech]'. --table: from the tables beside this file, without training. Draws figure.png
beside this file.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.axes import Axes
from scipy import stats

import harness
from harness.cli import main as harness_command
from harness.errors import RunsWarning
from harness.report.axes import BLUE, GREEN, GREY, ORANGE, STYLE, VERMILLION, size_axis
from harness.wording import interval

HERE = Path(__file__).parent
KEPT = HERE / "results"
X, LEVEL = "params_non_embedding", 0.95
READING, ABILITIES = ("shown left", "shown right"), ("left", "right", "max", "larger", "sum")
COLOURS = dict(zip(ABILITIES, (GREY, BLUE, GREEN, ORANGE, VERMILLION), strict=True))
#: What is compared with shown digits alone, at as many of them.
BESIDE = {"with_written": "written", "with_spoken": "spoken"}
OF_MIXTURES = "mixtures"


def keep_last_steps(folder: Path, to: Path) -> None:
    """The tables of a results folder, of the measurements those of each run's last step."""
    to.mkdir(parents=True, exist_ok=True)
    measurements = pq.read_table(folder / "measurements.parquet")
    steps = measurements.select(["run_id", "step"]).to_pandas()
    last = steps["step"] == steps.groupby("run_id")["step"].transform("max")
    pq.write_table(measurements.filter(pa.array(last)), to / "measurements.parquet", compression="zstd")
    pq.write_table(pq.read_table(folder / "runs.parquet"), to / "runs.parquet", compression="zstd")


def kept() -> pd.DataFrame:
    """A row a run, subtask and metric, on the evaluation set at the run's last step; with the weights as columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunsWarning)  # the mixtures of one study are several, and meant to be
        return harness.load(KEPT, runs="all")


def runs_of(frame: pd.DataFrame, study: str, subtask: str, metric: str) -> pd.Series:
    """(width, seed) -> value."""
    chosen = frame[(frame["study"] == study) & (frame["subtask"] == subtask) & (frame["metric"] == metric)]
    return chosen.set_index(["width", "seed"])["value"].sort_index()


def with_ends(values: Iterable[float]) -> str:
    """A value of either sign with the ends of its interval."""
    value, low, high = (f"{each:.3g}" for each in values)
    return f"{value} ({low} to {high})"


# --------------------------------------------------------------------------------------------- what appears, and when


def abilities(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each study and question about shown digits: verdict, N* and onset with their intervals."""
    shown = frame[(frame["study"] != OF_MIXTURES) & frame["subtask"].str.startswith("shown ")]
    jumps = harness.find_jumps(shown, x=X)
    return pd.DataFrame(
        {
            "study": jumps["study"],
            "question": jumps["subtask"].str.removeprefix("shown "),
            "verdict": jumps["verdict"],
            "N*": [interval(*each) for each in jumps[["threshold", "threshold_low", "threshold_high"]].to_numpy()],
            "onset": [interval(*each) for each in jumps[["onset", "onset_low", "onset_high"]].to_numpy()],
            "reason": jumps["reason"],
        }
    )


def order(frame: pd.DataFrame, study: str) -> pd.DataFrame:
    """Which of two abilities of shown digits has the larger N*, with the simultaneous interval of their ratio."""
    shown = frame[(frame["study"] == study) & frame["subtask"].str.startswith("shown ")]
    return harness.compare_thresholds(shown, x=X).pairs


# --------------------------------------------------------------------------------------------------- wholes and parts


def product_of_reading(frame: pd.DataFrame, study: str) -> pd.DataFrame:
    """Exact match of sums beside the product of the accuracies of reading left and right; a row a run."""
    parts = {name: runs_of(frame, study, name, "exact_match") for name in (*READING, "shown max", "shown sum")}
    table = pd.DataFrame(parts).rename(columns=lambda name: name.removeprefix("shown "))
    return table.assign(product=table["left"] * table["right"])


def sums_against_reading(frame: pd.DataFrame, study: str) -> str:
    """The verdict on sums whose continuous pair is the accuracy of reading a digit, and why."""
    table = product_of_reading(frame, study)
    sizes = frame[frame["study"] == study].groupby("width")[X].first()
    reading = np.sqrt(table["product"])
    rows = [
        {"width": width, "seed": seed, X: sizes[width], "metric": metric, "value": values[width, seed], **meant}
        for metric, values, meant in (
            ("sums", table["sum"], {"discontinuous": True, "paired_metric": "reading"}),
            ("reading", reading, {"discontinuous": False, "paired_metric": None}),
        )
        for width, seed in table.index
    ]
    items = float(frame["n_eval"].where(frame["subtask"] == "shown sum").min())
    judged = harness.find_jumps(pd.DataFrame(rows).assign(higher_is_better=True, n_eval=items), x=X).iloc[0]
    return f"{judged['verdict']}: {judged['reason']}"


# ------------------------------------------------------------------------------------------------ kinds beside kinds


def moved_by(frame: pd.DataFrame, other: str, question: str) -> dict[str, str]:
    """How the loss on shown digits differs where another kind is trained beside them, as a factor and along size.

    The logarithm of the ratio of the losses of the runs of one size and seed, by least squares on ln N less its mean:
    the intercept is the factor at the middle of the ladder, the slope what is added to the exponent of the loss.
    """
    losses = [runs_of(frame, study, f"shown {question}", "loss") for study in ("alone", other)]
    ratio = np.log(losses[1] / losses[0]).dropna()
    sizes = frame[frame["study"] == other].groupby("width")[X].first()
    along = np.log(sizes.loc[ratio.index.get_level_values("width")].to_numpy())
    line = stats.linregress(along - along.mean(), ratio.to_numpy())
    t = stats.t.ppf((1 + LEVEL) / 2, len(ratio) - 2)
    factor = np.exp(line.intercept + t * line.intercept_stderr * np.array([0, -1, 1]))
    slope = line.slope + t * line.stderr * np.array([0, -1, 1])
    told = {"loss times": with_ends(factor), "added to the slope": with_ends(slope)}
    return {"beside": BESIDE[other], "question": question} | told


def mixing(frame: pd.DataFrame) -> pd.DataFrame:
    """The law of mixtures over the share of shown digits, for each question about shown and about written ones."""
    mixed = frame[(frame["study"] == OF_MIXTURES) & (frame["metric"] == "loss")]
    rows = []
    for subtask in (f"{kind} {question}" for kind in ("shown", "written") for question in ("left", "max", "sum")):
        part = mixed[mixed["subtask"] == subtask]
        trained = part[(part["task.kinds.written"] > 0) | (subtask.split()[0] == "shown")]
        law = harness.ScalingLaw("mixture2").fit(trained[["task.kinds.shown"]], trained["value"])
        at = trained.groupby("task.kinds.shown")["value"].mean()
        told = {name: with_ends((value, *law.intervals_[name])) for name, value in law.params_.items()}
        rows.append({"loss on": subtask} | told | {"status": law.status_} | at.round(3).to_dict())
    return pd.DataFrame(rows)


# ------------------------------------------------------------------------------------------------------------- figure


def draw_abilities(ax: Axes, frame: pd.DataFrame, study: str) -> None:
    sizes = frame[frame["study"] == study].groupby("width")[X].first()
    for name in ABILITIES:
        runs = runs_of(frame, study, f"shown {name}", "exact_match")
        places = sizes.loc[runs.index.get_level_values("width")].to_numpy()
        ax.plot(places, runs, "o", ms=2.5, mfc="none", mew=0.6, color=COLOURS[name])
        ax.plot(sizes, runs.groupby("width").mean(), lw=1.3, color=COLOURS[name], label=name)
    table = product_of_reading(frame, study)
    ax.plot(sizes, table["product"].groupby("width").mean(), lw=1, ls="--", color="black", label="left × right")
    ax.set(ylim=(-0.03, 1.03), title={"alone": "shown digits alone", "with_written": "with written ones"}[study])


def draw(frame: pd.DataFrame) -> None:
    plt.rcParams.update(STYLE)
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.9), layout="constrained", sharey=True)
    for ax, study in zip(axes, ("alone", "with_written"), strict=True):
        draw_abilities(ax, frame, study)
    axes[0].set_ylabel("exact match")
    axes[1].legend(fontsize=7, frameon=False, loc="lower right")
    figure.draw_without_rendering()  # which sizes have room for a label is known once the panels have their places
    for ax in axes:
        size_axis(ax, frame[frame["study"] == "alone"][X], X)
    figure.savefig(HERE / "figure.png", dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/modalities_together"), help="where it is trained")
    parser.add_argument("--table", action="store_true", help="from the tables beside this file alone")
    given = parser.parse_args()
    if not given.table:
        harness_command(["sweep", "experiment=modalities_together", f"results={given.results}"])
        harness_command(["collect", str(given.results)])
        keep_last_steps(given.results, KEPT)
    frame = kept()
    with pd.option_context("display.width", 250, "display.max_columns", 30, "display.max_colwidth", 160):
        print(abilities(frame).to_string(index=False))
        print(f"\n{order(frame, 'alone').to_string(index=False)}")
        for study in ("alone", "with_written"):
            print(f"\n{study}\n{product_of_reading(frame, study).groupby('width').mean().round(3)}")
            print(f"sums by reading: {sums_against_reading(frame, study)}")
        moved = [moved_by(frame, other, question) for other in BESIDE for question in ABILITIES]
        print(f"\n{pd.DataFrame(moved).to_string(index=False)}\n\n{mixing(frame).to_string(index=False)}")
    draw(frame)
    print(f"figure: {HERE / 'figure.png'}")


if __name__ == "__main__":
    main()
