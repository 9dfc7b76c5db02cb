"""Which columns of a user's table are what, and what flags state of its metrics: the same for emergence and compare."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import run
from own_curves import OWN, TOLD, write_curves
from own_tables import done

#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_curves()


def test_directions_pairs_and_a_column_of_chance(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("own.csv").assign(guess=0.01)
    frame["score"] = np.where(frame["kind"] == "em", 1 - frame["score"], frame["score"])
    frame.assign(kind=frame["kind"].replace("em", "miss")).to_csv("own.csv", index=False)
    turned, _ = done(capsys, *OWN, "--chance", "guess", "--lower-is-better", "miss", "--pair", "miss=tok")
    assert {row["task"]: row["verdict"] for row in turned["curves"]}["reverse"] == "emergent"
    assert {row["chance"] for row in turned["curves"]} == {0.01}
    assert {row["continuous_metric"] for row in turned["curves"]} == {"tok"}
    loose = done(capsys, *TOLD[:12], "--lower-is-better", "miss", "--alpha", "0.9", "--fraction", "0.2")[0]
    half = {row["task"]: row["threshold"] for row in turned["curves"]}
    assert all(row["threshold"] < 1.05 * half[row["task"]] for row in loose["curves"] if row["metric"] == "miss")
    assert loose["settings"]["alpha"] == 0.9


def test_rows_that_cannot_be_used_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("own.csv")
    frame.loc[[3, 7], "score"] = np.nan
    frame.loc[5, "N"] = np.inf
    frame.to_csv("own.csv", index=False)
    found, _ = done(capsys, *TOLD)
    assert found["excluded"] == [
        {"row": 4, "why": "score is not a finite number"},
        {"row": 6, "why": "N is not a finite number"},
        {"row": 8, "why": "score is not a finite number"},
    ]


def test_flags_state_what_metrics_mean(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = ("--continuous", "em", "--discontinuous", "tok", "--lower-is-better", "em", "--higher-is-better", "tok")
    found, _ = done(capsys, *OWN, *kinds)
    assert {row["metric"] for row in found["curves"]} == {"tok"}
    assert found["assumed"] == {}
    assert found["settings"]["continuous"] == "em" and found["settings"]["higher_is_better"] == "tok"


@pytest.mark.parametrize("verb", ["emergence", "compare"])
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--lower-is-better", "em", "--higher-is-better", "tok,em"], ["--higher-is-better tok,em: em is named by"]),
        (["--discontinuous", "em", "--continuous", "em"], ["--continuous em: em is named by --discontinuous too"]),
        (["--continuous", "to"], ["--continuous to: no metric 'to'", "'tok'"]),
        (["--discontinuous", "em,"], ["--discontinuous em,: allowed are names of metrics"]),
        (["--pair", "em=tk"], ["--pair em=tk: no metric 'tk'"]),
        (["--chance", "guss"], ["--chance guss: allowed is a column"]),
        (["--n-eval", "none", "--derive", "none = 0 * N"], ["column none, row 1: 0.0: allowed are numbers of items"]),
        (["--derive", "higher_is_better = kind"], ["column higher_is_better, row 1: 'em': allowed are true or false"]),
    ],
)
def test_flags_are_refused_in_the_same_words(
    verb: str, flags: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, verb, *OWN[1:], *flags).refused(*words)


def test_an_error_of_the_analysis_names_the_column_as_the_user_does(capsys: pytest.CaptureFixture[str]) -> None:
    high = ("--value", "high", "--derive", "high = 2 + score", "--n-eval", "items", "--exclude", "s == 0")
    assert run(capsys, *OWN, *high).refused("column high, row 2: 2: metric em is a share of n_eval items")


def test_a_column_with_a_name_of_ours_is_a_column_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    """What the columns of a table are called must not leave out rows in silence."""
    frame = pd.read_csv("own.csv")
    frame.assign(higher_is_better=np.where(frame["kind"] == "em", None, True)).to_csv("own.csv", index=False)
    found, _ = done(capsys, *TOLD)
    assert found["assumed"] == {"em": {"higher_is_better": True}}
