"""``harness shifts RESULTS``: accuracy on the line, and what becomes of jumps, on shifted evaluation sets."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from harness.analysis.shifts.accuracy_line import AccuracyLine
from harness.analysis.shifts.jump_survival import jump_survival
from harness.analysis.shifts.lines import TaskLine, accuracy_lines
from harness.commands.arguments import SIZES
from harness.commands.columns import SETTINGS, CurveTable, choose_curves, default_column, rename_in
from harness.commands.output import check_plot, given, report_files, save_plot, write_json
from harness.commands.tables import Rows, choose_curve_rows, split_names
from harness.errors import DataError, UserError, nearest
from harness.records.table import splits_of
from harness.report.shift_tables import departures_in_words, line_table, survival_table
from harness.report.terminal import as_rich
from harness.wording import confidence, counted

#: What a line says of itself in JSON.
_OF_A_LINE = (
    *("slope_", "slope_low_", "slope_high_", "intercept_", "intercept_low_", "intercept_high_"),
    *(
        "slope_least_squares_",
        "slope_corrected_",
        "r2_",
        "scatter_",
        "n_runs_",
        "n_clusters_",
        "n_ceiling_",
        "n_floor_",
    ),
)
_OF_A_RUN = ["study", "run", "own", "shifted", "beyond", "in_line", "expected", "effective_robustness"]


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Compare, write and report; 0.

    Raises:
        UserError: as `choose_curve_rows`, `choose_curves`, `accuracy_lines` and `jump_survival`.
    """
    check_plot(arguments.plot)
    shifts = _shifts(arguments)
    own, x = _read(arguments, arguments.own)
    tables = {arguments.own: own} | {shift: _read(arguments, shift)[0] for shift in shifts}
    frame = pd.concat([table.frame.assign(split=split) for split, table in tables.items()], ignore_index=True)
    how = {name: getattr(arguments, name) for name in ("baseline", "link", "cluster", "own", "level", "corrected")}
    lines = accuracy_lines(frame, **how)
    survival = jump_survival(frame, x, arguments.own, arguments.alpha, arguments.level, arguments.fraction)
    write_json(arguments.json, _content(lines, survival, own, x, arguments))
    drawn = _draw(lines, x, Path(arguments.plot)) if arguments.plot else []
    _report(lines, survival, x, arguments, console)
    own.report(console)
    own.rows.report(f"{counted(len(shifts), 'shift')} beside {arguments.own}, {own.counted} each", console)
    report_files(drawn, console)
    return 0


def _shifts(arguments: argparse.Namespace) -> list[str]:
    """The splits to compare with the own one: those of --split, or all."""
    known = splits_of(arguments.table)
    if arguments.own not in known:
        near = nearest(arguments.own, known) or f"; there are {', '.join(known) or 'none'}"
        raise UserError(f"--own {arguments.own}: no such split{near}")
    shifts = [name for name in known if name not in (arguments.own, "train")]
    if not shifts:
        raise DataError(f"no split beside {arguments.own}: the setting shifts makes some", source=arguments.table)
    if arguments.split is None:
        measured = [name for name in shifts if len(_rows(arguments, name).frame)]
        if not measured:
            raise DataError("no row on a shift (see --where)", source=arguments.table)
        return measured
    named = split_names(arguments.split, "--split", "names of splits")
    for name in named:
        if name not in shifts:
            raise UserError(
                f"--split {name}: no such shift{nearest(name, shifts) or '; there are ' + ', '.join(shifts)}"
            )
    return named


def _rows(arguments: argparse.Namespace, split: str) -> Rows:
    """The rows of a split that --where and the like choose."""
    return choose_curve_rows(argparse.Namespace(**vars(arguments) | {"split": split}), arguments.table)


def _read(arguments: argparse.Namespace, split: str) -> tuple[CurveTable, str]:
    """The curves of one split, and the column of sizes."""
    rows = _rows(arguments, split)
    x = arguments.x or default_column(rows.frame, SIZES, "--x", "the column of sizes")
    try:
        return choose_curves(rows, [x], arguments), x
    except DataError as error:
        rename_in(error, arguments)
        raise


def _content(
    lines: Sequence[TaskLine], survival: pd.DataFrame, own: CurveTable, x: str, arguments: argparse.Namespace
) -> dict[str, Any]:
    settings = given(
        arguments, ("table", *SETTINGS, "own", "baseline", "link", "cluster", "corrected", "alpha", "fraction", "level")
    )
    return {
        "lines": [_line(each, x) for each in lines],
        "jumps": survival.to_dict("records"),
        **own.as_json(),
        "settings": settings | {"x": x},
    }


def _line(each: TaskLine, x: str) -> dict[str, Any]:
    named: dict[str, Any] = {"task": each.task, "metric": each.metric, "shift": each.shift, "problem": each.problem}
    if (line := each.line) is None:
        return named
    fitted = {name.rstrip("_"): getattr(line, name) for name in _OF_A_LINE}
    runs = line.runs_[[name for name in _OF_A_RUN if name in line.runs_]]
    return (
        named
        | fitted
        | {"departures": line.departures(_groups(line, x)).to_dict("records"), "runs": runs.to_dict("records")}
    )


def _groups(line: AccuracyLine, x: str) -> str:
    """The column of the groups that may lie off a line: studies where there are several, else sizes."""
    return "study" if line.runs_["study"].nunique() > 1 else x


def _report(
    lines: Sequence[TaskLine],
    survival: pd.DataFrame,
    x: str,
    arguments: argparse.Namespace,
    console: Console,
) -> None:
    level = confidence(arguments.level)
    if len(table := line_table(lines)):
        console.print(as_rich(table, f"Accuracy on the line, {arguments.link} scale, {level} intervals"))
    for each in lines:
        if each.line is None:
            console.print(f"{each.name}, {each.shift}: no line; {each.problem}", markup=False, soft_wrap=True)
            continue
        for words in departures_in_words(each, _groups(each.line, x), arguments.level):
            console.print(words, markup=False, soft_wrap=True)
    if survival.empty:
        console.print("no metric that could jump, only losses and continuous ones", markup=False, soft_wrap=True)
        return
    title = f"Jumps under the shift; N* in {x}, {level} intervals"
    console.print(as_rich(survival_table(survival), title))


def _draw(lines: Sequence[TaskLine], x: str, path: Path) -> list[Path]:
    """A picture a line; of several, each with its task, metric and shift in its name."""
    from harness.records.files import file_name
    from harness.report.shift_plots import plot_accuracy_line

    fitted: list[tuple[TaskLine, AccuracyLine]] = [(each, each.line) for each in lines if each.line is not None]
    paths = []
    for each, line in fitted:
        name = f"{path.stem}_{file_name(*filter(None, (each.task, each.metric, each.shift)))}.png"
        paths += save_plot(plot_accuracy_line(line, size=x), path if len(fitted) == 1 else path.with_name(name))
    return paths
