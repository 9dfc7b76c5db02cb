"""Shapes go from 0 to 1 on the ladder; smooth ones lie in the cone of smooth curves, jumps outside it."""

from __future__ import annotations

import numpy as np
import pytest
from rise_shapes import build_shapes

from harness.analysis.emergence.smooth_null import SmoothNull

LADDERS = [np.arange(4.0), np.arange(8.0), np.array([0.0, 1.0, 1.5, 2.7, 4.0, 7.0]), np.arange(12.0)]


@pytest.mark.parametrize("t", LADDERS, ids=["4", "8", "uneven", "12"])
def test_shapes_go_from_0_to_1(t: np.ndarray) -> None:
    shapes = build_shapes(t)
    for rows in (shapes.of_single, shapes.of_combined, shapes.jumps, shapes.edge_jumps):
        assert rows[:, 0] == pytest.approx(0) and rows[:, -1] == pytest.approx(1)
        assert (np.diff(rows, axis=1) >= -1e-12).all()
    assert np.all(shapes.jump_low < shapes.jump_high)
    assert np.all((shapes.jump_low >= t[0]) & (shapes.jump_high <= t[-1]))


def test_smooth_shapes_lie_in_the_cone_of_the_null_and_jumps_outside() -> None:
    t = np.arange(8.0)
    shapes, null = build_shapes(t), SmoothNull(t)
    unit = np.ones(8)
    assert max(null.distance(shape, unit) for shape in (*shapes.of_single, *shapes.of_combined)) < 0.03
    # Jumps near an end of the ladder are nearly smooth.
    distances = np.array([null.distance(jump, unit) for jump in shapes.jumps])
    assert distances.min() > 0.05 and np.median(distances) > 0.2


def test_values_beyond_the_ladder_continue_those_on_it() -> None:
    t = np.arange(8.0)
    shapes = build_shapes(t)
    on = [int(np.argmin(np.abs(shapes.fine - each))) for each in t]
    assert shapes.fine_single[:, on] == pytest.approx(shapes.of_single, abs=1e-9)
    assert shapes.fine_combined[:, on] == pytest.approx(shapes.of_combined, abs=1e-9)
