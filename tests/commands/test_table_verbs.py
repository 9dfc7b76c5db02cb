"""fit, forecast, allocate and import, from a user's own table to numbers, JSON and words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import loaded_after, run
from own_tables import ALLOCATE, AT, FIT, FORECAST, SURFACE, TRUTH, change_row, done, surface_loss, write_tables

from harness import commands
from harness.records.store import load_runs

#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

IMPORTED = Path(__file__).parents[1] / "records" / "imported"


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tables()


# ------------------------------------------------------------------------------------------------------ what is found


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
        *("n", "n_failed_refits", "excluded", "n_outside", "settings"),
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


def test_rows_left_out_are_counted_and_listed(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("surface.csv")
    frame.loc[0, "loss"] = np.nan
    pd.concat([frame, frame.tail(1)]).to_csv("surface.csv", index=False)
    choice = ("--where", "corpus == 'a'", "--exclude", "loss > 4.4", "--exclude", "N > 9e8 and D > 4e10")
    found, ran = done(capsys, "fit", *SURFACE, "--law", "hoffmann", *choice)
    high = [i + 1 for i in frame.index[(frame["corpus"] == "a") & (frame["loss"] > 4.4)]]
    assert found["excluded"] == [
        {"row": 1, "why": "loss is not a finite number"},
        *({"row": row, "why": "loss > 4.4"} for row in high),
        {"row": 25, "why": "N > 9e8 and D > 4e10"},
        {"row": 26, "why": "N > 9e8 and D > 4e10"},
    ]
    assert found["n_outside"] == 5 and found["n"] == 26 - 5 - len(found["excluded"])
    assert f"{found['n']} runs, {len(found['excluded'])} excluded, 5 outside --where" in ran.out
    assert "excluded row 25: N > 9e8 and D > 4e10" in ran.out
    found, _ = done(capsys, "fit", *SURFACE, "--law", "hoffmann")
    assert found["excluded"][-1] == {"row": 26, "why": "the same as an earlier row in every column"}


@pytest.mark.parametrize("value", ["", "nan", "inf"])
def test_a_run_without_a_finite_loss_is_left_out(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    change_row(5, loss=value)
    found, ran = done(capsys, *FIT)
    assert found["excluded"] == [{"row": 5, "why": "loss is not a finite number"}] and found["n"] == 23
    assert "23 runs, 1 excluded" in ran.out and "excluded row 5" in ran.out


def test_a_column_that_is_empty_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    pd.read_csv("sizes.csv").assign(loss=np.nan).to_csv("sizes.csv", index=False)
    assert run(capsys, *FIT).refused("sizes.csv", "no rows left", "24 excluded")


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


def test_huber_and_hoffmann_take_the_bootstrap(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, "fit", *SURFACE, "--law", "hoffmann", "--bootstrap", "200", "--delta", "0.01")
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
    assert hundredth["tokens_ratio"] is None, "JSON has no infinity"
    assert found["status"] == "converged" and found["settings"]["size_ratio"] == [0.5, 0.01]
    assert "Optimal allocation" in ran.out
    assert "0 of 25 budgets have a minimum" in found["isoflop"]["told"] in ran.out, "a grid has no budgets"
    equal, _ = done(capsys, *ALLOCATE, "--compute", "1e21", "--law", "gadre")
    assert equal["exponent_of_N"] == {"value": 0.5, "low": 0.5, "high": 0.5}


def test_parabolas_stand_beside_the_surface(capsys: pytest.CaptureFixture[str]) -> None:
    flops = np.repeat(np.geomspace(1e18, 1e21, 5), 7)
    n = np.sqrt(flops / 120) * np.tile(np.geomspace(0.2, 5, 7), 5)
    pd.DataFrame({"N": n, "D": flops / 6 / n, "loss": surface_loss(n, flops / 6 / n)}).to_csv("isoflop.csv")
    found, ran = done(capsys, "allocate", "isoflop.csv", "--x", "N,D", "--y", "loss", "--compute", "1e21")
    beside = found["isoflop"]
    assert len(beside["minima"]) == 5 and beside["exponent_of_N"]["value"] == pytest.approx(0.37 / 0.72, abs=0.05)
    assert "by IsoFLOP parabolas" in ran.out and "5 of 5 budgets accepted" in ran.out


def test_import_then_fit_of_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(IMPORTED / "lm_eval" / f"results_{size}.json") for size in ("small", "large")]
    pd.DataFrame({"run": ["small", "large"], "params_total": [6040, 15152]}).to_csv("sizes.csv", index=False)
    imported = run(capsys, "import", "lm-eval", *files, "--into", "results/tiny", "--about", "sizes.csv")
    assert imported.code == 0 and "results/tiny: 8 runs (8 finished)" in imported.out, imported.err
    assert set(load_runs(Path("results/tiny"))["params_total"]) == {6040, 15152}
    fit = ("fit", "results/tiny", "--x", "params_total", "--y", "value", "--where", "metric == 'word_perplexity'")
    assert run(capsys, *fit, "--law", "power_floor").refused("needs at least 4 distinct x; got 2")


# ------------------------------------------------------------------------------------------------------- the verbs


@pytest.mark.parametrize("verb", commands.VERBS)
def test_help_of_a_verb(verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run(capsys, verb, "--help")
    assert shown.code == 0 and shown.out.startswith(f"usage: harness {verb} ") and commands.VERBS[verb][1] in shown.out
    assert f"  {verb} " in run(capsys, "--help").out
    monkeypatch.setenv("COMP_LINE", f"harness {verb[:3]}")
    assert verb in run(capsys, "-sc", "query=bash").out.split()


def test_neither_torch_nor_matplotlib_is_loaded() -> None:
    run_all = [FIT, (*FORECAST, *AT), (*ALLOCATE, "--compute", "1e21")]
    assert loaded_after(*run_all) == "[0, 0, 0] set()\n"
