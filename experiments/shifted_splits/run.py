"""Accuracy on the line, and a jump under shifts: digits by an MLP and a CNN, induction by a transformer.

    python experiments/shifted_splits/run.py             train into results/shifted_splits, print tables, draw figure
    python experiments/shifted_splits/run.py --table     the same from the results that are stored here; trains nothing

2 cores, about 3 minutes; what is trained already is not trained again.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich.console import Console

import harness
from harness.analysis.shifts.lines import accuracy_lines
from harness.cli import main as command
from harness.plots import on_the_line, overlay, save
from harness.records.store import collect
from harness.report.axes import STYLE
from harness.report.shift_tables import departures_in_words, line_table, survival_table
from harness.report.terminal import as_rich

HERE = Path(__file__).parent
STORED = HERE / "results"
TABLES = ("runs.parquet", "measurements.parquet")


def tell(frame: pd.DataFrame, console: Console) -> None:
    lines = accuracy_lines(frame[frame["study"] != "induction"], baseline="mlp")
    console.print(as_rich(line_table(lines), "Digits: accuracy on the line of the MLP, probit scale, 95 % intervals"))
    for each in lines:
        for words in departures_in_words(each, "study", 0.95):
            console.print(words, markup=False, soft_wrap=True)
    survival = harness.jump_survival(frame[frame["study"] == "induction"])
    console.print(as_rich(survival_table(survival), "Induction: jumps under the shift"))


@rc_context(STYLE)
def draw(frame: pd.DataFrame) -> None:
    figure = Figure(figsize=(10.2, 3.6))
    figure.subplots_adjust(left=0.065, right=0.985, bottom=0.12, top=0.78, wspace=0.27)
    axes = figure.subplots(1, 3)
    for ax, shift in zip(axes, ("noisy", "blurred"), strict=False):
        digits = frame[frame["task"] == "digits"]
        on_the_line(harness.AccuracyLine(baseline="mlp").fit(digits, shift), ax)
    induction = frame[frame["study"] == "induction"]
    splits = dict(list(induction.groupby("split", sort=False)))
    overlay(splits, "token_accuracy", "params_non_embedding", axes[2])
    save(axes[0], HERE / "figure.png")
    (HERE / "figure.svg").unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="from the results that are stored here")
    parser.add_argument("--store", action="store_true", help="keep the tables of this training here")
    parser.add_argument("overrides", nargs="*", help="further settings, e.g. launcher.workers=1")
    asked = parser.parse_intermixed_args()
    results = STORED if asked.table else Path("results/shifted_splits")
    if not asked.table:
        if code := command(["sweep", "experiment=shifted_splits", f"results={results}", *asked.overrides]):
            raise SystemExit(code)
        collect(results)
        if asked.store:
            STORED.mkdir(exist_ok=True)
            for name in TABLES:
                shutil.copy(results / name, STORED / name)
    frame = harness.load(results, split=None)
    tell(frame, Console(width=150))
    draw(frame)


if __name__ == "__main__":
    main()
