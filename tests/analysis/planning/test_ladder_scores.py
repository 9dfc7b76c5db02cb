"""Scores by size and recipe, and where their noise is known from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis.planning.ladder_scores import LadderScores, NoiseSource, ladder_scores, size_from
from harness.datasets import make_recipes
from harness.errors import DataError, SettingError


def planted(**settings: object) -> pd.DataFrame:
    return make_recipes(random_state=0, **settings).frame.rename(columns={"recipe": "study"})  # type: ignore[arg-type]


def only(frame: pd.DataFrame, **settings: object) -> LadderScores:
    (scores,) = ladder_scores(frame, "params", **settings)  # type: ignore[arg-type]
    return scores


def test_the_score_is_that_of_the_last_checkpoint() -> None:
    frame = planted(n_recipes=3, n_seeds=2).sample(frac=1, random_state=1)
    scores = only(frame, step="step")
    assert scores.score.shape == (4, 3) == scores.n_runs.shape and (scores.n_runs == 2).all()
    last = frame[frame["step"] == frame["step"].max()]
    expected = last.pivot_table(index="params", columns="study", values="value")
    np.testing.assert_allclose(scores.score, expected.to_numpy())
    assert scores.recipes == ("recipe 00", "recipe 01", "recipe 02") and scores.higher_is_better
    loss = only(frame.assign(metric="loss"), step="step")
    np.testing.assert_allclose(loss.oriented, -scores.score)


def test_noise_is_that_of_checkpoints_else_of_seeds_else_of_items() -> None:
    """20 recipes x 4 seeds x 4 degrees of freedom: the standard error of a standard deviation is 4 %."""
    frame = planted(n_seeds=4, noise=0.01, snr=5)
    by_checkpoint = only(frame, step="step")
    assert by_checkpoint.source is NoiseSource.CHECKPOINTS and (by_checkpoint.noise.freedom == 20 * 4 * 4).all()
    np.testing.assert_allclose(np.sqrt(by_checkpoint.noise.variance), 0.01, rtol=0.15)
    last = frame[frame["step"] == frame["step"].max()].drop(columns="step")
    by_seed = only(last)
    assert by_seed.source is NoiseSource.SEEDS and (by_seed.noise.freedom == 20 * 3).all()
    np.testing.assert_allclose(np.sqrt(by_seed.noise.variance), 0.01, rtol=0.3)
    one = last[last["seed"] == 0].drop(columns="seed")
    assert only(one).source is None and np.isnan(only(one).noise.variance).all()
    by_items = only(one.assign(n_eval=1000))
    assert by_items.source is NoiseSource.ITEMS and np.isinf(by_items.noise.freedom).all()
    mean = by_items.score.mean(axis=1)
    np.testing.assert_allclose(by_items.noise.variance, mean * (1 - mean) / 1000, rtol=0.05)
    by_error = only(one.assign(stderr=0.02, metric="brier"))
    np.testing.assert_allclose(by_error.noise.variance, 0.02**2)
    assert only(frame, step="step", source=NoiseSource.SEEDS).source is NoiseSource.SEEDS
    assert only(frame, step="step", source=NoiseSource.ITEMS).source is None


def test_early_checkpoints_are_not_noise() -> None:
    steps = np.array([1, 10, 100, 900, 1000])
    rows = pd.DataFrame({"params": 1e8, "step": steps, "metric": "accuracy", "value": [0.0, 0.1, 0.3, 0.49, 0.51]})
    scores = only(pd.concat([rows, rows.assign(params=1e9)]), step="step")
    np.testing.assert_allclose(scores.noise.variance, 2 * 0.01**2)
    assert (scores.noise.freedom == 1).all() and (scores.score == 0.51).all()


def test_rows_that_nothing_tells_apart_are_refused() -> None:
    frame = planted(n_recipes=3)
    with pytest.raises(DataError, match=r"row 1: recipe recipe 00, params 2e\+07 .* no column of checkpoints, seeds"):
        only(frame)
    with pytest.raises(DataError, match="no column of recipes, seeds or run ids"):
        only(frame.drop(columns=["study", "seed"]), step="step")
    with pytest.raises(DataError, match="column 'iteration' is missing"):
        only(frame, step="iteration")
    with pytest.raises(SettingError, match="last=1"):
        only(frame, step="step", last=1)
    with pytest.raises(DataError, match="params"):
        only(frame.assign(params=-1.0), step="step")


def test_recipes_that_lack_a_size() -> None:
    frame = planted(n_recipes=3)
    frame = frame[(frame["study"] != "recipe 01") | (frame["params"] > 1e8)]
    scores = only(frame, step="step")
    assert np.isnan(scores.score[0, 1]) and scores.n_runs[0].tolist() == [1, 0, 1]
    assert scores.noise.freedom.tolist() == [8, 8, 12, 12]


def test_a_score_stands_above_chance_by_more_than_its_noise() -> None:
    rows = pd.DataFrame({"params": [1e7, 1e8], "metric": "accuracy", "value": [0.26, 0.4], "n_eval": 200})
    scores = only(rows.assign(chance=0.25))
    assert scores.at_chance(0) is True and scores.at_chance(1) is False
    assert only(rows).at_chance(0) is None, "chance is not known"
    assert only(rows.assign(chance=0.25).drop(columns="n_eval")).at_chance(0) is None, "noise is not known"
    lower = only(rows.assign(chance=0.5, higher_is_better=False))
    assert lower.at_chance(0) is False and lower.at_chance(1) is False


def test_the_size_from_which_something_holds() -> None:
    sizes = np.array([1.0, 2, 3, 4])
    assert size_from(sizes, [True, False, True, True]) == 3
    assert size_from(sizes, [True] * 4) == 1 and np.isnan(size_from(sizes, [True, True, True, False]))
    assert np.isnan(size_from(sizes[:0], []))
