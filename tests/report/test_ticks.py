"""Ticks at round numbers, legible whatever the range."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from legible import check_legible, drawn
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis

from harness.report.axes import STYLE, new_figure, padded
from harness.report.ticks import given_ticks, round_ticks, write_size
from harness.wording import plain


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with rc_context(STYLE):
        yield


def panel() -> Axes:
    ax = new_figure(2.4).add_subplot()
    ax.set(xscale="log", yscale="log")
    return ax


def labels(axis: Axis) -> list[str]:
    drawn(axis.axes)
    return [label.get_text() for label in axis.get_ticklabels()]


RANGES = [
    *[(10.0**a, 10.0**a * factor) for a in (-3, 0, 8, 18, 24) for factor in (1.02, 1.3, 2, 5, 30, 1e3, 1e6, 1e9)],
    *[(6.8e7, 1.24e10), (0.28, 0.93), (9.8e7, 1.32e8), (2e21, 5e21), (1.0, 1.6), (97.0, 103.0), (4e-4, 0.7)],
]


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_every_range_has_several_labels_that_tell_apart_and_do_not_touch(low: float, high: float) -> None:
    ax = panel()
    round_ticks(ax.xaxis, low, high, write_size)
    round_ticks(ax.yaxis, low, high, plain)
    check_legible(ax)
    for axis in (ax.xaxis, ax.yaxis):
        found = labels(axis)
        assert 2 <= len(found) <= 7 and len(set(found)) == len(found), found
        ticks = np.array(axis.get_ticklocs())
        assert ((ticks >= low * (1 - 1e-9)) & (ticks <= high * (1 + 1e-9))).all()


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.797e308), (1e308, 1.7e308), (1e-300, 1e300)])
def test_a_loss_that_was_recorded_as_1e308_has_ticks(low: float, high: float) -> None:
    ax = panel()
    round_ticks(ax.yaxis, *padded([low, high]), plain)
    found = labels(ax.yaxis)
    assert len(found) >= 2 and not any("inf" in label for label in found)


@pytest.mark.parametrize(
    "rungs",
    [
        [70e6, 160e6, 410e6, 1e9, 1.4e9, 2.8e9, 6.9e9, 12e9],
        [100e6, 102e6, 104e6, 106e6],
        [1.01e24, 1.02e24, 1.36e24],
        list(np.geomspace(1e18, 5e24, 60)),
        [125e6, 350e6],
    ],
)
def test_labels_of_rungs_tell_them_apart(rungs: list[float]) -> None:
    ax = panel()
    ax.set_xlim(rungs[0] / 1.01, rungs[-1] * 1.01)
    given_ticks(ax.xaxis, np.array(rungs))
    check_legible(ax)
    found = labels(ax.xaxis)
    assert len(found) >= 2 and len(set(found)) == len(found), found
    assert set(ax.xaxis.get_ticklocs()) <= set(rungs) and ax.xaxis.get_ticklocs()[-1] == rungs[-1]
    assert len(ax.xaxis.get_minorticklocs()) >= len(rungs) - len(found)
