"""harness fit, from a user's own table to numbers, JSON and words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import loaded_after, run
from own_tables import FIT, SURFACE, TRUTH, done, surface_loss, write_tables

from harness.datasets import make_transfer

#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tables()


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_fit_recovers_what_was_planted(suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("sizes.csv")
    if suffix == "parquet":
        frame.to_parquet("runs.parquet")
    elif suffix == "jsonl":
        nested = frame.assign(config=[{"lr": 0.1}] * len(frame))
        nested.to_json("runs.jsonl", orient="records", lines=True, double_precision=15)
    else:
        frame.to_csv("runs.csv", index=False)
    found, ran = done(capsys, "fit", f"runs.{suffix}", "--law", "power_floor", "--x", "x", "--y", "loss")
    assert set(found) == {
        *("law", "formula", "params", "intervals", "status", "message", "objective", "noise"),
        *("n", "n_clusters", "shared", "n_failed_refits", "cautions", "excluded", "n_outside", "settings"),
    }
    # Standard errors: .0015, .8 and .0011: bounds at five of them.
    assert found["params"]["E"] == pytest.approx(1.5, abs=0.0075)
    assert found["params"]["A"] == pytest.approx(100, abs=4)
    assert found["params"]["alpha"] == pytest.approx(0.5, abs=0.006)
    for name, (low, high) in found["intervals"].items():
        assert low < found["params"][name] < high
    assert (found["law"], found["status"], found["n"], found["excluded"]) == ("power_floor", "converged", 24, [])
    wanted = {"law": "power_floor", "x": "x", "y": "loss", "objective": "squares", "interval": "profile", "level": 0.95}
    assert wanted.items() <= found["settings"].items()
    assert "status: converged; intervals by profile" in ran.out and "24 runs, 0 excluded" in ran.out


def test_fit_of_a_surface_from_a_derived_column(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--x", "N,tokens", "--derive", "tokens = C / (6*N)", "--y", "loss", "--objective", "squares")
    found, _ = done(capsys, "fit", "surface.csv", "--law", "hoffmann", *arguments)
    for name, within in {"E": 0.06, "A": 120, "B": 1500, "alpha": 0.02, "beta": 0.05}.items():
        assert found["params"][name] == pytest.approx(TRUTH[name], abs=within), name
    assert found["settings"]["derive"] == ["tokens = C / (6*N)"]


def test_rows_of_one_run_and_runs_of_one_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("sizes.csv")
    again = frame.assign(loss=frame["loss"] * 1.001, part=1)
    pd.concat([frame.assign(part=0), again]).to_csv("sizes.csv", index=False)
    found, ran = done(capsys, *FIT, "--group", "seed")
    assert found["n"] == 24 and found["settings"]["group"] == "seed" and "24 runs in 48 rows" in ran.out
    assert done(capsys, *FIT)[0]["n"] == 48
    clustered, _ = done(capsys, *FIT, "--group", "seed", "--cluster", "seed", "--bootstrap", "100")
    runs, _ = done(capsys, *FIT, "--group", "seed", "--bootstrap", "100")
    assert clustered["params"] == runs["params"] and clustered["intervals"] != runs["intervals"]


def test_kinds_of_interval_and_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    found = {}
    kinds = ("profile", "delta", "bootstrap")
    for kind in kinds:
        found[kind], ran = done(capsys, *FIT, "--interval", kind)
        assert f"intervals by {kind}" in ran.out and found[kind]["settings"]["interval"] == kind
        low, high = found[kind]["intervals"]["alpha"]
        assert low < 0.5 < high and 0.002 < high - low < 0.02
    assert found["profile"]["params"] == found["delta"]["params"] == found["bootstrap"]["params"]
    first, again, other = (
        done(capsys, *FIT, "--bootstrap", "150", "--seed", seed)[0]["intervals"] for seed in ("1", "1", "2")
    )
    assert first == again != other
    narrow = done(capsys, *FIT, "--level", "0.5")[0]["intervals"]["alpha"]
    assert np.ptp(narrow) < 0.5 * np.ptp(found["profile"]["intervals"]["alpha"])


def test_one_objective_whatever_the_law_and_hubers_takes_the_bootstrap(capsys: pytest.CaptureFixture[str]) -> None:
    plain = [done(capsys, "fit", *SURFACE, *law)[0] for law in ((), ("--law", "hoffmann"))]
    assert plain[0]["params"] == plain[1]["params"] and plain[0]["settings"]["objective"] == "squares"
    allocated, _ = done(capsys, "allocate", *SURFACE, "--compute", "1e22")
    assert allocated["params"] == plain[0]["params"]
    huber = ("--objective", "huber", "--bootstrap", "200", "--delta", "0.01")
    found, ran = done(capsys, "fit", *SURFACE, "--law", "hoffmann", *huber)
    assert found["settings"]["objective"] == "huber" and found["settings"]["delta"] == 0.01
    assert "intervals by bootstrap, 0 refits failed" in ran.out


def test_best_law_comes_with_a_ranking(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, "fit", "sizes.csv", "--x", "x", "--y", "loss")
    assert found["law"] == "power_floor" == found["ranking"][0]["law"]
    by_law = {row["law"]: row for row in found["ranking"]}
    assert set(by_law) == {"power", "power_floor", "bnsl1", "m4"} and by_law["power"]["delta_aicc"] > 10
    assert "A x^-alpha is refused (AICc higher by" in ran.out
    found, _ = done(capsys, "fit", *SURFACE, "--law", "best")
    assert [row["law"] for row in found["ranking"]][::2] == ["hoffmann", "kaplan"]


def test_a_law_of_shares_takes_zeros(capsys: pytest.CaptureFixture[str]) -> None:
    x, rng = np.geomspace(1e3, 1e6, 24), np.random.default_rng(1)
    right = rng.binomial(400, 0.9 / (1 + (x / 5e4) ** -1.5))
    right[0] = 0
    pd.DataFrame({"x": x, "share": right / 400, "answers": 400}).to_csv("shares.csv", index=False)
    shares = ("fit", "shares.csv", "--law", "logistic", "--x", "x", "--y", "share", "--n-eval", "answers")
    found, _ = done(capsys, *shares)
    assert found["settings"]["objective"] == "beta_binomial" and found["n"] == 24
    # The midpoint's standard error is about 4 %.
    assert found["params"]["x50"] == pytest.approx(5e4, rel=0.2)
    assert found["params"]["ceiling"] == pytest.approx(0.9, abs=0.07)
    assert run(capsys, *FIT[:3], "logistic", *FIT[4:]).refused("column loss, row 1", "0 to 1")
    assert run(capsys, *shares[:-1], "x", "--derive", "z = x - 1e3", "--n-eval", "z").refused("column z, row 1: 0")


@pytest.mark.parametrize("command", [FIT, ("fit", *SURFACE, "--law", "hoffmann")])
def test_plot(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, *command, "--plot", "drawn/fit.png")
    assert ran.code == 0, ran.err
    assert Path("drawn/fit.png").read_bytes()[:4] == b"\x89PNG" and Path("drawn/fit.svg").exists()
    assert "drawn/fit.png" in ran.out


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
        (["--cluster", "one", "--derive", "one = x * 0"], ["all runs are in one cluster"]),
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
        (("fit", *SURFACE[:2], "N,D,C,share", *SURFACE[3:]), ["4 columns"]),
    ],
)
def test_fit_refuses(argv: tuple[str, ...], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *argv).refused(*words)


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


def test_a_scale_that_may_be_any_number_is_not_identified(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("surface.csv").query("D < 2e9 or D > 4e10")
    frame.to_csv("surface.csv", index=False)
    found, ran = done(capsys, "fit", *SURFACE, "--law", "hoffmann", "--objective", "huber")
    assert found["status"] == "not identifiable" and found["settings"]["interval"] == "profile"
    row = next(line for line in ran.out.splitlines() if line.split()[:1] == ["B"])
    assert "not identified" in row and "e+" not in row.split(maxsplit=2)[2] and "e-" not in row.split(maxsplit=2)[2]


def test_a_flat_loss_is_a_flat_power(capsys: pytest.CaptureFixture[str]) -> None:
    pd.read_csv("sizes.csv").assign(loss=2.0).to_csv("sizes.csv", index=False)
    found, _ = done(capsys, *FIT, "--law", "power")
    assert found["params"] == pytest.approx({"A": 2, "alpha": 0}, abs=1e-9)
    assert found["intervals"]["alpha"] == pytest.approx([0, 0], abs=1e-9)


def test_neither_torch_nor_matplotlib_is_loaded() -> None:
    assert loaded_after(FIT) == "[0] set()\n"


def test_laws_with_labels_and_shares_read_them_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Zeros and truth values are no mistakes, and few data of fine-tuning do not look like swapped columns."""
    frame = make_transfer(n_seeds=1, random_state=0).frame
    frame.assign(pretrained=frame["pretrained"].astype(bool)).to_csv("transfer.csv", index=False)
    law = ("--law", "hernandez_floor", "--y", "loss")
    found, ran = done(capsys, "fit", "transfer.csv", *law, "--x", "N,D,pretrained")
    low, high = found["intervals"]["beta"]
    assert 0.3 < low < 0.38 < high < 0.5 and "swapped" not in ran.out and "168" not in ran.out
    frame["pretrained"] = frame["pretrained"].astype(object)
    frame.loc[4, "pretrained"] = "perhaps"
    frame.to_csv("transfer.csv", index=False)
    ran = run(capsys, "fit", "transfer.csv", *law, "--x", "N,D,pretrained")
    assert ran.code == 2 and "row 5" in ran.err and "true or false" in ran.err
    share = np.linspace(0, 1, 9)
    pd.DataFrame({"code": share, "loss": 2 + np.exp(-3 * share)}).to_csv("mixture.csv", index=False)
    found, _ = done(capsys, "fit", "mixture.csv", "--law", "mixture2", "--x", "code", "--y", "loss")
    assert found["params"]["t1"] == pytest.approx(-3, rel=1e-3)
