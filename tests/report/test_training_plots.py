from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from legible import check_legible

from harness.errors import DataError
from harness.report.training_plots import lines_are_means, plot_compute, plot_trajectories

STEPS = np.array([0, 1, 10, 100, 1000])


def training(n_sizes: int = 4, n_seeds: int = 3, metric: str = "loss") -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n_sizes):
        for seed in range(n_seeds):
            loss = (1 + 2 * 0.8**i + 3 * (1 + STEPS) ** -0.5) * np.exp(rng.normal(0, 0.01, len(STEPS)))
            values = loss if metric == "loss" else 1 / (1 + np.exp(2 * (loss - 3)))
            columns = {"params_non_embedding": 1000 * 4**i, "seed": seed, "step": STEPS, "value": values}
            rows.append(pd.DataFrame(columns | {"flops": 6e3 * 4.0**i * STEPS * 64, "run_id": f"{i}-{seed}"}))
    return pd.concat(rows, ignore_index=True).assign(metric=metric, study="text")


def test_trajectories_are_means_with_the_range_of_seeds() -> None:
    frame = training()
    axes = plot_trajectories(frame)
    check_legible(axes)
    assert axes.get_xscale() == axes.get_yscale() == "log" and (axes.get_xlabel(), axes.get_ylabel()) == (
        "step",
        "loss (nats)",
    )
    means = frame[frame["step"] > 0].groupby(["params_non_embedding", "step"])["value"].mean().unstack()
    assert np.array([line.get_ydata() for line in axes.lines]) == pytest.approx(means.to_numpy())
    assert len(axes.collections) == 4
    legend = axes.get_legend()
    assert legend is not None and "range of runs" in [text.get_text() for text in legend.get_texts()]
    one = plot_trajectories(training(n_seeds=1), x="flops")
    assert not one.collections and one.get_xlabel() == "training FLOPs"


def test_runs_measured_at_other_steps_are_lines_of_their_own() -> None:
    frame = training(n_sizes=2)
    axes = plot_trajectories(frame[(frame["run_id"] != "0-0") | (frame["step"] != 100)])
    assert len(axes.lines) == 6 and not axes.collections


@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_where_runs_stop_early_the_best_is_no_worse_than_any_line_and_ends_lie_on_lines(metric: str) -> None:
    frame = training(metric=metric)
    frame["value"] *= 1 + 0.3 * frame["seed"]
    stopped = frame[(frame["seed"] < 2) | (frame["step"] <= 10)]
    assert lines_are_means(frame, metric, "flops", "params_non_embedding")
    assert not lines_are_means(stopped, metric, "flops", "params_non_embedding")
    axes = plot_compute(stopped)
    (best,) = (line for line in axes.lines if line.get_drawstyle() == "steps-post")
    compute, reached = np.asarray(best.get_xdata()), np.asarray(best.get_ydata())
    measured = stopped[stopped["flops"] > 0]
    for at, value in zip(compute, reached, strict=True):
        known = measured[measured["flops"] <= at]["value"]
        assert value == pytest.approx(known.min() if metric == "loss" else known.max())
    ends = [line.get_xydata() for line in axes.lines if line.get_marker() == "o"]
    last = measured[measured["step"] == measured.groupby("run_id")["step"].transform("max")]
    assert np.sort(np.concatenate(ends)[:, 1]) == pytest.approx(np.sort(last["value"]))


@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_the_best_at_each_compute_is_that_of_any_size(metric: str) -> None:
    frame = training(12, metric=metric)
    axes = plot_compute(frame)
    check_legible(axes)
    (best,) = (line for line in axes.lines if line.get_drawstyle() == "steps-post")
    compute, reached = np.asarray(best.get_xdata()), np.asarray(best.get_ydata())
    means = frame.groupby(["params_non_embedding", "flops"])["value"].mean().reset_index()
    for at in (1, len(compute) // 2, len(compute) - 1):
        known = means[(means["flops"] > 0) & (means["flops"] <= compute[at])]["value"]
        assert reached[at] == pytest.approx(known.min() if metric == "loss" else known.max())
    ends = [line for line in axes.lines if line.get_marker() == "o"]
    assert [float(line.get_xdata()[0]) for line in ends] == pytest.approx(
        sorted(frame.groupby("run_id")["flops"].max())[::3]
    )


def test_what_cannot_be_drawn_says_why() -> None:
    frame = training()
    for wrong, words in (
        (frame[frame["step"] == 1000], "loss was measured at fewer than two steps"),
        (pd.concat([frame, frame.assign(study="other")]), "rows of several studies, text, other: choose one"),
        (frame.drop(columns="params_non_embedding"), "column 'params_non_embedding' is missing"),
    ):
        with pytest.raises(DataError, match=words):
            plot_trajectories(wrong)
