"""harness foretell, from a user's own table to forecasts, JSON, a picture and words."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from command import run
from one_style import check_one_style
from own_tables import done

from harness.datasets import make_finetuned

FORETELL = ("foretell", "runs.csv", "--x", "params", "--amount", "examples", "--parent", "parent", "--chance", "0")


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """runs.csv: an ability whose family was measured at larger sizes too, and one that no amount moves."""
    monkeypatch.chdir(tmp_path)
    sort = make_finetuned(family_sizes=(8000, 11_314, 16_000, 22_627, 32_000), random_state=1).frame
    copy = make_finetuned(movement="none", random_state=2).frame
    pd.concat([sort.assign(task="sort"), copy.assign(task="copy")]).to_csv("runs.csv", index=False)


def test_forecasts_in_numbers_words_and_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *FORETELL, "--at", "100", "--plot", "ahead.png")
    sort, copy = found["abilities"]
    assert sort["status"] == "forecast" and sort["low"] < 16_000 < sort["high"] and sort["held"] is True
    assert sort["observed_low"] < 16_000 < sort["observed_high"] and sort["largest"] == 5657
    assert copy["status"] == "not identifiable" and copy["threshold"] is None and copy["held"] is None
    assert [row["amount"] for row in found["amounts"] if row["task"] == "sort"] == [0, 300, 1000, 3000, 10_000]
    assert found["settings"]["at"] == 100
    assert "sort: forecast – given that pretraining is worth 100 examples, to within a factor of 3" in ran.out
    assert "copy: not identifiable – more examples do not move the threshold" in ran.out
    assert "2 abilities" in ran.out and Path("ahead.png").stat().st_size > 10_000
    check_one_style(ran.out)


def test_sizes_below_alone_and_no_family_beyond(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *FORETELL, "--where", "task == 'copy'", "--below", "4000")
    assert found["abilities"][0]["largest"] == 4000 and found["abilities"][0]["n_sizes"] == 5
    assert "N* found" in ran.out  # at 5,657, which was fine-tuned but is not below
    found, ran = done(capsys, *FORETELL, "--where", "task == 'copy'")
    assert "N* found" not in ran.out


def test_recorded_runs_of_two_durations_are_no_one_curve(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("runs.csv").rename(columns={"params": "params_non_embedding", "examples": "unique_examples"})
    two = frame.assign(study="one", run_id=range(len(frame)), parent_run="a", lr=0.1, steps=frame.index % 2 * 100 + 100)
    two.to_csv("recorded.csv", index=False)
    ran = run(capsys, "foretell", "recorded.csv")
    assert ran.code == 2 and "differ in steps (100, 200): --where chooses those of one" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("foretell", "runs.csv", "--x", "params"), "--amount: the column of examples that runs were fine-tuned on"),
        ((*FORETELL, "--at", "0"), "--at: 0: allowed is a finite number above 0"),
        ((*FORETELL, "--top", "0.2"), "top=0.2"),
        ((*FORETELL, "--where", "examples == 0"), "no run was fine-tuned"),
        (("foretell", "runs.csv", *FORETELL[1:]), "named twice"),
    ],
)
def test_a_mistake_is_an_error_of_a_line(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, *words)
    assert ran.code == 2 and said in ran.err and len(ran.err.splitlines()) <= 2
