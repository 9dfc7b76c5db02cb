"""Accuracy on the line: a planted line is recovered, its intervals cover, and a planted departure is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from planted_shifts import on_a_line

from harness import AccuracyLine
from harness.analysis.shifts.lines import accuracy_lines
from harness.errors import DataError, SettingError


def test_intervals_hold_the_planted_line_and_no_run_departs_by_chance() -> None:
    rng, slopes, held, called = np.random.default_rng(0), [], [], []
    for _ in range(60):
        line = AccuracyLine().fit(on_a_line(rng, n_eval=20_000), "noisy")
        slopes.append(line.slope_)
        held += [line.slope_low_ <= 0.8 <= line.slope_high_, line.intercept_low_ <= -0.4 <= line.intercept_high_]
        called.append((line.departures("size")["p_value"] < 0.05).mean())
    assert np.mean(slopes) == pytest.approx(0.8, abs=0.01)
    # 95 %: of 120, with 60 independent, .86 is three deviations below.
    assert np.mean(held) > 0.86
    assert np.mean(called) < 0.11  # 5 % of 480, those of a table together


def test_evaluation_noise_flattens_least_squares_and_the_correction_mends_it() -> None:
    rng = np.random.default_rng(1)
    lines = [AccuracyLine(corrected=True).fit(on_a_line(rng, n_eval=100, low=0.0), "noisy") for _ in range(60)]
    least, corrected = (
        np.mean([getattr(line, f"slope_{of}_") for line in lines]) for of in ("least_squares", "corrected")
    )
    assert least < 0.76 and corrected == pytest.approx(0.8, abs=0.04)
    assert all(line.slope_ == line.slope_corrected_ for line in lines)
    assert np.mean([line.slope_low_ <= 0.8 <= line.slope_high_ for line in lines]) > 0.86


def test_a_size_off_the_line_is_found_and_measured() -> None:
    frame = on_a_line(np.random.default_rng(2), off={5: 0.5})
    line = AccuracyLine().fit(frame, "noisy")
    table = line.departures("size").set_index("group")
    assert list(table.index[table["p_adjusted"] < 0.05]) == ["6.0"]
    found = table.loc["6.0"]
    # 1 at x: Phi(-.4 + .8 + .5) - Phi(-.4 + .8)
    assert found["low"] < 0.16 < found["high"] and 0.1 < found["effective_robustness"] < 0.22
    robust = line.runs_.groupby("size")["effective_robustness"].mean()
    assert robust.idxmax() == 6.0 and line.r2_ < AccuracyLine().fit(on_a_line(np.random.default_rng(2)), "noisy").r2_


def test_a_study_is_measured_against_the_line_of_a_baseline() -> None:
    rng = np.random.default_rng(3)
    base, robust = on_a_line(rng), on_a_line(rng, intercept=0.0)
    frame = pd.concat([base, robust.assign(study="robust", run_id="r" + robust["run_id"])])
    line = AccuracyLine(baseline="main").fit(frame, "noisy")
    alone = AccuracyLine().fit(base, "noisy")
    assert (line.slope_, line.n_runs_) == (alone.slope_, 24)
    (row,) = line.departures("study").to_dict("records")  # without the baseline there is no line to hold it against
    assert row["group"] == "robust" and row["low"] > 0.05 and row["p_adjusted"] < 1e-6
    np.testing.assert_allclose(line.predict([0.5]), [0.3446], atol=0.03)  # Phi(-.4)
    with pytest.raises(DataError, match=r"baseline 'mian' is not there; did you mean 'main'"):
        AccuracyLine(baseline="mian").fit(frame, "noisy")


def test_runs_at_the_ceiling_and_the_floor_are_set_apart_and_counted() -> None:
    frame = on_a_line(np.random.default_rng(4), n_eval=500).assign(chance=0.1)
    worst, best = "0-0", "7-0"
    frame.loc[frame["run_id"] == worst, "value"] = 0.11
    frame.loc[(frame["run_id"] == best) & (frame["split"] == "noisy"), "value"] = 1.0
    line = AccuracyLine().fit(frame, "noisy")
    beyond = line.runs_.set_index("run_id")["beyond"]
    assert (line.n_floor_, line.n_ceiling_, line.n_runs_) == (1, 1, 22)
    assert (beyond[worst], beyond[best]) == ("floor", "ceiling")
    apart = line.runs_["beyond"] != ""
    assert line.runs_.loc[apart, "effective_robustness"].isna().all() and np.isfinite(line.runs_["y"]).all()


def test_runs_of_one_cluster_count_once() -> None:
    frame = on_a_line(np.random.default_rng(5))
    copies = pd.concat([frame.assign(run_id=frame["run_id"] + f" {i}", origin=frame["run_id"]) for i in range(4)])
    apart, together = (AccuracyLine(cluster=by).fit(copies, "noisy") for by in (None, "origin"))
    once = AccuracyLine().fit(frame, "noisy")
    width = {name: line.slope_high_ - line.slope_low_ for name, line in (("a", apart), ("t", together), ("o", once))}
    assert (
        together.n_clusters_ == 24
        and width["t"] == pytest.approx(width["o"], rel=1e-6)
        and width["a"] < 0.6 * width["o"]
    )


def test_lines_of_every_task_and_shift_and_why_there_is_none() -> None:
    frame = on_a_line(np.random.default_rng(6)).assign(task="digits")
    blank = frame[frame["run_id"].str.startswith("0")].assign(task="few")
    found = accuracy_lines(pd.concat([frame, blank]))
    assert [(each.task, each.shift, each.line is None) for each in found] == [
        ("digits", "noisy", False),
        ("few", "noisy", True),
    ]
    assert "3 of 3 runs for a line, 4 are wanted" in found[1].problem


@pytest.mark.parametrize(
    ("settings", "shift", "error", "says"),
    [
        ({}, "noissy", DataError, "no split noissy; did you mean 'noisy'"),
        ({"own": "test"}, "noisy", DataError, "no split test"),
        ({"metric": "acc"}, "noisy", DataError, "metric 'acc' is not there; did you mean 'accuracy'"),
        ({"link": "log"}, "noisy", SettingError, "link=log: allowed is probit or logit"),
        ({"level": 1.0}, "noisy", SettingError, "level=1.0"),
        ({"cluster": "sead"}, "noisy", DataError, "sead"),
    ],
)
def test_what_cannot_be_fitted_is_refused(settings: dict, shift: str, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        AccuracyLine(**settings).fit(on_a_line(np.random.default_rng(0)), shift)


def test_rows_that_cannot_be_used_are_refused() -> None:
    frame = on_a_line(np.random.default_rng(0))
    with pytest.raises(DataError, match=r"1\.5 is no share"):
        AccuracyLine().fit(frame.assign(value=1.5, n_eval=np.nan), "noisy")
    with pytest.raises(DataError, match="two rows of one run"):
        AccuracyLine().fit(pd.concat([frame, frame]), "noisy")
    with pytest.raises(DataError, match="hardly more than the noise"):
        AccuracyLine().fit(frame.assign(value=0.5), "noisy")
    logit = AccuracyLine(link="logit").fit(frame, "noisy")
    assert logit.r2_ > 0.9 and 0.6 < logit.slope_ < 1.0
