"""Best learning rates of planted losses: found, within their intervals, and told apart from what was not found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from harness.analysis.planning.learning_rates import RateStatus, best_rates
from harness.errors import DataError, SettingError

WIDTHS = (16, 32, 64, 128)
RATES = 0.01 * 2.0 ** np.arange(-5, 5)


def parabola(t: np.ndarray) -> np.ndarray:
    return 0.08 * t**2


def skewed(t: np.ndarray) -> np.ndarray:
    """As far as intervals allow for: the third derivative at the minimum is the second."""
    return 0.08 * (np.exp(t) - 1 - t)


def planted(
    best: dict[int, float],
    rates: np.ndarray = RATES,
    n_seeds: int = 3,
    noise: float = 0.003,
    rise: Callable[[np.ndarray], np.ndarray] = parabola,
    random_state: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Losses that rise from the best rate of each width, with a level of each seed and noise of each run."""
    rng = np.random.default_rng(random_state)
    rows = []
    for width, at in best.items():
        level = rng.normal(0, 0.01, n_seeds)
        for rate in rates:
            loss = np.exp(1 - 0.05 * np.log(width) + rise(np.log(rate / at)) + level + rng.normal(0, noise, n_seeds))
            rows += [{"width": width, "lr": rate, "seed": i, "value": value} for i, value in enumerate(loss)]
    return pd.DataFrame(rows).assign(metric="loss")


def test_planted_rates_and_what_one_rate_costs_are_found() -> None:
    truth = {width: 0.02 / (width / 16) for width in WIDTHS}
    found = best_rates(planted(truth, noise=0.001))
    table = found.table.set_index("width")
    assert (table["status"] == RateStatus.INTERIOR).all()
    assert np.log(table["best"] / pd.Series(truth)).abs().max() < 0.05
    assert ((table["low"] < pd.Series(truth)) & (pd.Series(truth) < table["high"])).all()
    assert (table["curvature"] - 0.16).abs().max() < 0.02
    assert found.transferred == pytest.approx(0.02)
    cost = np.expm1([parabola(np.log(0.02 / at)) for at in truth.values()])
    assert table["cost"].iloc[0] == 0 and table["cost"].to_numpy()[1:] == pytest.approx(cost[1:], abs=0.004)
    assert (table["cost_low"].iloc[1:] < cost[1:]).all() and (cost[1:] < table["cost_high"].iloc[1:]).all()
    assert table["n_rates"].tolist() == [10] * 4 and table["n_runs"].tolist() == [30] * 4


@pytest.mark.parametrize("rise", [parabola, skewed])
@pytest.mark.parametrize(("step", "n_seeds"), [(2.0, 3), (10**0.5, 3), (2.0, 1)])
def test_intervals_hold_the_planted_rate(rise: Callable, step: float, n_seeds: int) -> None:
    rng = np.random.default_rng(1)
    rates = 0.01 * step ** np.arange(-4.0, 5)
    held, known = [], []
    for _ in range(40):
        at = 0.01 * step ** rng.uniform(-0.5, 0.5)
        row = best_rates(planted({64: at}, rates, n_seeds, 0.01, rise, rng)).table.iloc[0]
        known.append(np.isfinite(row["high"]))
        held.append(not row["high"] <= at and not row["low"] >= at)
    assert np.mean(held) >= 0.9
    assert np.mean(known) >= 0.5, "an interval that is always open holds everything"


def test_a_minimum_at_an_edge_is_not_claimed() -> None:
    table = best_rates(planted({16: 0.001, 32: 0.01, 64: 1.0}, rates=RATES[3:7])).table
    assert table["status"].tolist() == ["at the lowest rate", "interior", "at the highest rate"]
    lowest, _, highest = table.to_dict("records")
    assert (lowest["best"], lowest["low"], lowest["high"]) == (RATES[3], 0, RATES[4])
    assert (highest["best"], highest["low"], highest["high"]) == (RATES[6], RATES[5], np.inf)


def test_too_few_rates_and_one_run_a_rate_have_no_interval() -> None:
    two = best_rates(planted({16: 0.01}, rates=RATES[4:6])).table.iloc[0]
    assert two["status"] == "too few rates" and np.isnan(two["low"])
    three = best_rates(planted({16: 0.01}, rates=RATES[4:7], n_seeds=1)).table.iloc[0]
    assert three["status"] == "interior" and np.isnan([three["low"], three["high"]]).all()
    assert three["best"] == pytest.approx(0.01, rel=0.15)


def test_noise_that_hides_the_curvature_leaves_the_interval_open() -> None:
    flat = planted({16: 0.01}, rates=RATES[3:8], noise=0.3, random_state=3)
    row = best_rates(flat).table.iloc[0]
    assert row["status"] != "interior" or (row["low"] == 0 and row["high"] == np.inf)


def test_a_rate_that_did_not_finish_at_a_size_has_no_cost_there() -> None:
    frame = planted({16: 0.02, 64: 0.005})
    found = best_rates(frame[(frame["width"] == 16) | (frame["lr"] < 0.015)])
    assert found.table["cost"].iloc[0] == 0 and np.isnan(found.table["cost"].iloc[1])


def test_what_cannot_be_used_is_named() -> None:
    frame = planted({16: 0.01, 32: 0.01})
    for wrong, words in (
        (frame.assign(metric="accuracy"), "no loss of subtask all"),
        (frame.drop(columns="lr"), "column 'lr' is missing"),
        (frame.assign(lr=0.0), "0.0: allowed are finite numbers above 0"),
        (frame.assign(duration=frame.index % 2), "several values of duration"),
        (pd.concat([frame.assign(study="a"), frame.assign(study="b")]), "several values of study"),
        (pd.concat([frame.assign(step=1), frame.assign(step=2)]), "several values of step"),
    ):
        with pytest.raises(DataError, match=words):
            best_rates(wrong)
    with pytest.raises(DataError, match="more is better"):
        best_rates(frame.assign(metric="accuracy"), metric="accuracy")
    with pytest.raises(SettingError, match="level"):
        best_rates(frame, level=1.0)
