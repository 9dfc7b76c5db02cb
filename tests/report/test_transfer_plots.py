from __future__ import annotations

import pandas as pd
from legible import check_legible, legend_of
from matplotlib.axes import Axes

from harness import data_transferred
from harness.datasets import TransferTruth, make_transfer
from harness.report.transfer_plots import plot_transfer


def drawn(frame: pd.DataFrame) -> Axes:
    found = data_transferred(frame[["N", "D"]], frame["loss"], frame["pretrained"], frame["seed"], n_draws=100)
    axes = plot_transfer(found)
    check_legible(axes)
    return axes


def test_both_kinds_of_run_and_what_pretraining_is_worth() -> None:
    axes = drawn(make_transfer(2, 6, 2, truth=TransferTruth(kept=0.5), random_state=0).frame)
    assert legend_of(axes) == ["10M", "1G", "from scratch", "pretrained"]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    below = axes.figure.axes[1]
    assert below.get_ylabel() == r"$D_E\,/\,D_F$" and below.get_xlabel() == "examples D"
    assert not [line for line in below.lines if line.get_marker() == "^" and len(line.get_xdata()) == 12]


def test_bounds_end_in_arrows_and_single_runs_have_no_bars() -> None:
    beyond = drawn(make_transfer(1, 6, 2, truth=TransferTruth(k=1e7), random_state=0).frame)
    arrows = [line for line in beyond.figure.axes[1].lines if line.get_marker() == "^"]
    assert len(arrows) == 1 and len(arrows[0].get_xdata()) == 6
    single = drawn(make_transfer(8, 3, 1, random_state=0).frame)
    assert not any(bars.get_segments() for bars in single.figure.axes[1].collections)
