"""``harness emergence TABLE --x params --value accuracy --seed seed``: which curves jump, and why."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from harness.analysis.axis import Axis
from harness.analysis.emergence.comparison import compare_thresholds, holm
from harness.analysis.emergence.find_jumps import find_jumps
from harness.commands.arguments import MOST_DRAWN, SIZES
from harness.commands.columns import SETTINGS, CurveTable, choose_curves, default_column, rename_in
from harness.commands.output import check_plot, given, report_files, save_plot, write_json
from harness.commands.sizes import fine_steps
from harness.commands.tables import choose_curve_rows
from harness.errors import DataError, UserError
from harness.report.appearance import place
from harness.report.names import curve_name, metric_name, verdict_name
from harness.report.terminal import as_rich
from harness.wording import ABSENT, confidence, counted, interval, p_value

_KEY = ["study", "task", "subtask", "metric"]
#: Column that --sort names -> that of the analysis, and whether the first is the smallest.
_ORDER = {"p": ("p_value", True), "statistic": ("statistic", False), "threshold": ("threshold", True)}
#: Places of a rise that the table shows, where the analysis has them.
_PLACES = {"N*": "threshold", "onset": "onset"}
#: Curves of one task whose thresholds are compared across --by; of more, `harness compare` chooses.
_MOST_COMPARED = 40


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Test, write and report; 0.

    Raises:
        UserError: as `choose_curve_rows`, `choose_curves` and `find_jumps`.
    """
    check_plot(arguments.plot)
    rows = choose_curve_rows(arguments, arguments.table)
    x = arguments.x or default_column(rows.frame, SIZES, "--x", "the column of sizes")
    axis = Axis.of(x)
    try:
        curves = choose_curves(rows, [x], arguments)
        found = find_jumps(curves.frame, x, arguments.alpha, arguments.level, arguments.fraction, arguments.onset)
    except DataError as error:
        rename_in(error, arguments)
        raise
    if found.empty:
        metrics = ", ".join(dict.fromkeys(curves.frame["metric"].astype(str)))
        why = "no metric that could jump, only losses and continuous ones"
        raise DataError(f"{why}: {metrics} (--discontinuous names metrics to test)", source=arguments.table)
    if (found["continuous_metric"] == "").all():
        unjudged = "a continuous metric on the same outputs (no jump can be called emergent or an artefact; see --pair)"
        curves = replace(curves, unknown=(*curves.unknown, unjudged))
    curves = replace(curves, cautions=(*curves.cautions, *fine_steps(curves.frame, found, axis)))
    jumps = _sorted(found, arguments.sort)
    scores = _scores(axis.with_rising(curves.frame), axis.rising) if arguments.scores else None
    across = _across(curves.frame, jumps, x, arguments) if arguments.by else None
    of_curves = jumps if scores is None else jumps.merge(scores, on=_KEY, how="left")
    content = {
        "curves": of_curves.to_dict("records"),
        "verdicts": jumps["verdict"].value_counts().to_dict(),
        **({} if across is None else {"across": across.to_dict("records")}),
        **curves.as_json(),
        "settings": given(arguments, ("table", *SETTINGS, "alpha", "fraction", "onset", "level")) | {"x": x},
    }
    write_json(arguments.json, content)
    shown = _chosen(jumps, arguments)
    drawn = _draw(shown, curves.frame, x, Path(arguments.plot)) if arguments.plot and len(shown) else []
    _report(jumps, shown, scores, curves, axis, arguments, console)
    if across is not None:
        _report_across(across, jumps, arguments, console)
    _report_table(jumps, curves, axis, console)
    if len(shown) > MOST_DRAWN and drawn:
        clearest = f"drawn are {MOST_DRAWN} of {len(shown)} curves, those of the smallest p; --where picks others"
        console.print(clearest, markup=False, soft_wrap=True)
    if arguments.plot and shown.empty:
        console.print(f"{arguments.plot} is not drawn: no curve has that verdict", markup=False, soft_wrap=True)
    report_files(drawn, console)
    return 0


