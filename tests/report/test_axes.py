"""What all pictures share: limits, ticks and how figures are saved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from legible import check_legible, drawn
from matplotlib import rc_context
from matplotlib.axes import Axes

from harness.errors import UserError
from harness.report import axes


def labels(ax: Axes, side: str = "x") -> list[str]:
    """Texts of the ticks inside the limits."""
    drawn(ax)
    axis = ax.xaxis if side == "x" else ax.yaxis
    low, high = sorted(axis.get_view_interval())
    ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False)
    return [label.get_text() for place, label in ticks if low <= place <= high and label.get_text()]


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with rc_context(axes.STYLE):
        yield


def panel() -> Axes:
    return axes.new_figure(2.4).add_subplot()


@pytest.mark.filterwarnings("error")
def test_an_axis_about_one_value_has_room_around_it() -> None:
    ax = panel()
    ax.set_yscale("log")
    axes.log_value_axis(ax, pd.Series([2.3]))
    low, high = ax.get_ylim()
    assert low < 2.2 and high > 2.4


def test_a_size_axis_labels_its_ends_and_what_fits_between() -> None:
    ax = panel()
    axes.size_axis(ax, [100, 110, 1000, 100, 9000, 10_000], "params_total")
    check_legible(ax)
    assert labels(ax) == ["100", "1k", "10k"], "110 and 9,000 would touch their neighbours"
    assert ax.get_xlabel() == "total parameters" and ax.get_xlim()[0] < 100 < 10_000 < ax.get_xlim()[1]
    one = panel()
    axes.size_axis(one, [512.0], "width")
    assert labels(one) == ["512"]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.0, 100.0, ["1", "2", "5", "10", "20", "50", "100"]),
        (1e17, 1e21, ["1e17", "1e18", "1e19", "1e20", "1e21"]),
        (3.1, 3.9, ["3.2", "3.4", "3.6", "3.8"]),
    ],
)
def test_sizes_have_round_ticks_and_flops_have_powers(low: float, high: float, expected: list[str]) -> None:
    ax = panel()
    ax.set_xscale("log")
    axes.size_ticks(ax.xaxis, low, high)
    check_legible(ax)
    assert labels(ax) == expected


@pytest.mark.parametrize(("low", "high"), [(2.0, 2.4), (0.01, 3.0), (1e-4, 10.0)])
def test_a_log_axis_of_losses_has_several_plain_numbers(low: float, high: float) -> None:
    ax = panel()
    ax.set_yscale("log")
    axes.log_value_axis(ax, pd.Series([low, high]))
    check_legible(ax)
    bottom, top = ax.get_ylim()
    assert bottom < low and top > high
    assert len(labels(ax, "y")) >= 2 and not any("$" in label for label in labels(ax, "y"))


def test_padding_is_a_share_of_the_range_or_a_factor_about_one_value() -> None:
    assert axes.padded([10, 1000], 0.5) == pytest.approx((1, 10_000))
    assert axes.padded([10, 10]) == pytest.approx((10 / 1.5, 15))


def test_numbers_of_flops() -> None:
    assert [axes.scientific(value) for value in (3e20, 1.5e21, 9.99e9)] == ["3e20", "1.5e21", "1e10"]


def test_a_panel_is_split_off_below() -> None:
    ax = panel()
    before = ax.get_position()
    below = axes.split_off_below(ax, parts=(3, 1), gap=0)
    upper, lower = ax.get_position(), below.get_position()
    assert upper.y1 == pytest.approx(before.y1) and lower.y0 == pytest.approx(before.y0)
    assert upper.y0 == pytest.approx(lower.y1) and upper.height == pytest.approx(3 * lower.height)


def test_saved_twice_the_same(tmp_path: Path) -> None:
    ax = panel()
    ax.plot([1, 2], [3, 4], label="line")
    axes.legend_above(ax, 1)
    paths = axes.save_figure(ax, tmp_path / "plots" / "line")
    assert [path.name for path in paths] == ["line.png", "line.svg"]
    first = [path.read_bytes() for path in paths]
    axes.save_figure(ax, tmp_path / "plots" / "line")
    assert [path.read_bytes() for path in paths] == first
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        axes.save_figure(ax, tmp_path / "file" / "line")


def test_axes_of_losses_are_named_with_their_units() -> None:
    ax = panel()
    axes.loss_axes(ax, np.array([1e18, 1e20]), pd.Series([2.0, 3.0]), "C", "loss")
    assert ax.get_xlabel() == "training compute C (FLOPs)" and ax.get_ylabel() == "loss (nats)"
    assert axes.axis_name("params_total") == "total parameters" and axes.axis_name("my_size") == "my size"
