"""The highest power: 5 % for a curve of the set itself, 1 for a step that is far from all of it."""

from __future__ import annotations

import frontier
import numpy as np
import pytest
from tables import highest_power

from harness.analysis.emergence.rise_shapes import shapes_of

T = np.arange(8.0)


def test_curves_of_the_set_are_at_no_distance_and_steps_are_far() -> None:
    shapes = shapes_of(T).single
    mean = np.stack([0.1 + 0.3 * shapes[0](T) - 0.2 * shapes[3](T), 0.1 + 0.5 * (T > 3.5)])
    distance = frontier._distance_from_pairs(T, mean, np.full((2, 8), 0.01**2))
    assert distance[0] == pytest.approx(0, abs=1e-4) and distance[1] > 5
    # Noise of twice the standard deviation halves a distance.
    twice = frontier._distance_from_pairs(T, mean, np.full((2, 8), 0.02**2))
    assert twice[1] == pytest.approx(distance[1] / 2)


def test_more_sizes_and_less_noise_allow_more_power() -> None:
    few, many = (highest_power(frontier.on_slopes(n_sizes, 15, 0)) for n_sizes in (8, 12))
    assert many["two shapes"].mean() > few["two shapes"].mean()
    by_spread = few.groupby("spread")["two shapes"].mean()
    assert by_spread[0.02] > by_spread[0.04] > 0.05
    assert few.loc[few["family"] == "fall", "cone"].isna().all()
    assert (few["two shapes, steps below .2"] < few["two shapes, steps of .2 or more"]).all()
    assert frontier.on_the_grid(8, 10, 20, 0) > frontier.on_the_grid(8, 1, 20, 0)
