"""Cautions about numbers far from unit scale."""

from __future__ import annotations

import numpy as np
import pytest
from planted_data import planted

from harness.data.prepare.scaling import Scale, Standardise
from harness.data.scale import cautions

RNG = np.random.default_rng(0)
UNIT = RNG.normal(size=(50, 2))
CLASSES = np.arange(50) % 2


@pytest.mark.parametrize(("factor", "offset", "n"), [(1, 0, 0), (9, 0, 0), (30, 0, 1), (5, 2000, 1), (0.001, 0, 0)])
def test_features_far_from_unit_scale(factor: float, offset: float, n: int) -> None:
    data = planted("features", factor * UNIT + offset, CLASSES)
    found = list(cautions(data))
    assert len(found) == n and all("the step standardise in data.prepare" in line for line in found)
    for step in (Standardise(), Standardise(by="global"), Scale()):
        assert not list(cautions(step.apply(data, data, RNG)[0]))


@pytest.mark.parametrize(("factor", "offset", "n"), [(1, 0, 0), (15, 50, 1), (1, 50, 1), (0.01, 0, 1), (0, 1, 0)])
def test_values_far_from_unit_scale(factor: float, offset: float, n: int) -> None:
    data = planted("features", UNIT, np.column_stack([UNIT[:, 0], factor * UNIT[:, 1] + offset]))
    found = list(cautions(data))
    assert len(found) == n and all("{standardise: {targets: true}}" in line for line in found)
    assert not list(cautions(Standardise(targets=True).apply(data, data, RNG)[0]))


def test_pixels_are_divided_by_255_and_need_none() -> None:
    assert not list(cautions(planted("images", np.full((4, 1, 2, 2), 255, dtype=np.uint8), [0, 1, 0, 1])))
