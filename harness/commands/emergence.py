"""``harness emergence TABLE --x params --value accuracy --seed seed``: which curves jump, and why."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from harness.analysis.emergence.find_jumps import find_jumps
from harness.commands.curve_rows import CurveRows, add_curve_arguments, choose_curves, in_own_words
from harness.commands.rows import add_output_arguments, report_rows, write_json
from harness.commands.values import between_0_and_1
from harness.errors import DataError, SettingError, UserError
from harness.report.tables import as_rich
from harness.report.wording import curve_name, interval, metric_name, p_value

_KEY = ["study", "task", "subtask", "metric"]
#: Curves that one picture shows, a row each.
MOST_DRAWN = 6
_SETTINGS = ("table", "x", "value", "task", "subtask", "metric", "seed", "n_eval", "chance", "lower_is_better", "pair")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_curve_arguments(parser)
    parser.add_argument("--alpha", type=between_0_and_1, default=0.05, help="false discovery rate (0.05)")
    share = "share of its rise at which an ability has appeared (0.5)"
    parser.add_argument("--fraction", type=between_0_and_1, default=0.5, help=share)
    parser.add_argument("--scores", action="store_true", help="the scores of the literature beside each verdict")
    add_output_arguments(parser)
    drawn = f"draw the {MOST_DRAWN} clearest curves (and OUT.svg beside it)"
    parser.add_argument("--plot", metavar="OUT.png", help=drawn)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Test, tell and write; 0.

    Raises:
        UserError: as `commands.curve_rows.choose_curves` and `find_jumps`.
    """
    check_plot(arguments.plot)
    rows = choose_curves(arguments)
    try:
        jumps = find_jumps(rows.frame, rows.x, arguments.alpha, arguments.level, arguments.fraction)
    except DataError as error:
        raise in_own_words(error, {"value": arguments.value, "n_eval": arguments.n_eval}) from error
    if jumps.empty:
        found = ", ".join(dict.fromkeys(rows.frame["metric"].astype(str)))
        raise DataError(f"{arguments.table}: no metric that could jump, only losses and continuous ones: {found}")
    scores = _scores(rows) if arguments.scores else None
    _tell(jumps, scores, rows, arguments.level, console)
    told = jumps if scores is None else jumps.merge(scores, on=_KEY, how="left")
    content = {
        "curves": told.to_dict("records"),
        "unknown": list(rows.unknown),
        "other_runs": list(rows.other_runs),
        "excluded": rows.excluded,
        "n_outside": rows.n_outside,
        "settings": {name: getattr(arguments, name) for name in (*_SETTINGS, "where", "exclude", "derive")}
        | {"x": rows.x, "alpha": arguments.alpha, "fraction": arguments.fraction, "level": arguments.level},
    }
    write_json(arguments.json, content)
    if arguments.plot:
        _draw(jumps, rows, Path(arguments.plot), console)
    return 0


def check_plot(path: str | None) -> None:
    """Raises SettingError for a picture that is not .png."""
    if path and Path(path).suffix != ".png":
        raise SettingError("--plot", path, "a name that ends in .png")


def _scores(rows: CurveRows) -> pd.DataFrame:
    from harness.analysis.emergence.known_scores import known_scores

    try:
        return known_scores(rows.frame, x=rows.x)
    except ModuleNotFoundError as error:
        raise UserError(f"--scores: needs the package {error.name}; pip install {error.name}") from error


def _tell(jumps: pd.DataFrame, scores: pd.DataFrame | None, rows: CurveRows, level: float, console: Console) -> None:
    records = jumps.to_dict("records")
    words = pd.DataFrame({name: jumps[name] for name in _KEY if name == "metric" or _tells(jumps, name)})
    words["metric"] = [metric_name(name) for name in words["metric"]]
    words["p"] = [p_value(value) for value in jumps["p_value"]]
    words["p adj."] = [p_value(value) for value in jumps["p_adjusted"]]
    words["N*"] = [interval(row["threshold"], row["threshold_low"], row["threshold_high"]) for row in records]
    words["verdict"] = jumps["verdict"]
    if scores is not None:
        beside = jumps[_KEY].merge(scores, on=_KEY, how="left").drop(columns=_KEY)
        for name in beside.columns:
            words[metric_name(str(name))] = [f"{value:.3g}" if value == value else "–" for value in beside[name]]
    console.print(as_rich(words, f"Verdicts; N* in {rows.x}, {100 * level:g} % intervals"))
    for row in records:
        name = curve_name(row)
        metric = metric_name(str(row["metric"]))
        called = name if metric in name else f"{name}, {metric}"
        console.print(f"{called}: {row['verdict']} – {row['reason']}", markup=False, soft_wrap=True)
    for what in rows.unknown:
        console.print(f"not known: {what}", markup=False, soft_wrap=True)
    console.print(_resolution(jumps, rows.x), markup=False, soft_wrap=True)
    runs = rows.frame["value"].size
    report_rows(f"{len(jumps)} curve{'s' * (len(jumps) != 1)}, {runs} rows", rows.excluded, rows.n_outside, console)
    for line in rows.other_runs:
        console.print(line, markup=False, soft_wrap=True)


def _tells(jumps: pd.DataFrame, name: str) -> bool:
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


def _draw(jumps: pd.DataFrame, rows: CurveRows, path: Path, console: Console) -> None:
    from harness.report.axes import save_figure
    from harness.report.emergence_plots import plot_mirages

    clearest = jumps.assign(open=jumps["p_value"].isna()).sort_values(["open", "p_value"], kind="stable")
    chosen = clearest.head(MOST_DRAWN).drop(columns="open")
    if len(jumps) > MOST_DRAWN:
        console.print(f"drawn are {MOST_DRAWN} of {len(jumps)} curves, those of the smallest p; --where picks others")
    axes = plot_mirages(rows.frame, _records(chosen), rows.x)
    for written in save_figure(axes[0][0], path.with_suffix("")):
        console.print(str(written), markup=False, highlight=False, soft_wrap=True)


def _records(jumps: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in jumps.to_dict("records")]
