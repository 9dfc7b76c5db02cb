"""harness allocate, from a user's own table to numbers, JSON and words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import loaded_after, run
from own_tables import ALLOCATE, done, surface_loss, write_tables

CHINCHILLA = Path(__file__).parents[3] / "shared/data/chinchilla_fig4_extracted.csv"
#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tables()


def test_allocation_and_overtraining(capsys: pytest.CaptureFixture[str]) -> None:
    ratios = ("--size-ratio", "0.5", "--size-ratio", "0.01")
    found, ran = done(capsys, *ALLOCATE, "--compute", "1e21", "--compute", "1e24", *ratios)
    assert [row["compute"] for row in found["allocation"]] == [1e21, 1e24]
    n = np.geomspace(1e8, 1e11, 100_001)
    best = n[surface_loss(n, 1e21 / 6 / n).argmin()]
    row = found["allocation"][0]
    assert row["N"] == pytest.approx(best, rel=0.25) and row["N_low"] < row["N"] < row["N_high"]
    assert 6 * row["N"] * row["D"] == pytest.approx(1e21)
    assert row["loss"] == pytest.approx(surface_loss(best, 1e21 / 6 / best), rel=0.01)
    exponent = found["exponent_of_N"]
    assert exponent["value"] == pytest.approx(0.37 / 0.72, abs=0.03) and exponent["low"] < exponent["high"]
    half, hundredth = found["overtraining"]
    assert half["compute_ratio"] == pytest.approx(half["tokens_ratio"] / 2) and half["compute_ratio"] > 1
    assert hundredth["tokens_ratio"] == "inf", "JSON has no infinity"
    assert found["status"] == "converged" and found["settings"]["size_ratio"] == [0.5, 0.01]
    assert "Optimal allocation" in ran.out
    assert "none of 25 budgets has a minimum" in found["isoflop"]["summary"] in ran.out, "a grid has no budgets"
    assert "read off the runs" not in ran.out
    equal, _ = done(capsys, *ALLOCATE, "--compute", "1e21", "--law", "gadre")
    assert equal["exponent_of_N"] == {"value": 0.5, "low": 0.5, "high": 0.5}


def test_parabolas_stand_beside_the_surface(capsys: pytest.CaptureFixture[str]) -> None:
    flops = np.repeat(np.geomspace(1e18, 1e21, 5), 7)
    n = np.sqrt(flops / 120) * np.tile(np.geomspace(0.2, 5, 7), 5)
    pd.DataFrame({"N": n, "D": flops / 6 / n, "loss": surface_loss(n, flops / 6 / n)}).to_csv("isoflop.csv")
    budgets = ("--compute", "1e21", "--compute", "1e24")
    found, ran = done(capsys, "allocate", "isoflop.csv", "--x", "N,D", "--y", "loss", *budgets)
    beside = found["isoflop"]
    assert len(beside["minima"]) == 5 and beside["exponent_of_N"]["value"] == pytest.approx(0.37 / 0.72, abs=0.05)
    assert "by IsoFLOP parabolas" in ran.out and "5 of 5 budgets accepted" in ran.out
    for kind, most in (("isoflop", 1.6), ("envelope", 3)):
        ahead = found[kind]["allocation"]
        assert [row["compute"] for row in ahead] == [1e21, 1e24]
        for row, surface in zip(ahead, found["allocation"], strict=True):
            assert surface["N"] / most < row["N"] < surface["N"] * most and row["N_low"] < row["N"] < row["N_high"]
            assert 6 * row["N"] * row["D"] == pytest.approx(row["compute"]) and "loss" not in row
    line = found["isoflop"]
    last = line["coefficient"] * 1e24 ** line["exponent_of_N"]["value"]
    assert last == pytest.approx(line["allocation"][1]["N"], rel=1e-6)
    assert "The same read off the runs" in ran.out and "the envelope" in ran.out


@pytest.mark.skipif(not CHINCHILLA.exists(), reason="needs ../shared/data")
def test_published_answers_lie_in_the_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    """Hoffmann et al. 2022, table 2 and figures 2 and 3, for Gopher's 5.76e23 FLOPs: approach 1 has a = .50 and 67B
    parameters, approach 2 .49 and 63B."""
    derived = ("--derive", "N = `Model Size`", "--derive", "D = `Training FLOP` / (6 * N)", "--where", "loss < 4")
    argv = ("allocate", str(CHINCHILLA), "--x", "N,D", "--y", "loss", *derived, "--compute", "5.76e23")
    found, _ = done(capsys, *argv)
    for kind, exponent, size in (("envelope", 0.50, 67e9), ("isoflop", 0.49, 63e9)):
        by_line, (row,) = found[kind]["exponent_of_N"], found[kind]["allocation"]
        assert by_line["low"] < exponent < by_line["high"] and row["N_low"] < size < row["N_high"], kind
    assert found["isoflop"]["exponent_of_N"]["value"] == pytest.approx(0.49, abs=0.02)


def test_two_budgets_give_a_line_without_an_interval(capsys: pytest.CaptureFixture[str]) -> None:
    flops = np.repeat([1e18, 1e21], 9)
    n = np.sqrt(flops / 120) * np.tile(np.geomspace(0.2, 5, 9), 2)
    pd.DataFrame({"N": n, "D": flops / 6 / n, "loss": surface_loss(n, flops / 6 / n)}).to_csv("surface.csv")
    found, ran = done(capsys, *ALLOCATE, "--compute", "1e22")
    (row,) = found["isoflop"]["allocation"]
    assert row["N"] > 1e8 and row["N_low"] is None
    assert done(capsys, *ALLOCATE, "--compute", "1e300")[0]["isoflop"]["allocation"][0]["N"] > 1e100
    assert "an exponent without an interval" in ran.out
    assert "nan" not in ran.out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (ALLOCATE, ["required: --compute"]),
        ((*ALLOCATE, "--compute", "nan"), ["--compute: nan", "above 0"]),
        ((*ALLOCATE, "--compute", "-1"), ["--compute: -1", "above 0"]),
        ((*ALLOCATE, "--compute", "abc"), ["--compute: abc", "above 0"]),
        ((*ALLOCATE, "--compute", "1e21", "--size-ratio", "0"), ["--size-ratio: 0", "above 0"]),
        ((*ALLOCATE, "--compute", "1e21", "--law", "kaplan"), ["--law: kaplan", "hoffmann, gadre"]),
    ],
)
def test_allocate_refuses(argv: tuple[str, ...], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
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
    assert run(capsys, *ALLOCATE, "--compute", "1e21").refused(*words)


def test_one_budget_does_not_tell_the_surface(capsys: pytest.CaptureFixture[str]) -> None:
    n, rng = np.repeat(np.geomspace(2e7, 2e9, 9), 2), np.random.default_rng(0)
    d = 1e20 / 6 / n
    loss = surface_loss(n, d) * np.exp(0.002 * rng.standard_normal(18))
    pd.DataFrame({"N": n, "D": d, "loss": loss}).to_csv("surface.csv", index=False)
    found, _ = done(capsys, *ALLOCATE, "--compute", "1e21", "--objective", "squares")
    assert found["status"] == "not identifiable" and "parameters trade off" in found["message"]


def test_neither_torch_nor_matplotlib_is_loaded() -> None:
    assert loaded_after((*ALLOCATE, "--compute", "1e21")) == "[0] set()\n"