def _sorted(jumps: pd.DataFrame, by: str | None) -> pd.DataFrame:
    """Curves in the order of --sort, those without a number last; in that of the table without it."""
    if by is None:
        return jumps
    column, ascending = _ORDER[by]
    return jumps.sort_values(column, ascending=ascending, kind="stable").reset_index(drop=True)


def _chosen(jumps: pd.DataFrame, arguments: argparse.Namespace) -> pd.DataFrame:
    """The curves that --verdict and --top show."""
    wanted = jumps if arguments.verdict is None else jumps[jumps["verdict"].isin(arguments.verdict)]
    return wanted if arguments.top is None else wanted.head(arguments.top)


def _scores(frame: pd.DataFrame, x: str) -> pd.DataFrame:
    from harness.analysis.emergence.known_scores import known_scores

    try:
        return known_scores(frame, x=x)
    except ModuleNotFoundError as error:
        raise UserError(f"--scores: needs the package {error.name}; pip install {error.name}") from error


def _report(
    jumps: pd.DataFrame,
    shown: pd.DataFrame,
    scores: pd.DataFrame | None,
    curves: CurveTable,
    axis: Axis,
    arguments: argparse.Namespace,
    console: Console,
) -> None:
    """The curves that are to be shown, why each has its verdict, and how many of all have which."""
    if len(shown):
        title = f"Verdicts; N* in {axis.x}, {confidence(arguments.level)} intervals"
        words = _verdicts(shown, jumps, scores, axis.x)
        console.print(as_rich(words.rename(columns={"study": arguments.by or "study"}), title))
    several_tasks = (jumps["study"] != "").all() and jumps.groupby("study")["task"].nunique().max() > 1
    for row in shown.to_dict("records"):
        name, metric = curve_name(row), metric_name(str(row["metric"]))
        name = f"{name}, {row['task']}" if several_tasks else name
        called = name if metric in name else f"{name}, {metric}"
        verdict = verdict_name(row["verdict"], axis.x)
        console.print(f"{called}: {verdict} – {row['reason']}", markup=False, soft_wrap=True)
    of_each = jumps["verdict"].value_counts().items()
    counts = ", ".join(f"{n} {verdict_name(str(verdict), axis.x)}" for verdict, n in of_each)
    hidden = f"; {len(shown)} shown (--json has all)" if len(shown) < len(jumps) else ""
    console.print(f"{counted(len(jumps), 'curve')}: {counts}{hidden}", markup=False, soft_wrap=True)


def _report_table(jumps: pd.DataFrame, curves: CurveTable, axis: Axis, console: Console) -> None:
    """What the table says and does not, and what was left out."""
    curves.report(console)
    console.print(_resolution(jumps, axis), markup=False, soft_wrap=True)
    curves.rows.report(f"{counted(len(jumps), 'curve')}, {curves.counted}", console)


def _verdicts(shown: pd.DataFrame, jumps: pd.DataFrame, scores: pd.DataFrame | None, x: str) -> pd.DataFrame:
    """A row a curve that is shown, in words, with the names that tell all curves apart."""
    words = pd.DataFrame({name: shown[name] for name in _KEY if name == "metric" or _distinguishes(jumps, name)})
    words["metric"] = [metric_name(name) for name in words["metric"]]
    words["state"] = [verdict_name(each, x) for each in shown["state"]]
    words["pair"] = [_pair(row) for row in shown.to_dict("records")]
    words["p"] = [p_value(value) for value in shown["p_value"]]
    words["p adj."] = [p_value(value) for value in shown["p_adjusted"]]
    for title, name in _PLACES.items():
        if name in shown:
            words[title] = [place(row, name) for row in shown.to_dict("records")]
    words["verdict"] = [verdict_name(each, x) for each in shown["verdict"]]
    if scores is not None:
        beside = shown[_KEY].merge(scores, on=_KEY, how="left").drop(columns=_KEY)
        for name in beside.columns:
            words[metric_name(str(name))] = [f"{value:.3g}" if value == value else ABSENT for value in beside[name]]
    return words


