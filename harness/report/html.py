"""The report: one self-contained page with verdicts, laws, plots and methods, and the same parts as files."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.analysis.fitting.selection import REFUSED
from harness.choices import choices
from harness.errors import UserError
from harness.records.files import file_name, write_whole
from harness.records.schema import STATUSES
from harness.report import pictures, plots, tables
from harness.report.analyze import Analysis
from harness.report.axes import as_file
from harness.report.card import cards
from harness.report.card.methods import number_of_tests
from harness.report.data_tables import data_sources, preparation, software
from harness.report.early_stops import early_stops
from harness.report.interactive import interactive_page
from harness.report.lineage_tables import lineage
from harness.report.names import interval_kind, size_name
from harness.report.pictures import Drawing, Shape
from harness.report.processes import on_all_cores
from harness.report.shift_tables import shift_section
from harness.report.spreadsheets import for_people
from harness.wording import confidence, counted, short

#: The files of a report, in the results folder.
INTERACTIVE = "report_interactive.html"
FILES = ("report.html", INTERACTIVE, "card.md", "card.tex", "verdicts.csv", "laws.csv", "plots")

#: Columns of the runs table whose distinct values the page lists.
PROVENANCE = {"device": "device", "git_revision": "git revision"}

#: Pixels of the page per inch of a picture: larger than in print, because screens are viewed from further away.
PX_PER_IN = 112


@dataclass(frozen=True)
class Picture:
    """A plot as the page shows it: data URIs, the second for phones, a text alternative, and a caption."""

    uri: str
    narrow: str | None
    alt: str
    caption: str
    width_px: int
    shape: Shape


def write_report(analysis: Analysis) -> list[Path]:
    """Write the pages, the card, both tables and plots/*.png and *.svg into the results folder: `FILES`.

    Returns:
        Their paths, in that order.

    Raises:
        UserError: the folder cannot be written, or its plots would lie elsewhere, or the disk is full.
    """
    folder = analysis.folder
    page, interactive, summary, latex, verdicts, laws, drawn = (folder / name for name in FILES)
    if drawn.is_symlink():
        raise UserError(f"{drawn} is a symbolic link, and plots would be written outside of {folder}; remove it")
    write_whole(verdicts, for_people(analysis.jumps))
    write_whole(laws, for_people(analysis.laws))
    write_whole(interactive, interactive_page(analysis).encode())  # before the page that links it
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template("report.html.j2").render(_content(analysis, drawn))
    write_whole(page, text.encode())
    for path, text in zip((summary, latex), cards(analysis), strict=True):
        write_whole(path, text.encode())
    return [page, interactive, summary, latex, verdicts, laws, drawn]


def _content(analysis: Analysis, drawn: Path) -> dict[str, Any]:
    runs = analysis.runs
    finished = runs[runs["status"] == "finished"]
    experiments, files = _distinct(runs["experiment"]), choices("experiment")
    untested = _untested(analysis)
    return {
        "experiments": experiments,
        "known_experiments": [name for name in experiments if name in files],
        "unknown_experiments": [name for name in experiments if name not in files],
        "several": runs.groupby(["study", "rung"])[["lr", "duration"]].nunique().gt(1).any().any(),
        "n_curves": counted(len(analysis.jumps), "curve"),
        "headline": tables.verdict_counts(analysis.jumps, analysis.x),
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
        "lineage": lineage(runs),
        "failures": tables.failures(runs),
        "early_stops": early_stops(analysis),
        "left_out": analysis.left_out,
        "differing_data": analysis.differing_data,
        "data_sources": data_sources(runs),
        "preparation": preparation(runs),
        "summary": tables.verdict_summary(analysis.jumps, analysis.x),
        "laws": tables.law_table(analysis.laws),
        "refused": f"{REFUSED:g}",
        "shifts": shift_section(analysis),
        "pictures": [_picture(each, drawn) for each in pictures.of_all(analysis)],
        "shift_pictures": [_picture(each, drawn) for each in pictures.of_shifts(analysis)],
        "untested": untested,
        "interactive": INTERACTIVE if (analysis.folder / INTERACTIVE).exists() else "",
        "studies": on_all_cores(partial(_study, analysis, untested, drawn), analysis.studies),
        "ladder_steps": {study: _ladder_step(part[analysis.x]) for study, part in finished.groupby("study")},
        "notes": {study: note for study in analysis.studies if (note := _config(runs, study).get("notes"))},
        "configs": {
            study: json.dumps(_config(runs, study), indent=2, sort_keys=True, ensure_ascii=False)
            for study in analysis.studies
        },
        "versions": _distinct(runs["versions"].map(_version_list)),
        "provenance": {name: _distinct(runs[column]) for column, name in PROVENANCE.items()},
    }


def _study(analysis: Analysis, untested: dict[str, str], drawn: Path, study: str) -> dict[str, Any]:
    jumps = analysis.jumps[analysis.jumps["study"] == study]
    return {
        "name": study,
        "verdicts": tables.verdict_table(jumps, analysis.x).drop(columns="study"),
        "untested": untested.get(study),
        "pictures": [_picture(each, drawn) for each in pictures.of_study(analysis, study)],
    }


def _untested(analysis: Analysis) -> dict[str, str]:
    """Why each study that has no verdict has none."""
    tested = set(analysis.jumps["study"])
    nothing = "it has no metric that can jump where outputs move smoothly, such as accuracy"
    return {
        study: analysis.impossible.get(study, nothing)
        for study in analysis.studies
        if study in analysis.impossible or study not in tested
    }


def _picture(drawing: Drawing, drawn: Path) -> Picture:
    _, svg = plots.save_figure(drawing.axes, drawn / file_name(*drawing.name))
    narrow = None if drawing.narrow is None else _uri(as_file(drawing.narrow, "svg"))
    figure = drawing.axes.get_figure(root=True)
    assert figure is not None
    width_px = round(PX_PER_IN * figure.get_figwidth())
    return Picture(_uri(svg.read_bytes()), narrow, drawing.alt, drawing.caption, width_px, drawing.shape)


def _uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def _config(runs: pd.DataFrame, study: str) -> dict[str, Any]:
    """Resolved settings of the study's first run; {} where they are not a JSON object."""
    try:
        config = json.loads(runs.loc[runs["study"] == study, "config"].iloc[0])
    except (ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def _version_list(versions: str) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(software(versions).items())) or versions


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
