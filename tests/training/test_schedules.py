"""Schedules: where the learning rate stands at each step."""

from __future__ import annotations

import numpy as np
import pytest

from harness.settings import ScheduleSettings
from harness.training.schedules import lr_multiplier


def curve(**settings):
    return np.array([lr_multiplier(ScheduleSettings(**settings), step, 100) for step in range(100)])


def test_constant():
    assert (curve(kind="constant") == 1).all()


@pytest.mark.parametrize("kind", ["constant", "cosine", "wsd"])
def test_warmup_rises_to_one(kind):
    values = curve(kind=kind, warmup=0.2)
    np.testing.assert_allclose(np.diff(values[:20]), 1 / 21)
    assert values[20] == 1


def test_cosine_falls_to_final():
    values = curve(kind="cosine", final=0.1)
    assert values[0] == 1
    assert values[50] == pytest.approx(0.55)
    assert (np.diff(values) < 0).all()
    assert values[-1] == pytest.approx(0.1, abs=1e-3)


def test_wsd_is_stable_then_linear():
    values = curve(kind="wsd", decay=0.4)
    assert (values[:61] == 1).all()
    np.testing.assert_allclose(np.diff(values[60:]), -1 / 40)
