"""harness forecast, from a user's own table to numbers, JSON and words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command import loaded_after, run
from own_tables import AT, FORECAST, done, surface_loss, write_tables

#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tables()


def test_forecasts_come_in_the_order_asked(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *FORECAST, *AT, "--at", "D=2e10,N=1.5e9", "--at", "N=1e8,D=1e10")
    asked = [{"N": 7e9, "D": 1.4e11}, {"N": 1.5e9, "D": 2e10}, {"N": 1e8, "D": 1e10}]
    assert [forecast["at"] for forecast in found["forecasts"]] == asked
    for forecast, place in zip(found["forecasts"], asked, strict=True):
        assert set(forecast) == {"at", "predicted", "low", "high"}
        truth = surface_loss(place["N"], place["D"])
        # Twenty times beyond the runs: three per cent; within them the noise.
        assert forecast["predicted"] == pytest.approx(truth, rel=0.03 if place["N"] == 7e9 else 0.01)
        assert forecast["low"] < truth < forecast["high"]
    assert sum(found["weights"].values()) == pytest.approx(1) and found["n"] == 25
    assert "laws weighed by rolling extrapolation" in ran.out


def test_forecast_derives_what_is_not_given(capsys: pytest.CaptureFixture[str]) -> None:
    step_by_step = ("--derive", "volume = C / 6", "--derive", "tokens = volume / N")
    forecast = ("forecast", "surface.csv", "--x", "N,tokens", "--y", "loss", *step_by_step)
    found, _ = done(capsys, *forecast, "--at", "N=1e9,C=6e19", "--at", "N=1e9,tokens=1e10")
    derived, given = found["forecasts"]
    assert derived["at"]["tokens"] == pytest.approx(1e10) and derived["predicted"] == pytest.approx(given["predicted"])
    assert run(capsys, *forecast, "--at", "N=1e9").refused("tokens is not given and cannot be derived", "'C'")
    assert run(capsys, *forecast, "--at", "N=1e9,C=6e19,Q=1").refused("Q is none of N, tokens")


@pytest.mark.parametrize(("metric", "link"), [("share", "sigmoid"), ("error", "exponential")])
def test_forecast_of_a_metric_through_the_loss(metric: str, link: str, capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *FORECAST, *AT, "--metric", metric, "--link", link)
    (forecast,), loss = found["forecasts"], surface_loss(7e9, 1.4e11)
    truths = {"share": 0.25 + 0.7 / (1 + np.exp((loss - 3) / 0.4)), "error": 0.9 - 0.8 * np.exp(-0.9 * loss)}
    assert forecast["predicted"] == pytest.approx(truths[metric], abs=0.02)
    assert forecast["low"] < truths[metric] < forecast["high"]
    assert found["metric"] == metric and found["link"]["law"] == f"{link}_of_loss"
    assert found["link"]["status"] == "converged" and f"{metric} through" in ran.out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (FORECAST, ["required: --at"]),
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
    ],
)
def test_forecast_refuses(argv: tuple[str, ...], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *argv).refused(*words)


def test_neither_torch_nor_matplotlib_is_loaded() -> None:
    assert loaded_after((*FORECAST, *AT)) == "[0] set()\n"
