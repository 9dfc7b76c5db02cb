"""A metric as its link takes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from harness.analysis.planning.link_prior import CHANCE_SD, FLOOR_SD, NOISE
from harness.analysis.planning.metric_rows import MetricRows, by_task, metric_rows
from harness.errors import DataError

LOSS = np.linspace(4, 2, 9)
ACCURACY = np.linspace(0.3, 0.7, 9)


def rows(values: np.ndarray = ACCURACY, bounds: tuple[float, float] = (0.0, 1.0), **given: Any) -> MetricRows:
    nothing = dict.fromkeys(("clusters", "chance", "higher_is_better", "n_eval", "stderr", "groups"))
    return metric_rows(LOSS, values, bounds, **{"name": "acc"} | nothing | given)


def test_an_error_is_turned_into_a_share_and_back() -> None:
    accuracy, error = rows(), rows(1 - ACCURACY)
    assert accuracy.rises and not error.rises
    np.testing.assert_allclose(accuracy.link_rows.share, error.link_rows.share)
    np.testing.assert_allclose(error.natural(np.array([0.6, 0.5, 0.8])), [0.4, 0.2, 0.5])
    np.testing.assert_allclose(accuracy.natural(np.array([0.6, 0.5, 0.8])), [0.6, 0.5, 0.8])


def test_other_bounds() -> None:
    percent = rows(100 * ACCURACY, (0.0, 100.0), chance=25.0)
    np.testing.assert_allclose(percent.link_rows.share, ACCURACY)
    assert percent.prior.floor == pytest.approx(0.25) and percent.prior.floor_sd == CHANCE_SD
    np.testing.assert_allclose(percent.natural(np.array([0.6, 0.5, 0.8])), [60, 50, 80])
    assert rows(1 - ACCURACY, chance=0.75).prior.floor == pytest.approx(0.25)
    # Without chance: near the shares of the runs of greatest loss, here the first two.
    assert rows().prior.floor == pytest.approx(ACCURACY[:2].mean()) and rows().prior.floor_sd == FLOOR_SD
    assert rows().prior.level == pytest.approx(0.5)


def test_noise_of_items() -> None:
    assert rows().items_noise is None and rows().prior.noise == NOISE
    items = rows(n_eval=np.full(9, 400.0))
    assert items.prior.noise == pytest.approx(np.sqrt(0.24 / 400), rel=0.1)
    errors = rows(stderr=np.r_[np.full(8, 0.02), 0.04])
    assert errors.link_rows.precision.mean() == pytest.approx(1)
    assert errors.link_rows.precision[0] == pytest.approx(4 * errors.link_rows.precision[-1])
    # An evaluation states 0 for a share of 0: no surer than the surest of the others.
    zero = rows(np.r_[0.0, ACCURACY[1:]], stderr=np.r_[0.0, np.full(8, 0.02)])
    assert zero.link_rows.precision[0] == pytest.approx(zero.link_rows.precision[1])
    # Ever more items leave something: models differ.
    assert rows(n_eval=np.full(9, 1e9)).prior.noise == pytest.approx(0.004)
    # A share of 0 of ten items is not exact.
    assert np.isfinite(rows(np.r_[0.0, ACCURACY[1:]], n_eval=np.full(9, 10.0)).link_rows.precision).all()


def test_rows_of_one_run_are_averaged_and_missing_ones_left_out() -> None:
    groups = np.array([0, 0, 1, 2, 3, 4, 5, 6, 7])
    found = rows(np.r_[0.2, 0.4, ACCURACY[2:8], np.nan], groups=groups, clusters=list("aabbccddd"))
    assert found.n == 7 and found.n_missing == 1
    assert found.link_rows.share[0] == pytest.approx(0.3) and found.link_rows.loss[0] == pytest.approx(LOSS[:2].mean())
    assert found.link_rows.members is not None and found.link_rows.members.sum(axis=0).tolist() == [1, 2, 2, 2]
    assert rows(clusters=np.arange(9)).link_rows.members is None  # each row by itself


@pytest.mark.parametrize("seed", range(5))
def test_the_association_is_spearmans(seed: int) -> None:
    """With ties, as scipy has it."""
    share = np.random.default_rng(seed).uniform(0.2, 0.8, 9).round(1)
    expected = spearmanr(-LOSS, share, alternative="less")
    assert rows(share, higher_is_better=True).association == pytest.approx(tuple(expected), rel=1e-9)


def test_direction_as_stated_and_its_contradiction() -> None:
    stated = rows(1 - ACCURACY, higher_is_better=True)
    rank, p = stated.association
    assert stated.rises and rank == pytest.approx(-1) and p < 1e-6
    rank, p = rows(1 - ACCURACY, higher_is_better=False).association
    assert rank == pytest.approx(1) and p > 0.99
    assert rows(ACCURACY, higher_is_better=False).association[1] < 1e-6


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"values": np.r_[ACCURACY[:8], 1.2]}, ["column acc", "row 8", "1.2: allowed are numbers from 0 to 1"]),
        ({"values": np.r_[ACCURACY[:8], np.inf]}, ["inf: allowed"]),
        ({"values": ACCURACY[:5]}, ["acc has 5 rows where loss has 9"]),
        ({"chance": 25.0}, ["chance 25 of acc: allowed are numbers from 0 to 1"]),
        ({"n_eval": np.zeros(9)}, ["column n_eval", "0: allowed are finite numbers from 1"]),
        ({"stderr": np.full(9, -1.0)}, ["column stderr", "-1: allowed are finite numbers from 0 to 1"]),
        ({"n_eval": np.r_[np.full(8, 100.0), np.nan]}, ["column n_eval", "row 8", "nan: allowed"]),
        ({"stderr": np.r_[np.full(8, 0.1), 1e300]}, ["column stderr", "row 8", "1e+300: allowed"]),
        ({"clusters": list("ab")}, ["clusters has 2 rows"]),
    ],
)
def test_refuses(given: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(DataError) as error:
        rows(**given)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_columns_by_task() -> None:
    assert list(by_task(ACCURACY, "metric", "metric")) == ["metric"]
    assert list(by_task(pd.DataFrame({"a": ACCURACY, 1: LOSS}), "metric", "metric")) == ["a", "1"]
    for wrong in (np.ones((9, 2)), pd.DataFrame(index=range(9)), pd.DataFrame(np.ones((9, 2)), columns=["a", "a"])):
        with pytest.raises(DataError, match="metric has the"):
            by_task(wrong, "metric", "metric")
