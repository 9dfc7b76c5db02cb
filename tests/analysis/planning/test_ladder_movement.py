"""Which scores of one recipe move: false positives, power, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis.planning.ladder_movement import Direction, Movement, movement
from harness.analysis.planning.ladder_scores import NoiseSource, ladder_scores

SIZES = np.geomspace(1e7, 1e10, 7)


def table(mean: np.ndarray, noise: float, rng: np.random.Generator, n_checkpoints: int = 5) -> pd.DataFrame:
    """Checkpoints of one run at each size, about its mean."""
    size, step = np.repeat(SIZES, n_checkpoints), np.tile(np.arange(n_checkpoints) + n_checkpoints + 1, len(SIZES))
    value = np.repeat(mean, n_checkpoints) + noise * rng.standard_normal(len(size))
    return pd.DataFrame({"params": size, "step": step, "metric": "accuracy", "value": value})


def moved(frame: pd.DataFrame, items_too: bool = True) -> Movement:
    (scores,) = ladder_scores(frame, "params", "step")
    return movement(scores, 0.95, 0.05, items_too)


def all_moved(frames: list[pd.DataFrame], items_too: bool = True) -> list[Movement]:
    """Of many ladders, read as the tasks of one table."""
    table_of_tasks = pd.concat([frame.assign(task=str(i)) for i, frame in enumerate(frames)])
    return [movement(scores, 0.95, 0.05, items_too) for scores in ladder_scores(table_of_tasks, "params", "step")]


def test_noise_alone_moves_nothing() -> None:
    """400 flat ladders: the standard error of .05 is 1.1 %."""
    rng = np.random.default_rng(0)
    found = all_moved([table(np.full(7, 0.3), 0.01, rng) for _ in range(400)])
    p_values = [each.p_value for each in found]
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.08


@pytest.mark.parametrize("gain", [0.0, 0.5, 3.0])
def test_intervals_of_the_gain_cover(gain: float) -> None:
    """250 ladders with 28 degrees of freedom; the gain of a step is in standard deviations of the noise.

    Power: .7 at half a standard deviation a step, 1 at three.
    """
    rng, mean = np.random.default_rng(1), 0.3 + 0.01 * gain * np.arange(7)
    found = all_moved([table(mean, 0.01, rng) for _ in range(250)])
    assert 0.915 < np.mean([each.low <= gain <= each.high for each in found]) < 0.98
    assert np.mean([each.snr for each in found]) == pytest.approx(gain, abs=0.05 + 0.05 * gain)
    if gain:
        assert np.mean([each.p_value < 0.05 for each in found]) > (0.6 if gain < 1 else 0.99)


def test_a_late_rise_is_placed() -> None:
    rng = np.random.default_rng(2)
    found = moved(table(np.array([0.3, 0.3, 0.3, 0.3, 0.4, 0.5, 0.6]), 0.005, rng))
    assert found.apart.tolist() == [False] * 4 + [True] * 3 and found.over_noise[0] == 0
    assert found.direction(found.p_value, 0.05) is Direction.IMPROVES and found.rank_correlation > 0.5
    falling = moved(table(np.linspace(0.5, 0.3, 7), 0.005, rng))
    assert falling.direction(falling.p_value, 0.05) is Direction.WORSENS and falling.apart[-1]
    assert falling.gain < 0 and falling.high < 0


def test_models_that_guess_differ_by_the_noise_of_the_items() -> None:
    """150 ladders of guessers: each model has an accuracy of its own, which its checkpoints share."""
    rng, n_items = np.random.default_rng(3), 200
    guessed = [rng.binomial(n_items, 0.25, 7) / n_items for _ in range(150)]
    frames = [table(mean, 0.002, rng).assign(n_eval=n_items) for mean in guessed]
    alone, together = all_moved(frames, items_too=False), all_moved(frames)
    assert np.mean([each.p_value < 0.05 for each in alone]) > 0.5, "checkpoints alone find what is not there"
    assert np.mean([each.p_value < 0.05 for each in together]) < 0.11
    assert {each.source for each in together} == {NoiseSource.ITEMS}


def test_what_cannot_be_told() -> None:
    rng = np.random.default_rng(4)
    two = table(np.full(7, 0.3), 0.01, rng)
    two = two[two["params"] < 1e8]
    assert moved(two).direction(np.nan, 0.05) is Direction.TOO_FEW_SIZES
    lone = table(np.linspace(0.3, 0.5, 7), 0.01, rng, n_checkpoints=1)
    assert moved(lone).direction(np.nan, 0.05) is Direction.NO_NOISE and np.isnan(moved(lone).snr)
    assert moved(lone).rank_correlation > 0.9
    still = moved(table(np.full(7, 0.3), 0.01, rng))
    assert still.direction(0.5, 0.05) is Direction.STAYS
