"""harness forecast, from a user's own table to numbers, JSON and words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import loaded_after, run
from own_tables import AT, FORECAST, change_row, done, surface_loss, write_tables

from harness.commands.arguments import LINKS

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


@pytest.mark.parametrize(("metric", "link"), [("share", "sigmoid"), ("error", "exponential"), ("share", "best")])
def test_forecast_of_a_metric_through_the_loss(metric: str, link: str, capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *FORECAST, *AT, "--metric", metric, "--link", link)
    (forecast,), loss = found["forecasts"], surface_loss(7e9, 1.4e11)
    truths = {"share": 0.25 + 0.7 / (1 + np.exp((loss - 3) / 0.4)), "error": 0.9 - 0.8 * np.exp(-0.9 * loss)}
    assert forecast["metric"] == metric and forecast["status"] == "follows the loss"
    assert forecast["predicted"] == pytest.approx(truths[metric], abs=0.03)
    assert forecast["low"] < truths[metric] < forecast["high"]
    (about,) = found["links"]
    assert about["task"] == metric and sum(about.get(name, 0) for name in (*LINKS, "flat")) == pytest.approx(1)
    assert about["ceiling_low"] <= about["ceiling"] <= about["ceiling_high"]
    assert "follows the loss" in ran.out and "links weighed" in ran.out


def test_several_metrics_with_a_loss_each(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("surface.csv")
    wide = frame[["N", "D"]].assign(
        acc_a=frame["share"], acc_b=1 - frame["error"], bpb_a=frame["loss"], bpb_b=0.4 * frame["loss"], items=1000
    )
    wide.loc[:1, "acc_b"] = np.nan
    wide.to_csv("wide.csv", index=False)
    asked = ("forecast", "wide.csv", "--x", "N,D", "--y", "bpb_*", "--metric", "acc_*", *AT, "--n-eval", "items")
    found, ran = done(capsys, *asked)
    assert [forecast["metric"] for forecast in found["forecasts"]] == ["acc_a", "acc_b"]
    assert found["forecasts"][1]["loss"] == pytest.approx(0.4 * found["forecasts"][0]["loss"], rel=0.01)
    assert "acc_b: no number in 2 rows, which inform the loss only" in ran.out
    assert [about["n"] for about in found["links"]] == [25, 23]


def test_checkpoints_for_the_link_alone(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("surface.csv").assign(final=1, run=np.arange(25))
    early = frame.assign(final=0, loss=frame["loss"] * 1.1)
    early["share"] = 0.25 + 0.7 / (1 + np.exp((early["loss"] - 3) / 0.4))
    pd.concat([frame, early]).to_csv("checkpoints.csv", index=False)
    ask = ("forecast", "checkpoints.csv", "--x", "N,D", "--y", "loss", "--metric", "share", *AT)
    found, ran = done(capsys, *ask, "--where", "final == 1", "--link-rows", "final == 0", "--cluster", "run")
    alone, _ = done(capsys, *ask, "--where", "final == 1")
    assert found["n"] == 25 and found["links"][0]["n"] == 50 and alone["links"][0]["n"] == 25
    assert found["forecasts"][0]["loss"] == pytest.approx(alone["forecasts"][0]["loss"])
    assert "25 runs and 25 rows for the link alone" in ran.out
    # Without --where the rows of the loss are all that are not of the link alone.
    again, _ = done(capsys, *ask, "--link-rows", "final == 0", "--cluster", "run")
    assert again["forecasts"] == found["forecasts"]


def test_no_number_where_the_metric_does_not_follow(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *FORECAST, *AT, "--metric", "flat", "--derive", "flat = 0 * N")
    assert found["forecasts"][0]["predicted"] is None and found["forecasts"][0]["status"] == "is the same in all runs"
    assert "flat is 0 in all 25 runs" in ran.out


def test_a_metric_in_percent(capsys: pytest.CaptureFixture[str]) -> None:
    percent = ("--derive", "percent = 100 * share", "--metric", "percent")
    found, _ = done(capsys, *FORECAST, *AT, *percent, "--range", "0,100", "--chance", "25")
    assert 70 < found["forecasts"][0]["predicted"] < 100
    assert run(capsys, *FORECAST, *AT, *percent).refused("column percent, row 1", "0 to 1", "--range LOW,HIGH")


def test_runs_ahead_are_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    done(capsys, *FORECAST, *AT, "--at", "N=1e10,D=1e12", "--plot", "out/ahead.png")
    assert Path("out/ahead.png").stat().st_size > 5000 and Path("out/ahead.svg").exists()


def test_chance_of_benchmarks_is_known_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("surface.csv")
    frame.assign(acc_hellaswag=frame["share"], acc_mine=frame["share"]).to_csv("named.csv", index=False)
    ask = ("forecast", "named.csv", "--x", "N,D", "--y", "loss", *AT)
    for metrics in ("acc_hellaswag,acc_mine", "acc_*", "acc_hellaswag"):
        _, ran = done(capsys, *ask, "--metric", metrics)
        assert "chance 0.25 of acc_hellaswag" in ran.out
        assert ("not known: chance of acc_mine" in ran.out) == (metrics != "acc_hellaswag")
    _, ran = done(capsys, *ask, "--metric", "acc_*", "--chance", "acc_mine=0.2,acc_hellaswag=0.3")
    assert "chance" not in ran.out
    assert run(capsys, *ask, "--metric", "acc_*", "--chance", "acc_min=0.2").refused("acc_min", "'acc_mine'")
    # In percent the levels are in percent.
    percent = ("--derive", "acc_winogrande = 100 * share", "--metric", "acc_winogrande", "--range", "0,100")
    _, ran = done(capsys, *FORECAST, *AT, *percent)
    assert "chance 50 of acc_winogrande" in ran.out
    _, ran = done(capsys, *FORECAST, *AT, "--metric", "share", "--range", "0,100")
    assert "no value of share is above 1" in ran.out


def test_columns_of_any_name(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("surface.csv").rename(columns={"N": "größe", "D": "train tokens"})
    frame.to_csv("names.csv", index=False)
    ask = ("forecast", "names.csv", "--x", "größe,train tokens", "--y", "loss", "--at", "größe=7e9,train tokens=1.4e11")
    found, _ = done(capsys, *ask, "--metric", "share", "--plot", "out/names.png")
    assert found["forecasts"][0]["at"] == {"größe": 7e9, "train tokens": 1.4e11}
    done(capsys, *ask, "--plot", "out/names.png")


def test_a_table_is_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("surface.csv").read_bytes()
    assert run(capsys, *FORECAST, *AT, "--json", "./surface.csv").refused(
        "--json ./surface.csv", "would be overwritten"
    )
    assert Path("surface.csv").read_bytes() == before


def test_noise_is_known_wherever_the_metric_is(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("surface.csv").assign(items=1000.0)
    frame.loc[3, "items"] = np.nan
    frame.to_csv("gap.csv", index=False)
    ask = ("forecast", "gap.csv", "--x", "N,D", "--y", "loss", *AT, "--metric", "share", "--n-eval", "items")
    assert run(capsys, *ask).refused("column items, row 4")
    frame.loc[3, "share"] = np.nan
    frame.to_csv("gap.csv", index=False)
    done(capsys, *ask)


def test_a_loss_that_rises_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    rising = ("--derive", "worse = 10 / loss")
    ask = ("forecast", "surface.csv", "--x", "N,D", "--y", "worse", *rising, *AT)
    assert run(capsys, *ask).refused("rises with N and D")


def test_lists_of_losses_and_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("surface.csv")
    frame.assign(other=0.5 * frame["loss"]).to_csv("two.csv", index=False)
    ask = ("forecast", "two.csv", "--x", "N,D", *AT, "--metric", "share,error")
    found, ran = done(capsys, *ask, "--y", "loss,other")
    first, second = found["forecasts"]
    assert second["loss"] == pytest.approx(first["loss"] / 2, rel=1e-3)
    assert "rolling extrapolation of the losses missed by" in ran.out
    assert run(capsys, *ask, "--y", "loss,other,D").refused("--y loss,other,D: 3 columns", "2 metrics")


def test_links_are_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    done(capsys, *FORECAST, *AT, "--metric", "share,error", "--plot", "out/links.png")
    assert Path("out/links.png").stat().st_size > 5000 and Path("out/links.svg").exists()


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
        ((*FORECAST, *AT, "--metric", "zzz_*"), ["zzz_*", "no column"]),
        ((*FORECAST, *AT, "--metric", "share", "--y", "los*"), ["--y los*", "a pattern of losses"]),
        ((*FORECAST, *AT, "--metric", "share", "--range", "1,0"), ["--range: 1,0", "the lower one first"]),
        ((*FORECAST, *AT, "--metric", "share", "--chance", "25"), ["chance 25 of share", "0 to 1"]),
        ((*FORECAST, *AT, "--metric", "share", "--link-rows", "N > 1"), ["--link-rows", "--cluster"]),
        ((*FORECAST, *AT, "--metric", "share", "--link-rows", "N < 0", "--cluster", "corpus"), ["holds for no row"]),
        ((*FORECAST, *AT, "--metric", "share", "--plot", "links.pdf"), ["--plot", ".png"]),
        ((*FORECAST, *AT, "--n-eval", "C"), ["--n-eval C", "--metric"]),
    ],
)
def test_forecast_refuses(argv: tuple[str, ...], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *argv).refused(*words)


def test_neither_torch_nor_matplotlib_is_loaded() -> None:
    assert loaded_after((*FORECAST, *AT)) == "[0] set()\n"


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("size", [5e-324, 1e308])
def test_a_size_at_the_end_of_all_numbers_is_fitted_without_a_warning_of_numpy(
    size: float, capsys: pytest.CaptureFixture[str]
) -> None:
    change_row(10, x=size)
    ran = run(capsys, "forecast", "sizes.csv", "--law", "power", "--x", "x", "--y", "loss", "--at", "x=1e12")
    assert ran.code in (0, 2) and "Warning" not in ran.err


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_an_end_beyond_all_numbers_is_open_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    losses = [4.82, 4.323, 1.797e308, 3.585, 3.311]
    pd.DataFrame({"x": np.geomspace(1e5, 2e6, 5), "loss": losses}).to_csv("sizes.csv", index=False)
    ran = run(capsys, "forecast", "sizes.csv", "--law", "power", "--x", "x", "--y", "loss", "--at", "x=1e12")
    assert ran.code in (0, 2) and "Warning" not in ran.err
