"""harness shifts, and --split of other verbs: results folders and tables that say which set a row is of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import run
from one_style import check_one_style
from own_tables import done
from planted_shifts import on_a_line, with_jumps
from synthetic import make_results

from harness import load
from harness.errors import DataError

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "shifted"
    return make_results(folder, ("digits", "induction"), max_seeds=3, failures=False, shifts={"noisy": 0.3, "far": 1.0})


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_lines_and_jumps_of_a_results_folder(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, "shifts", str(results), "--plot", "line.png")
    lines = {(line["task"], line["metric"], line["shift"]): line for line in found["lines"]}
    assert set(lines) == {
        (task, metric, shift)
        for task, metric in (("digits", "accuracy"), ("induction", "exact_match"))
        for shift in ("far", "noisy")
    }
    noisy = lines["digits", "accuracy", "noisy"]
    assert noisy["slope"] == pytest.approx(1, abs=0.02) and noisy["intercept"] == pytest.approx(-0.3, abs=0.02)
    assert len(noisy["runs"]) == noisy["n_runs"] == 18 and "Accuracy on the line" in ran.out
    outcomes = {(row["study"], row["split"]): row["outcome"] for row in found["jumps"]}
    assert outcomes["induction", "noisy"] == "survives" and outcomes["digits", "far"] == "no jump"
    assert "survives" in ran.out and "3 shifts" not in ran.out and "2 shifts beside eval" in ran.out
    pictures = sorted(path.name for path in Path().glob("*.png"))
    assert "line_digits.accuracy.noisy.png" in pictures
    check_one_style(ran.out)
    left_out = ("--where", "study == 'digits'", "--exclude", "split == 'far'")
    less, _ = done(capsys, "shifts", str(results), *left_out)
    assert {row["split"] for row in less["jumps"]} == {"noisy"}
    only, ran = done(capsys, "shifts", str(results), "--split", "far", "--where", "study == 'digits'")
    assert [line["shift"] for line in only["lines"]] == ["far"] and only["settings"]["split"] == "far"


def test_a_table_of_ones_own_with_a_column_split(capsys: pytest.CaptureFixture[str]) -> None:
    frame = on_a_line(np.random.default_rng(0), off={5: 0.5}).replace({"split": {"eval": "test"}})
    frame.to_csv("runs.csv", index=False)
    found, ran = done(capsys, "shifts", "runs.csv", "--x", "size", "--own", "test", "--plot", "one.png")
    (line,) = found["lines"]
    assert line["slope_low"] < 0.8 < line["slope_high"] and line["shift"] == "noisy"
    (off,) = [row for row in line["departures"] if row["p_adjusted"] < 0.05]
    assert off["group"] == "6.0" and "size 6 lies" in ran.out and "points above the line of the others" in ran.out
    assert Path("one.png").exists() and Path("one.svg").exists()
    with_jumps("jump at 3", later="jump at 6").to_csv("jumps.csv", index=False)
    found, ran = done(capsys, "shifts", "jumps.csv", "--x", "params")
    assert [row["outcome"] for row in found["jumps"]] == ["moves"] and "moves" in ran.out


def test_other_verbs_judge_the_own_set_unless_told(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--where", "study == 'digits'")
    own, _ = done(capsys, "emergence", str(results), *where)
    noisy, _ = done(capsys, "emergence", str(results), *where, "--split", "noisy")
    (a,), (b,) = own["curves"], noisy["curves"]
    assert a["best_mean"] > b["best_mean"] + 0.01 and noisy["settings"]["split"] == "noisy"
    fits = [
        done(capsys, "fit", str(results), "--x", "params_total", "--y", "loss", "--law", "power", *where, *split)[0]
        for split in ((), ("--split", "noisy"))
    ]
    amplitudes = [fit["params"]["A"] for fit in fits]
    assert amplitudes[1] == pytest.approx(1.3 * amplitudes[0], rel=1e-3)


def test_a_frame_is_of_the_split_that_is_asked_for(results: Path) -> None:
    own, noisy, every = (load(results, split=split) for split in ("eval", "noisy", None))
    assert set(own["split"]) == {"eval"} and set(noisy["split"]) == {"noisy"}
    assert list(dict.fromkeys(every["split"])) == ["eval", "far", "noisy"] and len(every) == 3 * len(own)
    pd.testing.assert_frame_equal(every[every["split"] == "eval"].reset_index(drop=True), own)
    with pytest.raises(DataError, match="no split nosy; did you mean 'noisy'"):
        load(results, split="nosy")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("shifts", "{results}", "--split", "nosy"), "--split nosy: no such shift; did you mean 'noisy'?"),
        (("shifts", "{results}", "--own", "test"), "--own test: no such split; there are eval, far, noisy"),
        (("shifts", "{results}", "--baseline", "digit"), "baseline 'digit' is not there"),
        (("shifts", "{results}", "--link", "log"), "--link"),
        (("shifts", "plain.csv"), "plain.csv: no column split"),
        (("emergence", "{results}", "--split", "nosy"), "no split nosy; did you mean 'noisy'?"),
        (("emergence", "plain.csv", "--x", "size", "--split", "a"), "plain.csv: no column split, of which a would be"),
    ],
)
def test_mistakes_in_a_line(
    results: Path, words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_line(np.random.default_rng(0)).drop(columns="split").to_csv("plain.csv", index=False)
    ran = run(capsys, *(word.format(results=results) for word in words))
    assert ran.code == 2 and says in ran.err and ran.err.count("\n") <= 2, ran.err