def _pair(row: Mapping[Any, Any]) -> str:
    """The continuous metric of the same outputs and its state: 'token accuracy: smooth'."""
    if not row["continuous_metric"]:
        return ABSENT
    return f"{metric_name(str(row['continuous_metric']))}: {row['continuous_state'] or 'not tested'}"


def _distinguishes(jumps: pd.DataFrame, name: str) -> bool:
    """Whether a column of names is worth a column of the table."""
    if name == "task" and (jumps["task"] == jumps["study"]).all():
        return False
    return jumps[name].nunique() > 1 or jumps[name].iloc[0] not in ("", "all")


def _resolution(jumps: pd.DataFrame, axis: Axis) -> str:
    steps = jumps["step_octaves"].dropna()
    if steps.empty:
        five = f"five {axis.places}" if axis.places != "sizes" else f"five sizes of {axis.x}"
        return f"resolution: none, for no curve was tested: that takes {five}, and values that differ"
    low, high = (float(end) for end in (steps.min(), steps.max()))
    same = bool(np.isclose(low, high, rtol=0.05))
    octaves = f"{low:.2g}" if same else f"{low:.2g} to {high:.2g}"
    octaves += " octave" if octaves == "1" else " octaves"
    factors = f"{2**low:.2g}" if same else f"{2**low:.2g} to {2**high:.2g}"
    return (
        f"resolution: neighbouring {axis.places} lie {octaves} of {axis.x} apart (a factor of {factors}); "
        "a rise wider than four such steps is smooth, and nothing finer than a step can be told"
    )


def _across(frame: pd.DataFrame, jumps: pd.DataFrame, x: str, arguments: argparse.Namespace) -> pd.DataFrame:
    """Ratios of the thresholds of each task between the curves of --by, p adjusted over them (Holm)."""
    if jumps["threshold"].notna().sum() > _MOST_COMPARED:
        return pd.DataFrame()
    compared = compare_thresholds(frame, x, fraction=arguments.fraction, level=arguments.level)
    of_task = compared.table.set_index("curve")[["task", "subtask", "metric"]].apply(tuple, axis=1)
    pairs = compared.pairs
    of_one = [of_task[first] == of_task[second] for first, second in pairs[["first", "second"]].to_numpy()]
    same = pairs[np.array(of_one, dtype=bool)]
    same = same.assign(p_adjusted=holm(same["p_value"].to_numpy(float)))
    return same.drop(columns=["simultaneous_low", "simultaneous_high"])


def _report_across(across: pd.DataFrame, jumps: pd.DataFrame, arguments: argparse.Namespace, console: Console) -> None:
    if across.empty:
        placed = int(jumps["threshold"].notna().sum())
        many = f"{placed} thresholds are not compared here; harness compare --by does so, of tasks that --where chooses"
        none = f"no task has thresholds for two of {arguments.by}"
        console.print(many if placed > _MOST_COMPARED else none, markup=False, soft_wrap=True)
        return
    words = pd.DataFrame(
        {
            "what": [f"{row['second']} / {row['first']}" for row in across.to_dict("records")],
            "ratio": [interval(row["ratio"], row["low"], row["high"], 2, "x") for row in across.to_dict("records")],
            "p adj.": [p_value(value) for value in across["p_adjusted"]],
        }
    )
    console.print(as_rich(words, f"Thresholds across {arguments.by}, {confidence(arguments.level)} intervals"))


def _draw(jumps: pd.DataFrame, frame: pd.DataFrame, x: str, path: Path) -> list[Path]:
    from harness.report.emergence_plots import plot_mirages

    clearest = jumps.assign(untested=jumps["p_value"].isna()).sort_values(["untested", "p_value"], kind="stable")
    chosen = clearest.head(MOST_DRAWN).drop(columns="untested")
    records: list[dict[str, Any]] = [
        {str(name): value for name, value in row.items()} for row in chosen.to_dict("records")
    ]
    return save_plot(plot_mirages(frame, records, x)[0][0], path)
