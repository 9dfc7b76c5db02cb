"""The report: one self-contained page with verdicts, laws, plots and methods, and the same parts as files."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.axes import Axes

from harness.records.files import write_whole
from harness.records.schema import STATUSES
from harness.report import plots, tables
from harness.report.analyze import CONVENTIONS, Analysis
from harness.report.card import cards
from harness.report.card.methods import number_of_tests
from harness.report.emergence_plots import plot_mirage
from harness.report.interactive import interactive_page
from harness.report.names import curve_name, interval_kind, metric_name, size_name
from harness.wording import confidence, short

#: The files of a report, in the results folder.
FILES = ("report.html", "report_interactive.html", "card.md", "card.tex", "verdicts.csv", "laws.csv", "plots")

#: Columns of the runs table whose distinct values the page lists.
PROVENANCE = {"device": "device", "git_revision": "git revision"}

#: Pixels of the page per inch of a picture: larger than in print, because screens are viewed from further away.
PX_PER_IN = 112

#: How the page lays out a picture: as one panel of several in a row, or across the page.
Shape = Literal["single", "wide"]


@dataclass(frozen=True)
class Picture:
    """A plot as the page shows it: a data URI, a text alternative, and a caption."""

    uri: str
    alt: str
    caption: str
    width_px: int
    shape: Shape


def write_report(analysis: Analysis) -> list[Path]:
    """Write the pages, the card, both tables and plots/*.png and *.svg into the results folder: `FILES`.

    Returns:
        Their paths, in that order.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    folder = analysis.folder
    page, interactive, summary, latex, verdicts, laws, drawn = (folder / name for name in FILES)
    write_whole(verdicts, analysis.jumps.to_csv(index=False).encode())
    write_whole(laws, analysis.laws.to_csv(index=False).encode())
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template("report.html.j2").render(_content(analysis, drawn))
    write_whole(page, text.encode())
    write_whole(interactive, interactive_page(analysis).encode())
    for path, text in zip((summary, latex), cards(analysis), strict=True):
        write_whole(path, text.encode())
    return [page, interactive, summary, latex, verdicts, laws, drawn]


def _content(analysis: Analysis, drawn: Path) -> dict[str, Any]:
    runs = analysis.runs
    finished = runs[runs["status"] == "finished"]
    thresholds = [] if analysis.jumps["threshold"].isna().all() else [_forest(analysis, drawn)]
    return {
        "experiments": _distinct(runs["experiment"]),
        "several": runs.groupby(["study", "rung"])[["lr", "duration"]].nunique().gt(1).any().any(),
        "headline": tables.verdict_counts(analysis.jumps),
        "n_runs": len(runs),
        "by_status": [f"{n} {status}" for status in STATUSES if (n := (runs["status"] == status).sum())],
        "flops": short(runs["flops"].sum()),
        "ended": runs["finished_at"].max().strftime("%d %B %Y"),
        "x_name": size_name(analysis.x),
        "x": analysis.x,
        "level": confidence(analysis.level).replace(" ", "\u00a0"),
        "interval_kind": interval_kind(analysis.interval),
        "alpha": analysis.alpha,
        "n_tests": number_of_tests(analysis.jumps),
        "overview": tables.overview(runs),
        "failures": tables.failures(runs),
        "left_out": analysis.left_out,
        "summary": tables.verdict_summary(analysis.jumps),
        "laws": tables.law_table(analysis.laws),
        "thresholds": thresholds,
        "studies": [_study(analysis, study, drawn) for study in analysis.studies],
        "ladder_steps": {study: _ladder_step(part[analysis.x]) for study, part in finished.groupby("study")},
        "notes": {study: note for study in analysis.studies if (note := _config(runs, study).get("notes"))},
        "configs": {
            study: json.dumps(_config(runs, study), indent=2, sort_keys=True, ensure_ascii=False)
            for study in analysis.studies
        },
        "versions": _distinct(runs["versions"].map(_version_list)),
        "provenance": {name: _distinct(runs[column]) for column, name in PROVENANCE.items()},
    }


def _study(analysis: Analysis, study: str, drawn: Path) -> dict[str, Any]:
    frame = analysis.frame[analysis.frame["study"] == study]
    jumps = analysis.jumps[analysis.jumps["study"] == study]
    return {
        "name": study,
        "verdicts": tables.verdict_table(jumps).drop(columns="study"),
        "impossible": analysis.impossible.get(study),
        "pictures": [*_jump_pictures(analysis, frame, jumps, drawn), *_scaling_pictures(analysis, study, frame, drawn)],
    }


def _forest(analysis: Analysis, drawn: Path) -> Picture:
    axes = plots.plot_thresholds(analysis.jumps, x=analysis.x)
    placed = analysis.jumps["threshold"].notna()
    without = [curve_name(row) for row in analysis.jumps[~placed].to_dict("records")]
    left_out = f" Curves without a threshold on their ladder: {', '.join(without)}." if without else ""
    level = confidence(analysis.level).replace(" ", "\u00a0")
    caption = f"The size at which each ability appears: N* with its {level} interval.{left_out}"
    alt = f"Forest plot of {placed.sum()} thresholds; the tables of verdicts give the numbers."
    return _picture(axes, drawn, "thresholds", alt, caption)


def _jump_pictures(analysis: Analysis, frame: pd.DataFrame, jumps: pd.DataFrame, drawn: Path) -> Iterator[Picture]:
    """The pair of metrics of each whole task and of one subtask, and small multiples of all subtasks."""
    for metric, part in jumps.groupby("metric", sort=False):
        subtasks = part[part["subtask"] != "all"]
        whole = part[part["subtask"] == "all"]
        example = subtasks.sort_values("threshold", kind="stable").iloc[len(subtasks) // 4 : len(subtasks) // 4 + 1]
        for row in pd.concat([whole, example]).to_dict("records"):
            yield _pair(analysis, frame, {str(k): v for k, v in row.items()}, drawn)
        if len(subtasks):
            study = subtasks["study"].iloc[0]
            axes = plots.plot_subtasks(frame, subtasks, analysis.x)[0]
            caption = (
                f"{metric_name(str(metric)).capitalize()} of every subtask: seeds as points, their mean as a solid "
                f"line, chance as a dashed line, N* and its interval in colour."
            )
            alt = f"Small multiples of {metric_name(str(metric))} against size for {len(subtasks)} subtasks of {study}."
            yield _picture(axes, drawn, f"{study}_{metric}_subtasks", alt, caption, "wide")


def _pair(analysis: Analysis, frame: pd.DataFrame, row: dict[str, Any], drawn: Path) -> Picture:
    metric, continuous = metric_name(row["metric"]), metric_name(row["continuous_metric"])
    name = f"{curve_name(row)}_{row['metric']}"
    measured = ((frame["metric"] == row["continuous_metric"]) & (frame["subtask"] == row["subtask"])).any()
    alt = f"{metric} of {curve_name(row)} against size; verdict: {row['verdict']}."
    why = f"Verdict {row['verdict']}: {row['reason']}."
    if not measured:
        return _picture(plots.plot_jump(frame, row, analysis.x), drawn, name, alt, f"{metric.capitalize()}. {why}")
    caption = (
        f"{metric.capitalize()} and, on the same outputs, {continuous}, each with the posterior mean of the smooth "
        f"models and, where it jumps or drops, that of smooth plus a jump. {why}"
    )
    return _picture(plot_mirage(frame, row, analysis.x)[0], drawn, name, alt, caption, "wide")


def _scaling_pictures(analysis: Analysis, study: str, frame: pd.DataFrame, drawn: Path) -> Iterator[Picture]:
    """Loss against each convention and, where it varies, against tokens."""
    loss = frame[(frame["metric"] == "loss") & (frame["subtask"] == "all")]
    sizes = [*CONVENTIONS, *(["tokens"] if loss["tokens"].nunique() > 1 else [])]
    for x in sizes:
        if loss.empty or not (loss[x] > 0).all() or not (loss["value"] > 0).all():
            continue
        law = analysis.fits.get((study, x))
        fitted = "with the fitted law, its band and residuals" if law else "without a fitted law"
        caption = f"Loss against {size_name(x)}, {fitted}."
        alt = f"Loss of {study} against {size_name(x)} on log axes."
        axes = plots.plot_scaling(frame, law, x, level=analysis.level)
        yield _picture(axes, drawn, f"{study}_loss_{x}", alt, caption)


def _picture(axes: Axes, drawn: Path, name: str, alt: str, caption: str, shape: Shape = "single") -> Picture:
    _, svg = plots.save_figure(axes, drawn / _file_name(name))
    figure = axes.get_figure(root=True)
    assert figure is not None
    uri = "data:image/svg+xml;base64," + base64.b64encode(svg.read_bytes()).decode()
    return Picture(uri, alt, caption, round(PX_PER_IN * figure.get_figwidth()), shape)


def _file_name(name: str) -> str:
    """A name as that of a file: studies, subtasks and metrics are named by users, and none may leave the folder."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)


def _config(runs: pd.DataFrame, study: str) -> dict[str, Any]:
    """Resolved settings of the study's first run; {} where they are not a JSON object."""
    try:
        config = json.loads(runs.loc[runs["study"] == study, "config"].iloc[0])
    except json.JSONDecodeError:
        return {}
    return config if isinstance(config, dict) else {}


def _version_list(versions: str) -> str:
    try:
        return ", ".join(f"{name} {version}" for name, version in sorted(json.loads(versions).items()))
    except (json.JSONDecodeError, AttributeError):
        return versions


def _distinct(values: pd.Series) -> list[str]:
    return sorted(values.dropna().astype(str).unique())


def _ladder_step(sizes: pd.Series) -> str:
    """The factor, or range of factors, between neighbouring rungs."""
    rungs = np.unique(sizes)
    factors = rungs[1:] / rungs[:-1]
    if not len(factors):
        return "one rung only"
    low, high = factors.min(), factors.max()
    return f"{low:.2g}" if np.isclose(low, high, rtol=0.05) else f"{low:.2g} to {high:.2g}"
