"""Mistakes in a table or in the words after its verb end in one or two lines and exit code 2, or in a clear status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command import run
from own_tables import ALLOCATE, AT, FIT, FORECAST, SURFACE, change_row, done, surface_loss, write_tables

#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tables()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--law", "power_flor"], ["--law", "power_flor", "'power_floor'"]),
        (["--colour"], ["--colour", "harness fit --help"]),
        (["--boot", "300"], ["--boot"]),
        (["--x", "size"], ["column 'size' is missing"]),
        (["--y", "lss"], ["column 'lss' is missing", "'loss'"]),
        (["--x", "x,seed"], ["--x x,seed: 2 columns", "power_floor is a law of 1: x"]),
        (["--x", "x,x"], ["--x x,x", "each once"]),
        (["--law", "hoffmann"], ["--x x: 1 column", "hoffmann is a law of 2: N,D"]),
        (["--level", "2"], ["--level", "between 0 and 1"]),
        (["--level", "high"], ["--level", "high", "between 0 and 1"]),
        (["--bootstrap", "5"], ["--bootstrap: 5", "at least 100"]),
        (["--bootstrap", "200", "--interval", "profile"], ["--bootstrap 200", "--interval profile"]),
        (["--seed", "-1"], ["--seed: -1", "at least 0"]),
        (["--delta", "-1"], ["--delta: -1", "above 0"]),
        (["--interval", "wald"], ["--interval: wald", "profile, bootstrap, delta"]),
        (["--objective", "hubr"], ["--objective: hubr", "'huber'"]),
        (["--objective", "binomial"], ["objective=binomial", "squares or huber"]),
        (["--law", "best", "--objective", "huber"], ["--objective", "--law"]),
        (["--law", "best", "--cluster", "seed"], ["--cluster", "--law"]),
        (["--group", "sed"], ["column 'sed' is missing", "'seed'"]),
        (["--n-eval", "seed"], ["column seed, row 1: 0", "above 0"]),
        (["--where", "x > 1e9"], ["sizes.csv: no rows left", "24 outside"]),
        (["--where", "x"], ["True or False is wanted"]),
        (["--where", "x >"], ["'x >'", "character"]),
        (["--where", "x.max() > 1"], ["not allowed: attribute access"]),
        (["--exclude", "__import__('os')"], ["not allowed: call of __import__"]),
        (["--derive", "D = C / 6"], ["column 'C' is missing"]),
        (["--derive", "x = 3"], ["column 'x' is there already"]),
        (["--derive", "x + 3"], ["NAME = EXPRESSION"]),
        (["--plot", "fit.pdf"], ["--plot", ".png"]),
        (["--json", "sizes.csv/found.json"], ["sizes.csv/found.json cannot be written"]),
    ],
)
def test_arguments_that_cannot_be(argv: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *FIT, *argv).refused(*words)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (FIT[:1], ["TABLE, --x, --y"]),
        (FIT[:4] + FIT[6:], ["required: --x"]),
        (FIT[:6], ["required: --y"]),
        (FORECAST, ["required: --at"]),
        (ALLOCATE, ["required: --compute"]),
        ((*FORECAST, "--at", "N=7e9"), ["--at N=7e9: D is not given", "N, D"]),
        ((*FORECAST, "--at", "N=7B,D=1"), ["--at N=7B,D=1", "NAME=NUMBER"]),
        ((*FORECAST, "--at", "7e9"), ["--at 7e9", "NAME=NUMBER"]),
        ((*FORECAST, "--at", "N=1,N=2,D=1"), ["each name once"]),
        ((*FORECAST, "--at", "N=1,D=1,C=6"), ["C is none of N, D"]),
        ((*FORECAST, "--at", "N=-1,D=1"), ["N=-1: allowed are finite numbers above 0"]),
        ((*FORECAST, "--at", "N=1,D=nan"), ["D=nan"]),
        ((*FORECAST, *AT, "--level", "0"), ["--level: 0", "between 0 and 1"]),
        ((*FORECAST, *AT, "--law", "logistic"), ["--law: logistic", "hoffmann"]),
        ((*FORECAST, *AT, "--law", "power"), ["--x N,D: 2 columns", "power is a law of 1"]),
        ((*FORECAST, *AT, "--link", "sigmoid"), ["--link sigmoid", "--metric"]),
        ((*FORECAST, *AT, "--metric", "share", "--link", "sigmod"), ["--link: sigmod", "'sigmoid'"]),
        ((*FORECAST, *AT, "--metric", "shar"), ["column 'shar' is missing", "'share'"]),
        ((*FORECAST, *AT, "--metric", "corpus"), ["column corpus, row 1: 'a': a number is wanted"]),
        ((*FORECAST, *AT, "--metric", "loss"), ["column loss, row 1", "0 to 1"]),
        ((*FORECAST, *AT, "--metric", "flat", "--derive", "flat = 0 * N"), ["the metric is 0 in all 25 runs"]),
        ((*ALLOCATE, "--compute", "nan"), ["--compute: nan", "above 0"]),
        ((*ALLOCATE, "--compute", "-1"), ["--compute: -1", "above 0"]),
        ((*ALLOCATE, "--compute", "abc"), ["--compute: abc", "above 0"]),
        ((*ALLOCATE, "--compute", "1e21", "--size-ratio", "0"), ["--size-ratio: 0", "above 0"]),
        ((*ALLOCATE, "--compute", "1e21", "--law", "kaplan"), ["--law: kaplan", "hoffmann, gadre"]),
        (("fit", *SURFACE[:2], "N,D,C,share", *SURFACE[3:]), ["4 columns"]),
        (("import", "lm_evl", "x", "--into", "r"), ["lm_evl", "'lm_eval'"]),
        (("import", "lm_eval", "nowhere.json", "--into", "r"), ["nowhere.json: no such file"]),
        (("import", "lm_eval", "x"), ["required: --into"]),
        (("import", "lm_eval", "x", "--into", "r", "--set", "a"), ["--set a", "SETTING=VALUE"]),
    ],
)
def test_commands_that_cannot_be(argv: tuple[str, ...], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *argv).refused(*words)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"loss": -1}, ["column loss, row 5: -1", "above 0", "loss <= 0"]),
        ({"loss": 0}, ["column loss, row 5: 0", "above 0"]),
        ({"x": -1e3}, ["column x, row 5: -1000", "above 0"]),
        ({"loss": "n/a"}, ["column loss, row 5: 'n/a'", "a number is wanted"]),
        ({"seed": ""}, ["column seed, row 5: empty", "a label is wanted"]),
    ],
)
def test_cells_that_cannot_be(cells: dict[str, Any], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    change_row(5, **cells)
    assert run(capsys, *FIT, "--group", "seed").refused(*words)


def test_tables_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    for name, content, words in (
        ("empty.csv", "x,loss\n", ["empty.csv: empty"]),
        ("nothing.csv", "", ["nothing.csv: empty"]),
        ("runs.parquet", "not one", ["runs.parquet: not readable"]),
        ("runs.jsonl", "{", ["runs.jsonl, line 1: not JSON"]),
        ("runs.xlsx", "", ["suffix '.xlsx' is not known"]),
        ("twice.csv", "x,x,loss\n1,2,3\n", ["column 'x' is there 2 times"]),
    ):
        Path(name).write_text(content)
        assert run(capsys, "fit", name, *FIT[2:]).refused(*words)
    assert run(capsys, "fit", "size.csv", *FIT[2:]).refused("size.csv: no such file", "'sizes.csv'")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("N = 1e8", ["not identifiable", "N is 1e+08 in all 25 runs"]),
        ("D = 1e9", ["not identifiable", "D is 1e+09 in all 25 runs"]),
        ("N = sqrt(C); D = 20 * sqrt(C)", ["N and D grow together"]),
        ("few", ["hoffmann", "needs at least 6 distinct N and D; got 5"]),
    ],
)
def test_designs_that_tell_nothing(change: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("surface.csv")
    frame = frame.iloc[::6] if change == "few" else frame.eval(change.replace("; ", "\n"))
    frame.assign(loss=surface_loss(frame["N"], frame["D"])).to_csv("surface.csv", index=False)
    assert run(capsys, "fit", *SURFACE, "--law", "hoffmann").refused(*words)
    assert run(capsys, *ALLOCATE, "--compute", "1e21").refused(*words)


@pytest.mark.parametrize(
    ("loss", "law", "status", "message"),
    [
        ("2 + 0 * x", "power_floor", "at a bound", "y does not fall with x"),
        ("x ** 0.3", "power_floor", "at a bound", "y does not fall with x"),
        ("loss * 0 + 1.5 + 1e-9 * seed", "bnsl1", "at a bound", ""),
    ],
)
def test_a_law_that_the_runs_do_not_tell(
    loss: str, law: str, status: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pd.read_csv("sizes.csv").eval(f"loss = {loss}").to_csv("sizes.csv", index=False)
    found, ran = done(capsys, *FIT, "--law", law)
    assert found["status"] == status and message in found["message"]
    assert f"status: {status}" in ran.out and found["message"] in ran.out


def test_a_law_whose_parameters_trade_off(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, "fit", *SURFACE, "--law", "kaplan")
    assert found["status"] == "not identifiable" and "alpha_D" in found["message"]
    assert "fit about equally well; a wider range of N and D, or more runs, would tell" in ran.out


def test_one_budget_does_not_tell_the_surface(capsys: pytest.CaptureFixture[str]) -> None:
    n, rng = np.repeat(np.geomspace(2e7, 2e9, 9), 2), np.random.default_rng(0)
    d = 1e20 / 6 / n
    loss = surface_loss(n, d) * np.exp(0.002 * rng.standard_normal(18))
    pd.DataFrame({"N": n, "D": d, "loss": loss}).to_csv("surface.csv", index=False)
    found, _ = done(capsys, *ALLOCATE, "--compute", "1e21", "--objective", "squares")
    assert found["status"] == "not identifiable" and "parameters trade off" in found["message"]


def test_a_flat_loss_is_a_flat_power(capsys: pytest.CaptureFixture[str]) -> None:
    pd.read_csv("sizes.csv").assign(loss=2.0).to_csv("sizes.csv", index=False)
    found, _ = done(capsys, *FIT, "--law", "power")
    assert found["params"] == pytest.approx({"A": 2, "alpha": 0}, abs=1e-9)
    assert found["intervals"]["alpha"] == pytest.approx([0, 0], abs=1e-9)
