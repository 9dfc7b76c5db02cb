"""The link from loss to metric as a picture."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from legible import check_legible, legend_of

from harness.errors import DataError
from harness.report.link_plots import plot_link

LOSSES = np.linspace(2.2, 3.4, 12)
NAMES = {"loss_name": "val_loss", "metric_name": "arc_easy"}


def link(loss: np.ndarray) -> np.ndarray:
    return 0.25 + 0.7 / (1 + np.exp((loss - 2.6) / 0.15))


@pytest.fixture
def points() -> pd.DataFrame:
    noise = 0.02 * np.random.default_rng(0).standard_normal(len(LOSSES))
    return pd.DataFrame({"loss": LOSSES, "metric": link(LOSSES) + noise, "stderr": 0.02})


def band(losses: np.ndarray, half: float = 0.04) -> pd.DataFrame:
    middle = link(losses)
    return pd.DataFrame({"loss": losses, "predicted": middle, "low": middle - half, "high": middle + half})


def test_points_link_and_forecasts(points: pd.DataFrame) -> None:
    forecasts = band(np.array([2.0, 2.1])).assign(loss_low=1.95, loss_high=2.15)
    axes = plot_link(points, band(np.linspace(1.9, 3.4, 50)), forecasts, chance=0.25, **NAMES)
    check_legible(axes)
    assert axes.get_xlabel() == "val loss, falling" and axes.get_ylabel() == "arc easy"
    assert sorted(legend_of(axes)) == [
        *("95 % interval", "ceiling", "chance", "forecast, 95 % interval", "link", "runs"),
    ]
    left, right = axes.get_xlim()
    assert left > 3.4 and right < 1.9, "the loss falls to the right"
    low, high = axes.get_ylim()
    assert low < 0.2 and 1 < high < 1.1


def test_what_is_far_away_or_not_there_is_left_out(points: pd.DataFrame) -> None:
    rising = points[points["loss"] > 2.9].drop(columns="stderr")
    axes = plot_link(rising, band(np.linspace(2.9, 3.4, 20)), band(np.array([])), chance=None, level=0.9, **NAMES)
    check_legible(axes)
    assert sorted(legend_of(axes)) == ["90 % interval", "link", "runs"]
    assert axes.get_ylim()[1] < 0.6


def test_open_ends_reach_the_edge(points: pd.DataFrame) -> None:
    curve, forecasts = band(np.linspace(2.0, 3.4, 20)), band(np.array([2.0]))
    curve.loc[:3, "high"] = np.inf
    forecasts["high"] = np.inf
    axes = plot_link(points, curve, forecasts, **NAMES)
    check_legible(axes)
    (bar,) = axes.collections[-1].get_segments()
    assert bar[1, 1] == axes.get_ylim()[1] and np.isfinite(axes.get_ylim()).all()


def test_a_metric_that_is_missing_is_named(points: pd.DataFrame) -> None:
    curve = band(LOSSES)
    with pytest.raises(DataError, match="column 'predicted' is missing"):
        plot_link(points, curve.drop(columns="predicted"), curve, **NAMES)
    points.loc[3, "metric"] = np.nan
    with pytest.raises(DataError, match="column metric, row 3"):
        plot_link(points, curve, curve, **NAMES)
