"""Pictures: frames and fits in, matplotlib's Axes out.

    loss_law        loss against size, with a fitted law, its band and residuals
    curves          a metric against size, with N* of a curve that has one
    overlay         several studies, experiments or corpora on one pair of axes
    forest          N* of many curves, in order
    on_the_line     accuracy on a shifted evaluation set against that on the own one
    pairs           a metric beside the continuous one of the same outputs: the evidence behind a verdict
    isoflop         loss against parameters at fixed budgets of compute
    rates           loss against learning rate, a curve a size
    transfer        loss against examples, from scratch and pretrained, and what pretraining is worth
    compute         a metric against training compute
    trajectories    a metric over training
    save            a picture as PNG and SVG

Frames are those of `harness.load`, of `harness.datasets`, or tables of one's own with the columns metric and value, one
of sizes, and those of study, subtask, seed and run_id that apply. Each function draws on the axes `ax` or makes a
figure of column width (3.4 in) with type of 7 to 8 points in the palette of Okabe and Ito (2008), takes a fit or makes
it, and returns the Axes, to be changed as any others are. No window opens: a notebook shows ``ax.figure``.

These names and their arguments are stable: what changes is said in the changelog a version ahead.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from harness.analysis.emergence.find_jumps import find_jumps
from harness.analysis.fitting.estimator import ScalingLaw
from harness.analysis.fitting.selection import fit_best
from harness.analysis.planning.isoflop import IsoFlop
from harness.errors import DataError
from harness.records.columns import require_columns
from harness.report.axes import COLUMNS, save_figure
from harness.report.emergence_plots import plot_mirage
from harness.report.isoflop_plots import plot_isoflop
from harness.report.measured import at_one_step, check_frame, chosen_metric, measured, refuse_several
from harness.report.overlay_plots import plot_overlay as overlay
from harness.report.plots import plot_curve, plot_jump, plot_scaling, plot_thresholds
from harness.report.rate_plots import plot_rates as rates
from harness.report.shift_plots import plot_accuracy_line as on_the_line
from harness.report.training_plots import plot_compute as compute
from harness.report.training_plots import plot_trajectories as trajectories
from harness.report.transfer_plots import plot_transfer as transfer

__all__ = [
    "compute",
    "curves",
    "forest",
    "isoflop",
    "loss_law",
    "on_the_line",
    "overlay",
    "pairs",
    "rates",
    "save",
    "trajectories",
    "transfer",
]


def loss_law(
    frame: pd.DataFrame,
    x: str = "params_total",
    law: ScalingLaw | None = None,
    ax: Axes | None = None,
    *,
    metric: str | None = None,
    subtask: str = "all",
    level: float = 0.95,
) -> Axes:
    """Loss against size on log axes: a point a run, the law with its band, and residuals in a panel below.

    Args:
        frame: runs of one study.
        x: column of sizes: parameters, tokens or FLOPs.
        law: fitted to the metric against `x`; of a power law with and without a floor the better unless given.
        ax: axes of a grid (`subplots`); their lower quarter is used for the residuals.
        metric: the loss, or the only metric that there is, unless named.
        level: of the band and of the exponent's interval.

    Raises:
        UserError: no such rows, rows of several studies, or too few sizes for a law.

    Example:
        >>> ax = harness.plots.loss_law(harness.datasets.make_text_study(random_state=0))
    """
    metric = chosen_metric(frame, metric)
    runs = _of_one_curve(frame, metric, x, subtask)
    law = (
        law or fit_best(runs[x], runs["value"], runs["run"], ("power", "power_floor"), rolling=False, level=level).best
    )
    return plot_scaling(runs, law, x, ax, metric=metric, subtask=subtask, level=level)


def curves(
    frame: pd.DataFrame,
    metric: str | None = None,
    x: str = "params_non_embedding",
    ax: Axes | None = None,
    *,
    subtask: str = "all",
    jump: Mapping[str, Any] | None = None,
) -> Axes:
    """A metric of one study against size: a point a run, the mean, the level of chance, and N* with its interval.

    A continuous metric, such as a loss, is not tested and is drawn without N*.

    Args:
        frame: runs of one study, with the continuous metric of the same outputs where there is one.
        metric: the first discontinuous one unless named.
        x: column of sizes.
        subtask: of the task.
        jump: the curve's row of `find_jumps`; found here unless given.

    Raises:
        DataError: no such rows, or where no metric is named none that is tested.

    Example:
        >>> parity = harness.datasets.make_parity_study(random_state=0).assign(subtask="all")
        >>> ax = harness.plots.curves(parity, "accuracy")
    """
    check_frame(frame)
    if jump is not None:
        return plot_jump(frame, jump, x, ax)
    if metric is not None:
        runs = _of_one_curve(frame, chosen_metric(frame, metric), x, subtask)
        if not runs["discontinuous"].any():
            return plot_curve(runs, metric, x, ax, subtask=subtask)
    jump = _jump(frame, metric, x, subtask)
    return plot_jump(_of_one_curve(frame, jump["metric"], x, subtask), jump, x, ax)


def pairs(
    frame: pd.DataFrame,
    metric: str | None = None,
    x: str = "params_non_embedding",
    figure: Figure | SubFigure | None = None,
    *,
    subtask: str = "all",
    jump: Mapping[str, Any] | None = None,
) -> tuple[Axes, Axes]:
    """The evidence behind a verdict: a metric on the left, and on the right the continuous one of the same outputs.

    Each with its runs, the smooth models and, where it jumps, smooth models plus a jump.

    Args:
        frame, metric, x, subtask, jump: as `curves` takes them.
        figure: the figure to draw on; one 7 in wide unless given.

    Returns:
        The left and the right Axes.

    Raises:
        DataError: no such rows, or none that is tested.

    Example:
        >>> left, right = harness.plots.pairs(harness.datasets.make_lookup_study(random_state=0), "exact_match")
    """
    check_frame(frame)
    return plot_mirage(frame, jump or _jump(frame, metric, x, subtask), x, figure)


def forest(jumps: pd.DataFrame, x: str = "params_non_embedding", ax: Axes | None = None) -> Axes:
    """N* with its interval of every curve that has one, the smallest at the top; colours are of verdicts.

    Args:
        jumps: as `harness.find_jumps` returns it, the `table` of `harness.compare_thresholds`, or a frame of
            measurements, whose jumps are then found.
        x: column of sizes that N* is given in.

    Raises:
        DataError: no curve has an N*.

    Example:
        >>> jumps = harness.find_jumps(harness.datasets.make_jumps(3, random_state=0).frame, x="params")
        >>> ax = harness.plots.forest(jumps, "params")
    """
    check_frame(jumps, "jumps")
    return plot_thresholds(jumps if "threshold" in jumps else find_jumps(jumps, x), ax, x)


def isoflop(
    frame: pd.DataFrame,
    fit: IsoFlop | None = None,
    ax: Axes | None = None,
    *,
    columns: tuple[str, str, str] = COLUMNS,
) -> Axes:
    """Loss against parameters at every budget of compute, with the parabolas and their minima.

    Args:
        frame: a row a run.
        fit: fitted to these runs, in this order; fitted here unless given.
        columns: of parameters, training tokens and loss.

    Raises:
        UserError: a column is missing, or the runs have no budgets.

    Example:
        >>> runs = harness.datasets.make_surface(random_state=0).frame
        >>> ax = harness.plots.isoflop(runs)
    """
    check_frame(frame)
    require_columns(frame, columns)
    return plot_isoflop(frame, fit or IsoFlop().fit(*(frame[name] for name in columns)), ax, columns=columns)


def save(ax: Axes, path: Path | str) -> list[Path]:
    """Save the figure of `ax` as PNG, 200 dots per inch, and as SVG; where they are.

    Args:
        path: with or without an ending.

    Raises:
        UserError: the files cannot be written.

    Example:
        >>> paths = harness.plots.save(harness.plots.overlay(harness.datasets.make_text_study()), "text.png")
    """
    if not isinstance(ax, Axes):
        raise DataError(f"ax: found {type(ax).__name__}; allowed are Axes, as the functions of harness.plots return")
    return save_figure(ax, Path(path).with_suffix(""))


def _of_one_curve(frame: pd.DataFrame, metric: str, x: str, subtask: str) -> pd.DataFrame:
    runs = at_one_step(measured(frame, metric, (x,), subtask=subtask), x)
    refuse_several(runs["curve"], "runs", ", or use overlay")
    return runs


def _jump(frame: pd.DataFrame, metric: str | None, x: str, subtask: str) -> dict[str, Any]:
    """The row of `find_jumps` of one curve."""
    if metric is not None:
        _of_one_curve(frame, chosen_metric(frame, metric), x, subtask)
    found = find_jumps(frame, x)
    found = found[found["subtask"].astype(str) == str(subtask)]
    names = list(dict.fromkeys(found["metric"]))
    if found.empty or (metric or names[0]) not in names:
        of = f"{metric} of subtask {subtask} is not" if metric else f"no metric of subtask {subtask} is"
        raise DataError(f"{of} tested; those that are: {', '.join(names) or 'none'}")
    found = found[found["metric"] == (metric or names[0])]
    refuse_several(found["study"], "runs", ", or use overlay")
    return {str(name): value for name, value in found.iloc[0].items()}
