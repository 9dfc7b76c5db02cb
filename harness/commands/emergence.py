"""``harness emergence TABLE --x params --value accuracy --seed seed``: which curves jump, and why."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from harness.analysis.emergence.find_jumps import find_jumps
from harness.commands.arguments import MOST_DRAWN, SIZES
from harness.commands.columns import SETTINGS, CurveTable, choose_curves, default_column, rename_in
from harness.commands.output import check_plot, given, save_plot, write_json
from harness.commands.tables import choose_curve_rows
from harness.errors import DataError, UserError
from harness.report.names import curve_name, metric_name
from harness.report.tables import as_rich
from harness.wording import ABSENT, confidence, counted, interval, p_value

_KEY = ["study", "task", "subtask", "metric"]


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Test, report and write; 0.

    Raises:
        UserError: as `choose_curve_rows`, `choose_curves` and `find_jumps`.
    """
    check_plot(arguments.plot)
    rows = choose_curve_rows(arguments, arguments.table)
    x = arguments.x or default_column(rows.frame, SIZES, "--x", "the column of sizes")
    curves = choose_curves(rows, [x], arguments)
    try:
        jumps = find_jumps(curves.frame, x, arguments.alpha, arguments.level, arguments.fraction)
    except DataError as error:
        rename_in(error, {"value": arguments.value, "n_eval": arguments.n_eval})
        raise
    if jumps.empty:
        found = ", ".join(dict.fromkeys(curves.frame["metric"].astype(str)))
        why = "no metric that could jump, only losses and continuous ones"
        raise DataError(f"{why}: {found} (--discontinuous names metrics to test)", source=arguments.table)
    if (jumps["continuous_metric"] == "").all():
        unjudged = "a continuous metric on the same outputs (no jump can be called emergent or an artefact; see --pair)"
        curves = replace(curves, unknown=(*curves.unknown, unjudged))
    scores = _scores(curves.frame, x) if arguments.scores else None
    _report(jumps, scores, curves, x, arguments.level, console)
    settings = given(arguments, ("table", *SETTINGS, "alpha", "fraction", "level"))
    of_curves = jumps if scores is None else jumps.merge(scores, on=_KEY, how="left")
    content = {"curves": of_curves.to_dict("records"), **curves.as_json(), "settings": settings | {"x": x}}
    write_json(arguments.json, content)
    if arguments.plot:
        _draw(jumps, curves.frame, x, Path(arguments.plot), console)
    return 0


def _scores(frame: pd.DataFrame, x: str) -> pd.DataFrame:
    from harness.analysis.emergence.known_scores import known_scores

    try:
        return known_scores(frame, x=x)
    except ModuleNotFoundError as error:
        raise UserError(f"--scores: needs the package {error.name}; pip install {error.name}") from error


def _report(
    jumps: pd.DataFrame, scores: pd.DataFrame | None, curves: CurveTable, x: str, level: float, console: Console
) -> None:
    title = f"Verdicts; N* in {x}, {confidence(level)} intervals"
    console.print(as_rich(_verdicts(jumps, scores), title))
    for row in jumps.to_dict("records"):
        name, metric = curve_name(row), metric_name(str(row["metric"]))
        called = name if metric in name else f"{name}, {metric}"
        console.print(f"{called}: {row['verdict']} – {row['reason']}", markup=False, soft_wrap=True)
    curves.report_assumed(console)
    for what in curves.unknown:
        console.print(f"not known: {what}", markup=False, soft_wrap=True)
    console.print(_resolution(jumps, x), markup=False, soft_wrap=True)
    curves.rows.report(f"{counted(len(jumps), 'curve')}, {counted(len(curves.frame), 'row')}", console)


def _verdicts(jumps: pd.DataFrame, scores: pd.DataFrame | None) -> pd.DataFrame:
    """A row a curve, in words."""
    words = pd.DataFrame({name: jumps[name] for name in _KEY if name == "metric" or _distinguishes(jumps, name)})
    words["metric"] = [metric_name(name) for name in words["metric"]]
    words["p"] = [p_value(value) for value in jumps["p_value"]]
    words["p adj."] = [p_value(value) for value in jumps["p_adjusted"]]
    ends = zip(jumps["threshold"], jumps["threshold_low"], jumps["threshold_high"], strict=True)
    words["N*"] = [interval(*each) for each in ends]
    words["verdict"] = jumps["verdict"]
    if scores is not None:
        beside = jumps[_KEY].merge(scores, on=_KEY, how="left").drop(columns=_KEY)
        for name in beside.columns:
            words[metric_name(str(name))] = [f"{value:.3g}" if value == value else ABSENT for value in beside[name]]
    return words


def _distinguishes(jumps: pd.DataFrame, name: str) -> bool:
    """Whether a column of names is worth a column of the table."""
    if name == "task" and (jumps["task"] == jumps["study"]).all():
        return False
    return jumps[name].nunique() > 1 or jumps[name].iloc[0] not in ("", "all")


def _resolution(jumps: pd.DataFrame, x: str) -> str:
    steps = jumps["step_octaves"].dropna()
    if steps.empty:
        return f"resolution: none, for no curve has four sizes of {x} and values that differ"
    low, high = (float(end) for end in (steps.min(), steps.max()))
    same = bool(np.isclose(low, high, rtol=0.05))
    octaves = f"{low:.2g}" if same else f"{low:.2g} to {high:.2g}"
    octaves += " octave" if octaves == "1" else " octaves"
    factors = f"{2**low:.2g}" if same else f"{2**low:.2g} to {2**high:.2g}"
    return (
        f"resolution: neighbouring sizes lie {octaves} of {x} apart (a factor of {factors}); "
        "a rise wider than four such steps is smooth, and nothing finer than a step can be told"
    )


def _draw(jumps: pd.DataFrame, frame: pd.DataFrame, x: str, path: Path, console: Console) -> None:
    from harness.report.emergence_plots import plot_mirages

    clearest = jumps.assign(untested=jumps["p_value"].isna()).sort_values(["untested", "p_value"], kind="stable")
    chosen = clearest.head(MOST_DRAWN).drop(columns="untested")
    if len(jumps) > MOST_DRAWN:
        console.print(f"drawn are {MOST_DRAWN} of {len(jumps)} curves, those of the smallest p; --where picks others")
    records: list[dict[str, Any]] = [
        {str(name): value for name, value in row.items()} for row in chosen.to_dict("records")
    ]
    save_plot(plot_mirages(frame, records, x)[0][0], path, console)
