from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from legible import check_legible
from matplotlib.figure import Figure

from harness.analysis.planning.learning_rates import best_rates
from harness.report.rate_plots import plot_rates


def sweep(widths: list[int], drift: float = 0.0, n_seeds: int = 3, rates: np.ndarray | None = None) -> pd.DataFrame:
    """Losses with their minimum at .01, moved by 2^-drift from width to width."""
    rng = np.random.default_rng(0)
    rates = 0.01 * 2.0 ** np.arange(-4, 4) if rates is None else rates
    rows = [
        {"width": width, "lr": rate, "seed": seed, "value": (3 - 0.1 * i) * np.exp(rise + rng.normal(0, 0.003))}
        for i, width in enumerate(widths)
        for rate in rates
        for rise in [0.05 * (np.log(rate / 0.01) + drift * i * np.log(2)) ** 2]
        for seed in range(n_seeds)
    ]
    return pd.DataFrame(rows).assign(metric="loss")


def labels(axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts() if text.get_text().strip()]


def test_the_best_rate_of_each_width_and_the_cost_of_one_rate() -> None:
    frame = sweep([16, 32, 64, 128], drift=0.7)
    axes = plot_rates(frame)
    check_legible(axes)
    below = axes.figure.axes[1]
    table = best_rates(frame).table
    diamonds = [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "D"]
    assert diamonds == pytest.approx(table["best"].tolist())
    (cost,) = (line for line in below.lines if line.get_marker() == "o")
    assert np.asarray(cost.get_ydata()) == pytest.approx(100 * table["cost"].to_numpy())
    assert labels(axes) == ["16", "32", "64", "128", "best rate, 95 % interval", "best tried at the smallest"]
    assert below.get_xlabel() == "width" and below.get_ylabel() == "cost (%)"


def test_edges_one_seed_three_sizes_and_twelve() -> None:
    edge = plot_rates(sweep([16, 32, 64], drift=3.0))
    check_legible(edge)
    assert "best at the lowest rate tried" in labels(edge)
    one = plot_rates(sweep([16, 32, 64], n_seeds=1, rates=np.array([0.003, 0.01, 0.03])))
    check_legible(one)
    assert "best rate (one run each)" in labels(one)
    check_legible(plot_rates(sweep([8 * (i + 1) for i in range(12)], drift=0.2)))
    own, _ = Figure(figsize=(7, 4)).subplots(1, 2)
    assert plot_rates(sweep([16, 32]), ax=own) is own


def test_runs_that_all_but_diverged_do_not_press_the_rest_flat() -> None:
    frame = sweep([16, 32])
    axes = plot_rates(frame.assign(value=frame["value"].where(frame["lr"] < 0.07, 1e4)))
    assert axes.get_ylim()[1] < 10


def test_curves_are_marked_where_they_leave_the_picture_and_show_the_rates_next_to_the_best() -> None:
    frame = sweep([16, 32])
    axes = plot_rates(frame.assign(value=frame["value"].where(frame["lr"] < 0.07, 1e4)))
    top = axes.get_ylim()[1]
    exits = [line for line in axes.lines if line.get_marker() == "^" and not line.get_clip_on()]
    assert len(exits) == 2 and all(float(line.get_ydata()[0]) == pytest.approx(top) for line in exits)
    steep = frame.assign(value=frame["value"].where(frame["lr"] < 0.015, 9.0))
    assert plot_rates(steep).get_ylim()[1] > 9, "three times the best, and next to it"


def test_intervals_that_reach_beyond_the_picture_end_in_an_arrow() -> None:
    found = best_rates(sweep([16, 32], drift=0.5))
    assert not [line for line in plot_rates(sweep([16, 32]), found=found).lines if line.get_marker() in ("<", ">")]
    table = found.table.assign(low=0.0, high=np.inf, cost=0.01, cost_low=-50.0, cost_high=50.0)
    axes = plot_rates(sweep([16, 32]), found=replace(found, table=table))
    check_legible(axes)
    left, right = axes.get_xlim()
    arrows = [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() in ("<", ">")]
    assert arrows == pytest.approx([left, right, left, right])
    below = axes.figure.axes[1]
    assert below.get_ylim()[1] < 3 * 100 * table["cost"].max() and below.get_title(loc="left").endswith("width 16")
    assert [len(line.get_xdata()) for line in below.lines if line.get_marker() in ("v", "^")] == [2, 2]


def test_long_names_of_sizes_fit() -> None:
    frame = sweep([16, 32]).rename(columns={"width": "params_non_embedding"})
    check_legible(
        plot_rates(frame.assign(params_non_embedding=1e6 * frame["params_non_embedding"]), "params_non_embedding")
    )
