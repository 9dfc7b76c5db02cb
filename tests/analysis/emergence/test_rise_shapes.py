"""Shapes go from 0 to 1 on the ladder; smooth ones lie in the cone of smooth curves, jumps outside it."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.emergence.rise_shapes import Shapes, shapes_of
from harness.analysis.emergence.smooth_null import SmoothNull

LADDERS = [np.arange(4.0), np.arange(8.0), np.array([0.0, 1.0, 1.5, 2.7, 4.0, 7.0]), np.arange(12.0)]


def smooth_rows(shapes: Shapes) -> np.ndarray:
    return np.stack([shape(shapes.t) for shape in (*shapes.single, *shapes.combined)])


@pytest.mark.parametrize("t", LADDERS, ids=["4", "8", "uneven", "12"])
def test_shapes_go_from_0_to_1(t: np.ndarray) -> None:
    shapes = shapes_of(t)
    for rows in (smooth_rows(shapes), shapes.jumps, shapes.edge_jumps):
        assert rows[:, 0] == pytest.approx(0) and rows[:, -1] == pytest.approx(1)
        assert (np.diff(rows, axis=1) >= -1e-12).all()
    assert np.all(shapes.jump_low < shapes.jump_high)
    assert np.all((shapes.jump_low >= t[0]) & (shapes.jump_high <= t[-1]))


def test_smooth_shapes_lie_in_the_cone_of_the_null_and_jumps_outside() -> None:
    t = np.arange(8.0)
    shapes, null = shapes_of(t), SmoothNull(t)
    unit = np.ones(8)
    assert max(null.distance(shape, unit) for shape in smooth_rows(shapes)) < 0.03
    # Jumps near an end of the ladder are nearly smooth.
    distances = np.array([null.distance(jump, unit) for jump in shapes.jumps])
    assert distances.min() > 0.05 and np.median(distances) > 0.2


def test_values_beyond_the_ladder_continue_those_on_it() -> None:
    t = np.arange(8.0)
    shapes = shapes_of(t)
    on = [int(np.argmin(np.abs(shapes.fine - each))) for each in t]
    smooth = [*range(len(shapes.combined)), *range(len(shapes.stacked) - len(shapes.single), len(shapes.stacked))]
    assert shapes.fine_stacked[smooth][:, on] == pytest.approx(shapes.stacked[smooth], abs=1e-9)
    assert not shapes.fine_stacked[-1].any()


def test_steep_rises_are_neither_smooth_nor_jumps() -> None:
    t = np.arange(8.0)
    steep, null = shapes_of(t, steep=True), SmoothNull(t)
    distances = np.array([null.distance(rise, np.ones(8)) for rise in steep.jumps])
    jumps = np.array([null.distance(jump, np.ones(8)) for jump in shapes_of(t).jumps])
    assert np.median(distances) < np.median(jumps)
    assert len(steep.combined) == len(shapes_of(t).combined)


def test_without_powers_no_rise_is_a_power() -> None:
    shapes = shapes_of(np.arange(8.0), with_powers=False)
    assert max(rise.power for rise in (*shapes.single, *shapes.combined)) == 1
