"""``harness compare RESULTS... --x params_non_embedding,flops``: where abilities appear, in order, with ratios."""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from harness.analysis.curves import label_runs, with_defaults
from harness.analysis.emergence.comparison import Agreement, Comparison, compare_thresholds, rank_agreement
from harness.commands.columns import SETTINGS, CurveTable, choose_curves, rename_in
from harness.commands.output import check_plot, given, report_files, save_plot, write_json
from harness.commands.overlays import draw_overlays
from harness.commands.tables import choose_curve_rows, split_names
from harness.errors import DataError, UserError
from harness.report.terminal import as_rich
from harness.wording import ABSENT, confidence, ends, interval, p_value

#: Columns of a table that a comparison uses, beside its sizes.
_COLUMNS = [
    *("study", "task", "subtask", "metric", "value", "run_id", "seed", "n_eval", "chance", "stderr"),
    *("higher_is_better", "discontinuous", "paired_metric"),
]
#: Pairs that a terminal lists; of more, those that are neighbours.
_SHOWN = 15


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Compare, report and write; 0.

    Raises:
        UserError: an argument that cannot be, or as `choose_curves`, `compare_thresholds` and `rank_agreement`.
    """
    check_plot(arguments.plot)
    check_plot(arguments.overlay, "--overlay")
    sizes = split_names(arguments.x)
    if len(sizes) > 2:
        raise UserError(f"--x {arguments.x}: allowed are one or two columns; got {len(sizes)}")
    metrics = split_names(arguments.metrics, "--metrics", "names of metrics") if arguments.metrics else None
    if repeated := [path for path, n in Counter(arguments.results).items() if n > 1]:
        raise UserError(f"{repeated[0]}: named twice")
    tables = {path: _read(path, sizes, arguments) for path in arguments.results}
    frame = _together({path: frame for path, (_, frame) in tables.items()})
    found = [compare_thresholds(frame, x, metrics, arguments.fraction, arguments.level) for x in sizes]
    agreement = _agreement(found)
    content = {
        "comparisons": [_as_json(each) for each in found],
        "agreement": vars(agreement) if isinstance(agreement, Agreement) else None,
        "tables": [{"table": path, **curves.as_json()} for path, (curves, _) in tables.items()],
        "settings": given(arguments, ("results", *SETTINGS, "metrics", "fraction", "level")),
    }
    write_json(arguments.json, content)
    drawn = [path for each in found if arguments.plot for path in _draw(each, Path(arguments.plot), len(found) > 1)]
    if arguments.overlay:
        jumps = {each.x: each.jumps for each in found}
        drawn += draw_overlays(frame, sizes, metrics, Path(arguments.overlay), arguments.level, jumps)
    for each in found:
        _report(each, console)
    if agreement is not None:
        console.print(str(agreement), markup=False, soft_wrap=True)
    for path, (curves, _) in tables.items():
        _report_table(path, curves, len(tables) > 1, console)
    report_files(drawn, console)
    return 0


def _agreement(found: list[Comparison]) -> Agreement | DataError | None:
    """Of the orders by two sizes; the error where too few curves have both, for everything else stands."""
    try:
        return rank_agreement(*found) if len(found) == 2 else None
    except DataError as error:
        return error


# ------------------------------------------------------------------------------------------------ the tables together


def _read(path: str, sizes: list[str], arguments: argparse.Namespace) -> tuple[CurveTable, pd.DataFrame]:
    """A table, and its runs with the columns that all tables share."""
    try:
        rows = choose_curve_rows(arguments, path)
        curves = choose_curves(rows, sizes, arguments)
        return curves, _runs(curves.frame, sizes)
    except DataError as error:
        rename_in(error, arguments)
        error.source = path if error.source is None or str(error.source) == path else f"{path}: {error.source}"
        raise


def _runs(frame: pd.DataFrame, sizes: list[str]) -> pd.DataFrame:
    """One row per (run, subtask, metric) with the columns that all tables share."""
    frame = with_defaults(label_runs(frame))
    frame["run_id"] = frame["run"]
    if "seed" not in frame.columns:
        frame["seed"] = frame["run"]
    return frame[[name for name in (*sizes, *_COLUMNS) if name in frame.columns]].copy()


def _together(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Rows of all tables; studies and runs of one name in several of them get the table's name before theirs."""
    owners = Counter(study for table in tables.values() for study in table["study"].unique())
    named = []
    for path, table in tables.items():
        name = _short_name(path, list(tables))
        shared = table["study"].map(owners) > 1
        prefixed = np.where(table["study"] == "", name, name + "/" + table["study"])
        study = np.where(shared, prefixed, table["study"])
        named.append(table.assign(study=study, run_id=f"{name}/" + table["run_id"].astype(str)))
    return pd.concat(named, ignore_index=True)


