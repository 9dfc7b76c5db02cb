"""The pictures of a report: what is drawn of all studies together and of each, in the order in which the page has them.

A picture of a new kind is a maker in `OF_ALL` or `OF_STUDY`; the page shows whatever these yield.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.analysis.planning.learning_rates import best_rates
from harness.analysis.shifts.lines import accuracy_lines
from harness.report import plots
from harness.report.analyze import Analysis
from harness.report.appearance import only_where_something_appears
from harness.report.axes import COLUMN_WIDTH_IN, MOST_CURVES
from harness.report.emergence_plots import plot_mirage
from harness.report.names import curve_name, metric_name, size_name
from harness.report.overlay_plots import plot_overlay
from harness.report.rate_plots import plot_rates
from harness.report.shift_plots import plot_accuracy_line
from harness.report.side_by_side import Group, RateSweep, groups, rate_sweeps
from harness.report.training_plots import LEAST_STEPS, lines_are_means, plot_compute, plot_trajectories
from harness.wording import confidence, counted, listed

#: How a page lays out a picture: as one of several in a row, with its caption beside it, or as wide as the page.
Shape = Literal["single", "wide", "full"]

#: Width of a picture that is as wide as the page, in inches.
FULL_WIDTH_IN = 10.3
#: Curves of a forest at most: more are no picture any more, and the tables have them all.
_MOST_IN_FOREST = 60
#: What each line over training is of, where the runs of a size were measured at different places.
_SINGLE_RUNS = "each run, for the runs of a size end or were measured at different steps"


@dataclass(frozen=True)
class Drawing:
    """A picture before it is saved.

    Attributes:
        name: the names that make that of its file, as `files.file_name` joins them.
        axes: any Axes of its figure.
        alt: what it shows, for those who cannot see it.
        caption: what its reader should know.
        shape: how the page lays it out.
        narrow: Axes of the same drawn for a phone, where it would be too small to be read.
    """

    name: tuple[str, ...]
    axes: Axes
    alt: str
    caption: str
    shape: Shape = "single"
    narrow: Axes | None = None


def of_all(analysis: Analysis) -> Iterator[Drawing]:
    """Pictures of all studies together."""
    for make in OF_ALL:
        yield from make(analysis)


def of_study(analysis: Analysis, study: str) -> Iterator[Drawing]:
    """Pictures of one study."""
    for make in OF_STUDY:
        yield from make(analysis, study)


def _forest(analysis: Analysis) -> Iterator[Drawing]:
    """N* of every curve that has one, the smallest first."""
    jumps = only_where_something_appears(analysis.jumps)
    placed = jumps[jumps["threshold"].notna()]
    if placed.empty:
        return
    first = placed.assign(part=placed["subtask"] != "all").sort_values(["part", "p_adjusted"], kind="stable")
    chosen = jumps.index.isin(first.index[:_MOST_IN_FOREST])
    level = confidence(analysis.level).replace(" ", "\u00a0")
    caption = f"The size at which each ability appears: N* with its {level} interval."
    if chosen.sum() < len(placed):
        caption += (
            f" Drawn are {chosen.sum()} of {counted(len(placed), 'curve')}: whole tasks, and the subtasks with the "
            "smallest p values."
        )
    without = [curve_name(row) for row in jumps[jumps["threshold"].isna()].to_dict("records")]
    if without:
        caption += f" Without an N*: {listed(without)}."
    alt = f"Forest plot of {counted(int(chosen.sum()), 'threshold')}; the tables of verdicts give the numbers."
    drawn = jumps.assign(threshold=jumps["threshold"].where(chosen))  # names are told apart among all curves
    wide, narrow = (plots.plot_thresholds(drawn, x=analysis.x, width_in=width) for width in (FULL_WIDTH_IN, 4.2))
    yield Drawing(("thresholds",), wide, alt, caption, "full", narrow)


def _jumps(analysis: Analysis, study: str) -> Iterator[Drawing]:
    """The pair of metrics of each whole task and of one subtask, and small multiples of all subtasks."""
    frame = analysis.frame[analysis.frame["study"] == study]
    jumps = only_where_something_appears(analysis.jumps[analysis.jumps["study"] == study])
    for metric, part in jumps.groupby("metric", sort=False):
        subtasks = part[part["subtask"] != "all"]
        for row in part[part["subtask"] == "all"].to_dict("records"):
            yield _pair(analysis, frame, _named(row))
        if len(subtasks):
            example, reason = _example(subtasks)
            yield _pair(analysis, frame, example, reason if len(subtasks) > 1 else "")
            yield _subtasks(analysis, frame, subtasks, str(metric), study)


def _example(subtasks: pd.DataFrame) -> tuple[dict[str, Any], str]:
    """The row of the subtask that is drawn large, and why it is this one."""
    placed = subtasks[subtasks["threshold"].notna()].sort_values("threshold", kind="stable")
    name = counted(len(subtasks), "subtask")
    if placed.empty:
        row = _named(subtasks.to_dict("records")[0])
        return row, f"Of {name}, none of which has an N*, the first is drawn large: {row['subtask']}."
    row = _named(placed.to_dict("records")[(len(placed) - 1) // 2])
    return row, f"Of {name}, one is drawn large as an example: {row['subtask']}, whose N* is the median."


def _pair(analysis: Analysis, frame: pd.DataFrame, row: dict[str, Any], reason: str = "") -> Drawing:
    """The metric of a row beside its continuous one.

    Args:
        reason: why this curve is drawn, '' where that goes without saying.
    """
    metric, continuous = metric_name(row["metric"]), metric_name(row["continuous_metric"])
    of_subtask = () if row["subtask"] == "all" else ("subtask", str(row["subtask"]))
    name = (str(row["study"]), *of_subtask, str(row["metric"]))
    measured = ((frame["metric"] == row["continuous_metric"]) & (frame["subtask"] == row["subtask"])).any()
    alt = f"{metric} of {curve_name(row)} against size; verdict: {row['verdict']}."
    reason = f" {reason}" if reason else ""
    if not measured:
        caption = f"{metric.capitalize()} of {curve_name(row)}. Verdict: {row['verdict']}.{reason}"
        return Drawing(name, plots.plot_jump(frame, row, analysis.x), alt, caption)
    models = (
        ", each with the posterior mean of the smooth models and, where it jumps or drops, that of smooth plus a jump"
        if np.isfinite(row["p_value"])
        else ""
    )
    caption = (
        f"{metric.capitalize()} of {curve_name(row)} and, on the same outputs, {continuous}{models}. "
        f"Verdict: {row['verdict']}.{reason}"
    )
    axes = plot_mirage(frame, row, analysis.x)[0]
    return Drawing(name, axes, alt, caption, "wide", plot_mirage(frame, row, analysis.x, stacked=True)[0])


def _subtasks(analysis: Analysis, frame: pd.DataFrame, subtasks: pd.DataFrame, metric: str, study: str) -> Drawing:
    caption = (
        f"{metric_name(metric).capitalize()} of every subtask: seeds as points, their mean as a solid line, chance "
        "as a dashed line, N* as a line in the colour of the verdict, and its interval shaded."
    )
    alt = f"Small multiples of {metric_name(metric)} against size for {counted(len(subtasks), 'subtask')} of {study}."
    axes = plots.plot_subtasks(frame, subtasks, analysis.x)[0]
    narrow = plots.plot_subtasks(frame, subtasks, analysis.x, width_in=COLUMN_WIDTH_IN)[0]
    return Drawing((study, metric, "subtasks"), axes, alt, caption, "wide", narrow)


def _scaling(analysis: Analysis, study: str) -> Iterator[Drawing]:
    """Loss against each convention and, where it varies, against tokens."""
    frame = analysis.frame[analysis.frame["study"] == study]
    loss = frame[(frame["metric"] == "loss") & (frame["subtask"] == "all")]
    for x in [*analysis.conventions, *(["tokens"] if loss["tokens"].nunique() > 1 else [])]:
        if loss.empty or not (loss[x] > 0).all() or not (loss["value"] > 0).all():
            continue
        law = analysis.fits.get((study, x))
        fitted = "with the fitted law, its band and residuals" if law else "without a law, for none describes it"
        caption = f"Loss against {size_name(x)}, {fitted}."
        alt = f"Loss of {study} against {size_name(x)} on log axes."
        yield Drawing((study, "loss", x), plots.plot_scaling(frame, law, x, level=analysis.level), alt, caption)


def _overlays(analysis: Analysis) -> Iterator[Drawing]:
    """Each metric of the studies of one task, on one pair of axes."""
    for i, group in enumerate(groups(analysis), start=1):
        for start in range(0, len(group.studies), MOST_CURVES):
            studies = group.studies[start : start + MOST_CURVES]
            for metric in group.metrics:
                yield _overlay(
                    analysis, group, studies, metric, ("overlay", str(i), str(start // MOST_CURVES + 1), metric)
                )


def _overlay(analysis: Analysis, group: Group, studies: Sequence[str], metric: str, name: tuple[str, ...]) -> Drawing:
    frame = group.frame[group.frame["study"].isin(studies)]
    laws = {study: law for (study, x), law in analysis.fits.items() if x == analysis.x}
    axes = plot_overlay(frame, metric, analysis.x, level=analysis.level, laws=laws, jumps=analysis.jumps)
    differ = f" They differ in {listed(group.differ_in)}." if group.differ_in else ""
    caption = (
        f"{metric_name(metric).capitalize()} of {listed(studies)}, which were trained for the same task.{differ} Means "
        f"over runs with their {confidence(analysis.level)} intervals, where there are three runs or more."
    )
    alt = f"{metric_name(metric)} of {len(studies)} studies against size."
    return Drawing(name, axes, alt, caption)


def _rates_of_all(analysis: Analysis) -> Iterator[Drawing]:
    """Loss against learning rate, of studies that a multirun over rates named apart."""
    for sweep in rate_sweeps(analysis):
        if sweep.several:
            yield _rates(analysis, sweep)


def _rates_of_study(analysis: Analysis, study: str) -> Iterator[Drawing]:
    """Loss against learning rate, of a study with several."""
    for sweep in rate_sweeps(analysis):
        if not sweep.several and sweep.name == study:
            yield _rates(analysis, sweep)


def _rates(analysis: Analysis, sweep: RateSweep) -> Drawing:
    found = best_rates(sweep.frame, sweep.x, level=analysis.level)
    caption = (
        f"Loss of {sweep.name} against learning rate, at every {size_name(sweep.x)}, with the best rate of each. "
        f"Below, by how much the loss is higher at the rate that is best for the smallest ({found.transferred:g}) than "
        "at the best rate tried."
    )
    alt = f"Loss of {sweep.name} against learning rate on log axes, a curve for each {size_name(sweep.x)}."
    axes = plot_rates(sweep.frame, sweep.x, found=found)
    return Drawing((sweep.name, "loss", "learning_rates"), axes, alt, caption)


def _training(analysis: Analysis, study: str) -> Iterator[Drawing]:
    """Loss over steps, and the loss and every tested metric against training compute, where steps were measured."""
    frame = analysis.trajectories
    frame = frame[(frame["study"] == study) & (frame["subtask"] == "all") & (frame["step"] > 0)]
    tested = analysis.jumps.loc[(analysis.jumps["study"] == study) & (analysis.jumps["subtask"] == "all"), "metric"]
    steps = frame.groupby("metric")["step"].nunique()
    metrics = [name for name in dict.fromkeys(["loss", *tested]) if steps.get(name, 0) >= LEAST_STEPS]
    if "loss" in metrics:
        means = "the mean of each size, shaded from the lowest to the highest run"
        lines = means if lines_are_means(frame, "loss", "step", analysis.x) else _SINGLE_RUNS
        caption = f"Loss over training, a line for {lines}."
        axes = plot_trajectories(frame, "loss", size=analysis.x)
        yield Drawing((study, "loss", "steps"), axes, f"Loss of {study} against training steps.", caption)
    for metric in metrics:
        name = metric_name(metric)
        lines = "the mean of each size" if lines_are_means(frame, metric, "flops", analysis.x) else _SINGLE_RUNS
        caption = (
            f"{name.capitalize()} against the compute spent so far, a line for {lines}, and in steps the best of all "
            "lines that was measured up to each compute."
        )
        axes = plot_compute(frame, metric, size=analysis.x)
        yield Drawing((study, metric, "compute"), axes, f"{name} of {study} against training FLOPs.", caption)


def of_shifts(analysis: Analysis) -> Iterator[Drawing]:
    """Accuracy on each shift against that on the own evaluation set, where there is a line."""
    lines = accuracy_lines(analysis.shifted, level=analysis.level) if len(analysis.shifted) else []
    for each in lines:
        if each.line is not None:
            metric = metric_name(each.metric)
            caption = f"{metric.capitalize()} of {each.task} on {each.shift} against that on its own evaluation set."
            alt = f"{metric} of {each.task} on the shift {each.shift} against eval, on probit axes."
            axes = plot_accuracy_line(each.line, size=analysis.x)
            yield Drawing(("shift", each.task, each.metric, each.shift), axes, alt, caption)


def _named(row: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


#: Makers of the pictures of all studies together, and of those of one study, in the order of the page.
OF_ALL: tuple[Callable[[Analysis], Iterator[Drawing]], ...] = (_forest, _overlays, _rates_of_all)
OF_STUDY: tuple[Callable[[Analysis, str], Iterator[Drawing]], ...] = (_jumps, _scaling, _rates_of_study, _training)
