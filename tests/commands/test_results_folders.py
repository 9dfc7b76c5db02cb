"""emergence, compare and fit on results folders of ours, and on users' tables whose columns have names of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command import run
from own_tables import done
from planted_runs import LEAP, write_planted

from harness.config import compose
from harness.datasets import make_induction_study
from harness.records.store import collect
from harness.settings import Settings


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def study(*overrides: str) -> Settings:
    (found,) = compose(*LEAP, *overrides)
    return found


def curve(found: dict[str, Any]) -> dict[str, Any]:
    (row,) = found["curves"]
    return row


def test_all_rows_of_a_users_table_count_whatever_its_columns_are_called(capsys: pytest.CaptureFixture[str]) -> None:
    """Trap: of a table with a duration in seconds only the rows of the longest were kept."""
    frame = make_induction_study(random_state=0)
    own = frame.assign(duration=np.linspace(1, 90, len(frame)), lr=0.1 / (1 + frame["seed"]), rung=0, step=frame.index)
    own.to_csv("own.csv", index=False)
    frame.drop(columns="rung").to_csv("plain.csv", index=False)
    found, plain = (done(capsys, "emergence", f"{name}.csv")[0] for name in ("own", "plain"))
    assert found["curves"] == plain["curves"] and found["other_runs"] == []
    assert (curve(found)["n_runs"], curve(found)["n_rungs"]) == (24, 8)
    found, plain = (done(capsys, "compare", f"{name}.csv")[0] for name in ("own", "plain"))
    assert found["comparisons"] == plain["comparisons"] and found["tables"][0]["other_runs"] == []


def test_the_longest_duration_and_the_best_learning_rate_make_the_curve_and_the_rest_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_planted(study("ladder.steps=[5,10]"), able_from=60)
    collect("results/leap")
    shorter = "18 of 36 runs of main are left out: shorter than the longest duration of their study"
    found, ran = done(capsys, "emergence", "results/leap")
    assert curve(found)["n_runs"] == 18 and found["other_runs"] == [shorter] and shorter in ran.out
    found, ran = done(capsys, "emergence", "leap", "--where", "steps == 5")
    assert curve(found)["n_runs"] == 18 and found["other_runs"] == []
    found, ran = done(capsys, "compare", "results/leap")
    assert found["tables"][0]["other_runs"] == [shorter] and shorter in ran.out
    # A surface over N and D takes every duration.
    fit = ("fit", "results/leap", "--x", "params_total,tokens", "--y", "value", "--law", "hoffmann")
    found, _ = done(capsys, *fit, "--where", "metric == 'loss'")
    assert found["n"] == 36


def test_the_loss_chooses_a_learning_rate_though_its_rows_were_not_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_planted(study("optimizer.lr=[0.01,0.1]"), able_from=60)
    found, ran = done(capsys, "emergence", "results/leap", "--where", "metric == 'accuracy'")
    assert curve(found)["n_runs"] == 18
    assert "18 of 36 runs of main are kept, those with the best learning rate of each size" in ran.out


def test_runs_of_several_settings_are_refused_and_where_chooses(capsys: pytest.CaptureFixture[str]) -> None:
    write_planted(study("task.n_bits=12"), able_from=60)
    alone, _ = done(capsys, "emergence", "results/leap")
    write_planted(study("task.n_bits=6", "optimizer.lr=0.003"), able_from=16)
    words = ("study main holds runs of several settings: task.n_bits 6, 12; optimizer.lr 0.003, 0.01", "--where")
    assert run(capsys, "emergence", "results/leap").refused(*words)
    assert run(capsys, "compare", "results/leap").refused("results/leap: ", *words)
    # A law takes all rows, and says so.
    ran = run(capsys, "fit", "results/leap", "--x", "params_total", "--y", "value", "--where", "metric == 'loss'")
    assert ran.code == 0 and ran.err == f"harness: results/leap: {words[0]}; --where chooses those of one\n"
    share = ("--where", "metric == 'accuracy'", "--derive", "share = value", "--derive", "loss = 1 / params_total")
    ask = ("forecast", "results/leap", "--x", "params_total", "--y", "loss", "--metric", "share", "--at")
    ran = run(capsys, *ask, "params_total=1e6", *share)
    assert ran.code == 0 and ran.err == f"harness: results/leap: {words[0]}; --where chooses those of one\n"
    # The way out that is told is one.
    told = run(capsys, "compare", "results/leap").err.split("--where '")[1].strip().removesuffix("'")
    for verb in ("emergence", "compare"):
        assert run(capsys, verb, "results/leap", "--where", told).code == 0
    chosen, _ = done(capsys, "emergence", "results/leap", "--where", "`task.n_bits` == 12")
    assert chosen["curves"] == alone["curves"]


def test_runs_that_ended_since_the_last_collect_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """Trap: after sweep, analyze, sweep the verbs read the old tables."""
    write_planted(study("seeds=1"), able_from=60)
    collect("results/leap")
    write_planted(study(), able_from=60)
    found, _ = done(capsys, "emergence", "results/leap")
    assert curve(found)["n_runs"] == 18


@pytest.mark.usefixtures("undrawn")
def test_pieces_that_cannot_be_used_are_named_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_planted(study(), able_from=60)
    broken = next(Path("results/leap/pieces").glob("*.parquet"))
    broken.write_bytes(b"")
    ran = run(capsys, "emergence", "results/leap")
    assert ran.code == 0
    told = f"harness: left out {broken}: corrupt or truncated, not readable as Parquet\n"
    assert ran.err == told
    assert run(capsys, "analyze", *LEAP).err == told


def test_studies_that_vary_apart_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    for name, n_bits, able_from in (("hard", 12, 60), ("easy", 6, 30)):
        write_planted(study(f"study={name}", f"task.n_bits={n_bits}"), able_from)
    found, _ = done(capsys, "compare", "results/leap")
    (compared,) = found["comparisons"]
    assert [row["study"] for row in compared["table"]] == ["easy", "hard"]
    assert pd.DataFrame(compared["pairs"]).loc[0, "ratio"] > 1
