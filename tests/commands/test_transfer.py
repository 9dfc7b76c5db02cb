"""harness transfer, from a user's own table and from a results folder to numbers, JSON, words and a picture."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from command import run
from own_tables import done
from record_rows import measurement_rows, run_row

from harness.datasets import TransferTruth, make_transfer
from harness.records.writer import write_run

TABLE = ("transfer", "runs.csv", "--x", "N,D", "--draws", "100")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    planted().to_csv("runs.csv", index=False)


def planted() -> pd.DataFrame:
    return make_transfer(2, 6, 2, truth=TransferTruth(kept=0.5), random_state=0).frame


def test_a_table_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *TABLE, "--pretrained", "pretrained", "--plot", "worth.png")
    assert Path("worth.png").exists() and Path("worth.svg").exists()
    assert len(found["amounts"]) == 12 and len(found["sizes"]) == 2 and found["n"] == 48
    first = found["amounts"][0]
    truth = TransferTruth(kept=0.5).effective(first["N"], first["D_F"])
    assert first["D_E"] == pytest.approx(truth, rel=0.2) and first["effect"] == "helps"
    assert found["settings"]["seed"] == "seed" and found["settings"]["pretrained"] == "pretrained"
    assert "it stops helping at" in ran.out and "hurts" in ran.out and "48 runs, 0 excluded" in ran.out


def test_bounds_and_single_runs_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    frame = make_transfer(1, 6, 1, truth=TransferTruth(k=1e7), random_state=0).frame
    frame["began_from"] = frame.pop("pretrained").map({0: None, 1: "a base model"})
    frame.drop(columns="seed").to_csv("runs.csv", index=False)
    found, ran = done(capsys, *TABLE, "--pretrained", "began_from")
    assert found["amounts"][0]["reading"] == "at least" and found["amounts"][0]["D_E_low"] is None
    assert "\u2265 10G" in ran.out and "two runs or more of each size and amount tell the noise" in ran.out


def test_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *TABLE).refused("--pretrained", "must be named")
    run(capsys, "transfer", "runs.csv", "--pretrained", "pretrained").refused("--x", "must be named")
    run(capsys, "transfer", "runs.csv", "--x", "N", "--pretrained", "pretrained").refused("--x N", "two")
    run(capsys, *TABLE, "--pretrained", "pretraind").refused("pretraind", "did you mean 'pretrained'")
    frame = planted().astype({"pretrained": object})
    frame.loc[3, "pretrained"] = None
    frame.to_csv("runs.csv", index=False)
    run(capsys, *TABLE, "--pretrained", "pretrained").refused("row 4", "true or false")
    planted().query("pretrained == 1").to_csv("runs.csv", index=False)
    run(capsys, *TABLE, "--pretrained", "pretrained").refused("no size has runs from scratch at 3 amounts")


def write_results(studies: dict[int, str]) -> None:
    """results/tuned: the planted runs by kind, and one run of pretraining."""
    frame = planted()
    rows = [*frame.to_dict("records"), {"N": 1e7, "D": 1e9, "pretrained": 0, "seed": 0, "loss": 2.0}]
    for i, row in enumerate(rows):
        last = i == len(frame)
        run_id = f"{i:016x}"
        of_run = run_row(
            run_id=run_id,
            study="base" if last else studies[row["pretrained"]],
            params_non_embedding=int(row["N"]),
            params_total=int(row["N"]),
            unique_examples=int(row["D"]),
            seed=int(row["seed"]),
            parent_run=f"{len(frame):016x}" if row["pretrained"] else None,
        )
        of_loss = [each for each in measurement_rows(value=row["loss"]) if each["metric"] == "loss"]
        write_run(Path("results/tuned"), of_run, of_loss)


def test_a_results_folder(capsys: pytest.CaptureFixture[str]) -> None:
    """Runs that others began from are no runs from scratch on this data."""
    write_results({0: "scratch", 1: "tuned"})
    found, ran = done(capsys, "transfer", "results/tuned", "--draws", "100")
    assert len(found["amounts"]) == 12 and found["n"] == 48
    assert "1 run that others began from are left out" in ran.out
