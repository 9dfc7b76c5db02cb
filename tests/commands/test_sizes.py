"""The x of curves: losses, checkpoints, sizes taken together, families."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import run
from own_curves import TASKS, TOLD, rows_of, write_curves
from own_tables import done
from planted_runs import LEAP, write_planted

from harness.analysis.size_bins import take_together
from harness.config import compose

#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_curves()


def test_along_a_loss_abilities_appear_as_it_falls(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("own.csv").assign(loss=lambda table: 50 / table["N"])
    frame.to_csv("own.csv", index=False)
    by_size, _ = done(capsys, *TOLD)
    by_loss, ran = done(capsys, *TOLD[:3], "loss", *TOLD[4:], "--plot", "loss.png")
    for size, loss in zip(by_size["curves"], by_loss["curves"], strict=True):
        assert loss["verdict"] == size["verdict"] and loss["p_value"] == pytest.approx(size["p_value"])
        assert loss["threshold"] == pytest.approx(50 / size["threshold"])
        assert loss["threshold_low"] == pytest.approx(50 / float(size["threshold_high"]))
    assert "N* in loss" in ran.out
    assert "falling" in Path("loss.svg").read_text() or Path("loss.png").exists()


def test_a_metric_can_be_the_size(capsys: pytest.CaptureFixture[str]) -> None:
    """The loss of a results folder: a row of its own, not a column."""
    (study,) = compose(*LEAP)
    write_planted(study, able_from=60)
    found, _ = done(capsys, "emergence", "results/leap", "--x", "loss")
    (row,) = found["curves"]
    assert 0.05 < row["threshold"] < 0.69 and row["n_rungs"] == 6
    assert run(capsys, "emergence", "own.csv", "--x", "tok", *TOLD[4:]).refused("--x tok: is a metric", "rung")


def test_checkpoints_of_one_run_are_said_to_be_correlated(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("own.csv").rename(columns={"N": "step"})
    frame[frame["s"] == 0].to_csv("own.csv", index=False)
    _, ran = done(capsys, *TOLD[:3], "step", *TOLD[4:])
    assert "note: along step these may be checkpoints of one run" in ran.out and "p holds for this run alone" in ran.out
    frame.to_csv("own.csv", index=False)
    found, _ = done(capsys, *TOLD[:3], "step", *TOLD[4:])
    assert found["cautions"][0].startswith("along step these may be checkpoints of 4 runs")
    frame.assign(run_id=frame["s"]).to_csv("own.csv", index=False)
    found, _ = done(capsys, *TOLD[:3], "step", *TOLD[4:])
    assert found["cautions"][0].startswith("along step these are checkpoints of 4 runs")
    frame.assign(run_id=frame["step"].astype(str) + "-" + frame["s"].astype(str)).to_csv("own.csv", index=False)
    assert done(capsys, *TOLD[:3], "step", *TOLD[4:])[0]["cautions"] == [], "each run stands at one step"


def test_sizes_in_a_bin_are_one_size_at_their_geometric_mean() -> None:
    frame = pd.DataFrame({"N": [100.0, 101.0, 205.0, 205.0], "seed": [0, 0, 0, 1], "value": 1.0})
    found = take_together(frame, "N", 1)
    assert found["N"].tolist() == pytest.approx([np.sqrt(100 * 101)] * 2 + [205.0] * 2)
    assert found["run_id"].nunique() == 4 and found["seed"].tolist() == [0, 0, 0, 1]
    assert take_together(frame, "N", 100)["N"].tolist() == pytest.approx(frame["N"].tolist())


def test_a_table_of_many_families_warns_of_fine_steps_and_offers_bins(capsys: pytest.CaptureFixture[str]) -> None:
    """No rise of a pooled table is wider than four steps of its own: nothing could jump, and nothing said why."""
    frame = pd.concat([rows_of(task, seeds=3) for task in TASKS]).query("kind == 'em'")
    size = 1 + 0.04 * (frame["s"] - 1)  # three families a few percent apart
    frame.assign(N=frame["N"] * size, model=frame["s"]).drop(columns="s").to_csv("pooled.csv", index=False)
    pooled = ("emergence", "pooled.csv", *TOLD[2:10], "--n-eval", "items")
    fine, ran = done(capsys, *pooled)
    (note,) = fine["cautions"]
    assert note.startswith("the 27 sizes lie close: a rise wider than four steps") and f"note: {note}" in ran.out
    bins = note.split("--bins-per-octave ")[1].split()[0]
    told, ran = done(capsys, *pooled, "--bins-per-octave", bins)
    assert told["cautions"] == [] and {row["n_rungs"] for row in told["curves"]} == {9}
    assert "used: 27 sizes of N taken together to 9" in ran.out
    assert done(capsys, *TOLD)[0]["cautions"] == [], "a ladder of one family is no such table"


def families(later: float = 2.0) -> None:
    parts = [
        rows_of(task, later=shift).assign(family=name)
        for name, shift in (("old", 0.0), ("new", later))
        for task in TASKS
    ]
    pd.concat(parts).to_csv("own.csv", index=False)


def test_families_have_curves_of_their_own_and_thresholds_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    families()
    found, ran = done(capsys, *TOLD, "--by", "family")
    assert [(row["study"], row["task"]) for row in found["curves"]] == [
        (family, task) for family in ("old", "new") for task in TASKS
    ]
    ratios = {(row["first"], row["second"]): row for row in found["across"]}
    assert len(ratios) == len(TASKS), "task by task"
    reverse = ratios["old: reverse", "new: reverse"]
    assert reverse["low"] < 4 < reverse["high"] and reverse["p_adjusted"] < 0.01
    assert "Thresholds across family" in ran.out and "new: reverse / old: reverse" in ran.out
    compared, _ = done(capsys, "compare", *TOLD[1:], "--by", "family")
    assert {row["study"] for row in compared["comparisons"][0]["table"]} == {"old", "new"}


def test_numbers_tell_families_apart_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    families()
    frame = pd.read_csv("own.csv")
    frame.assign(shots=np.where(frame["family"] == "old", 0, 5)).to_csv("own.csv", index=False)
    found, _ = done(capsys, *TOLD, "--by", "shots")
    assert {row["study"] for row in found["curves"]} == {"shots 0", "shots 5"}
    assert run(capsys, *TOLD, "--by", "famly").refused("column 'famly' is missing", "'family'")
    frame.loc[3, "family"] = ""
    frame.to_csv("own.csv", index=False)
    assert run(capsys, *TOLD, "--by", "family").refused("column family, row 4: empty: a label is wanted")
