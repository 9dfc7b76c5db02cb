"""What flags and the list of public benchmarks state of metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import run
from own_curves import TOLD, write_curves
from own_tables import done

from harness.commands.meanings import add_known


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_curves()


def test_chance_and_direction_of_public_benchmarks_are_taken_where_nothing_states_them() -> None:
    frame = pd.DataFrame(
        {
            "task": ["arc_easy", "mine", "crows_pairs_english", "mmlu"],
            "metric": ["acc", "acc", "likelihood_difference", "acc"],
            "chance": [np.nan, np.nan, np.nan, 0.3],
        }
    )
    told = add_known(frame)
    assert frame["chance"].isna().tolist() == [False, True, True, False]
    assert frame["chance"].tolist()[::3] == [0.25, 0.3], "what is stated stays"
    assert frame["higher_is_better"].tolist() == [None, None, False, None]
    assert told == (
        "taken from harness/benchmarks.toml: smaller is better, continuous: crows_pairs_english likelihood_difference",
        "taken from harness/benchmarks.toml: chance 0.25 of arc_easy acc (--chance states another)",
    )
    assert add_known(pd.DataFrame({"metric": ["acc"]})) == ()


def test_what_was_taken_is_said_and_a_flag_overrides_it(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("own.csv").replace({"dataset": {"copy": "arc_easy"}, "kind": {"em": "acc"}})
    frame.to_csv("own.csv", index=False)
    told = (*TOLD[:-4], "--pair", "acc=tok")
    found, ran = done(capsys, *told)
    assert {row["task"]: row["chance"] for row in found["curves"]} == {"arc_easy": 0.25, "reverse": None, "sum": None}
    assert found["used"][0] in ran.out and "chance 0.25 of arc_easy acc" in found["used"][0]
    stated, ran = done(capsys, *told, "--chance", "0.1")
    assert {row["chance"] for row in stated["curves"]} == {0.1} and "benchmarks" not in ran.out


def test_items_follow_from_the_standard_errors_of_shares(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("own.csv")
    share = frame["score"]
    frame["se"] = np.where(frame["kind"] == "em", np.sqrt(share * (1 - share) / 199), 0.02)
    frame.to_csv("own.csv", index=False)
    by_items, _ = done(capsys, *TOLD)
    by_error, ran = done(capsys, *TOLD[:-6], "--chance", "0", "--pair", "em=tok", "--stderr", "se")
    assert [row["verdict"] for row in by_error["curves"]] == [row["verdict"] for row in by_items["curves"]]
    assert by_error["used"] == [
        "used: standard errors, from which the test items follow: em 200",
        "used: standard errors, as the noise of evaluation of tok",
    ]
    assert "not known: n_eval" not in ran.out and by_error["settings"]["stderr"] == "se"
    assert run(capsys, *TOLD, "--stderr", "sd").refused("column 'sd' is missing", "'s'")
    frame.assign(se=-1).to_csv("own.csv", index=False)
    assert run(capsys, *TOLD, "--stderr", "se").refused("column se, row 1: -1", "0 or more")
