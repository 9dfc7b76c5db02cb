"""harness gain, from a user's own table to numbers, JSON and words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import run
from own_tables import done

from harness.datasets import LossSurface, make_surface

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
GAIN = ("gain", "ladder.csv", "--x", "C", "--y", "loss", "--recipe", "recipe")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ladder.csv: three recipes at 8 computes with common errors, of gains 1, 1.5 and 1 over the first."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    compute, common = np.geomspace(1e18, 1e21, 8), 0.004 * rng.standard_normal(8)
    parts = []
    for name, gain in (("base", 1.0), ("muon", 1.5), ("same", 1.0)):
        loss = (1.7 + 80 * (gain * compute) ** -0.1) * np.exp(common + 0.0005 * rng.standard_normal(8))
        parts.append(pd.DataFrame({"C": compute, "loss": loss, "recipe": name, "seed": 1}))
    pd.concat(parts).to_csv("ladder.csv", index=False)


def test_gains_of_recipes_over_a_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *GAIN, "--at", "1e19", "--at", "C=1e20", "--counterpart", "seed")
    assert found["baseline"] == "base" and [row["compute"] for row in found["gains"]] == [1e19, 1e20] * 2
    for row in found["gains"]:
        truth = 1.5 if row["recipe"] == "muon" else 1.0
        # Standard errors are about 1 %: bounds at five of them.
        assert row["gain"] == pytest.approx(truth, rel=0.06) and row["low"] < row["gain"] < row["high"]
        assert row["status"] == "measured" and (row["p_adjusted"] < 0.01) == (truth > 1)
        assert row["p_adjusted"] >= row["p_value"]
    assert found["changes"][0]["n_pairs"] == 8 and found["changes"][0]["correlation"] > 0.8
    assert set(found["fits"]) == {"base", "muon", "same"} and found["n"] == 24
    assert found["settings"]["counterpart"] == "seed" and found["settings"]["law"] == "power_floor"
    assert "Compute-equivalent gain over base" in ran.out and "8 pairs of runs" in ran.out
    assert "Benjamini and Hochberg over 4 tests" in ran.out and "24 runs, 0 excluded" in ran.out


def test_what_is_extrapolated_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *GAIN, "--at", "1e23", "--where", "recipe != 'same'")
    assert found["gains"][0]["status"] == "extrapolated" and "100 times its largest run" in ran.out
    assert "Benjamini" not in ran.out  # one test
    found, _ = done(capsys, *GAIN, "--baseline", "muon")
    assert [row["compute"] for row in found["gains"]] == [1e21, 1e21] and found["gains"][0]["gain"] < 1


def test_gains_over_parameters_and_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    base = make_surface(4, 5, noise=0.001, random_state=0).frame.assign(corpus="web")
    better = make_surface(4, 5, noise=0.001, random_state=1).frame.assign(corpus="code")
    better["loss"] *= LossSurface().loss(2 * better["N"], 2 * better["D"]) / LossSurface().loss(
        better["N"], better["D"]
    )
    pd.concat([base, better]).to_csv("surface.csv", index=False)
    command = ("gain", "surface.csv", "--x", "N,D", "--y", "loss", "--recipe", "corpus")
    found, ran = done(capsys, *command, "--at", "1e20", "--at", "N=1e9,D=2e10")
    frontier, place = found["gains"]
    assert frontier["N"] is None and (place["N"], place["D"], place["compute"]) == (1e9, 2e10, 1.2e20)
    # The standard error is about 2 %.
    assert frontier["gain"] == pytest.approx(4, rel=0.15) and place["gain"] == pytest.approx(4, rel=0.15)
    assert "2e+10" in ran.out
    run(capsys, *command, "--at", "N=1e9").refused("--at N=1e9: D is not given")
    run(capsys, *command, "--at", "large").refused("--at large: allowed is a compute such as 1e21, or a place")
    run(capsys, *command[:3], "N,D,C", *command[4:]).refused("3 columns")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--baseline", "bse"), ("--baseline bse", "did you mean 'base'")),
        (("--at", "soon"), ("--at soon", "1e21")),
        (("--at", "-1"), ("--at -1", "above 0")),
        (("--at", "nan"), ("--at nan", "above 0")),
        (("--law", "hoffmann"), ("hoffmann is a law of 2",)),
        (("--law", "kaplan"), ("--law", "power_floor")),
        (("--counterpart", "sead"), ("'sead' is missing", "did you mean 'seed'")),
        (("--where", "recipe == 'base'"), ("recipe is base in all rows",)),
        (("--exclude", "recipe == 'base' and C > 2e18"), ("baseline base", "at least 4")),
    ],
)
def test_mistakes(more: tuple[str, ...], words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *GAIN, *more).refused(*words)


def test_a_recipe_that_cannot_be_fitted_stands_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *GAIN, "--exclude", "recipe == 'muon' and C > 2e18")
    assert found["gains"][0]["status"] == "not fitted" and found["gains"][0]["gain"] is None
    assert "muon: power_floor, E + A x^-alpha, needs at least 4" in ran.out
    assert run(capsys, "gain", "ladder.csv", "--x", "C", "--y", "loss").refused("--recipe")