def _short_name(path: str, paths: list[str]) -> str:
    """The folder's or file's own name, or the path as given where two have the same."""
    names = [Path(each).resolve().name.split(".")[0] for each in paths]
    name = names[paths.index(path)]
    return name if names.count(name) == 1 else path


# -------------------------------------------------------------------------------------------------------- what is said


def _report(comparison: Comparison, console: Console) -> None:
    level, table = confidence(comparison.level), comparison.table.to_dict("records")
    if table:
        words = pd.DataFrame(
            {
                "rank": [f"{row['rank']}" for row in table],
                "what": [str(row["curve"]) for row in table],
                "verdict": [row["verdict"] or ABSENT for row in table],
                "N*": [interval(row["threshold"], row["threshold_low"], row["threshold_high"]) for row in table],
                "all together": [ends(row["simultaneous_low"], row["simultaneous_high"]) for row in table],
            }
        )
        console.print(as_rich(words, f"Thresholds in {comparison.x}, {level} intervals"))
    else:
        console.print(f"no curve has a threshold in {comparison.x}", markup=False)
    for row in table:
        console.print(f"{row['sentence']}.", markup=False, soft_wrap=True)
    for row in comparison.absent.to_dict("records"):
        console.print(f"{row['curve']}: no threshold, {row['reason']}", markup=False, soft_wrap=True)
    if len(comparison.pairs):
        _report_pairs(comparison, level, console)


def _report_pairs(comparison: Comparison, level: str, console: Console) -> None:
    pairs = comparison.pairs
    title = f"Ratios of thresholds in {comparison.x}, {level} intervals"
    if len(pairs) > _SHOWN:
        names = comparison.table["curve"].tolist()
        follows = dict(pairwise(names))
        pairs = pairs[pairs["first"].map(follows) == pairs["second"]]
        title += f" (neighbours; --json has all {len(comparison.pairs)} pairs)"
    words = pd.DataFrame(
        {
            "what": [f"{row['second']} / {row['first']}" for row in pairs.to_dict("records")],
            "ratio": [interval(row["ratio"], row["low"], row["high"], 2, "x") for row in pairs.to_dict("records")],
            "p": [p_value(value) for value in pairs["p_value"]],
            "p adj.": [p_value(value) for value in pairs["p_adjusted"]],
        }
    )
    console.print(as_rich(words, title))


def _report_table(path: str, curves: CurveTable, several: bool, console: Console) -> None:
    """Say what was assumed, not known and left out, of one table among several."""
    prefix = f"{path}: " if several else ""
    curves.report(console, prefix)
    curves.rows.report(prefix + curves.counted, console)


def _as_json(comparison: Comparison) -> dict[str, Any]:
    parts = {name: getattr(comparison, name).to_dict("records") for name in ("table", "pairs", "absent")}
    return {"x": comparison.x} | parts


def _draw(comparison: Comparison, path: Path, several: bool) -> list[Path]:
    from harness.report.plots import plot_thresholds

    stem = path.with_suffix("")
    if several:
        stem = stem.with_name(f"{stem.name}_{comparison.x}")
    return save_plot(plot_thresholds(comparison.table, x=comparison.x), stem.with_name(f"{stem.name}.png"))
