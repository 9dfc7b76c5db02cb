"""``harness compare RESULTS... --x params_non_embedding,flops``: where abilities appear, in order, with ratios."""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from harness.analysis.curves import label_runs, require_columns, with_defaults
from harness.analysis.emergence.comparison import Comparison, compare_thresholds, rank_agreement
from harness.commands.emergence import check_plot
from harness.commands.rows import add_output_arguments, split_names, write_json
from harness.commands.values import between_0_and_1
from harness.errors import DataError, UserError, nearest
from harness.records.expressions import select
from harness.records.table import curve_rows, read_rows
from harness.report.tables import as_rich
from harness.report.wording import interval, p_value

#: What a comparison needs of a table, beside its sizes.
_COLUMNS = [
    *("study", "task", "subtask", "metric", "value", "run_id", "seed", "n_eval", "chance", "stderr"),
    *("higher_is_better", "discontinuous", "paired_metric"),
]
#: Pairs that a terminal lists; of more, those that are neighbours.
_SHOWN = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    results = "results folders, or tables with columns metric and value (and study, task, subtask, seed, ...)"
    parser.add_argument("results", metavar="RESULTS", nargs="+", help=results)
    sizes = "one or two columns of sizes; or a metric, such as loss: its mean over the runs of each size"
    parser.add_argument("--x", metavar="COLUMNS", default="params_non_embedding", help=f"{sizes} (%(default)s)")
    parser.add_argument("--metric", metavar="NAME,...", help="metrics to compare (all discontinuous ones)")
    parser.add_argument("--where", metavar="EXPRESSION", help="the rows this is about: \"study == 'lookup'\"")
    share = "share of its rise at which an ability has appeared (0.5)"
    parser.add_argument("--fraction", type=between_0_and_1, default=0.5, help=share)
    add_output_arguments(parser)
    parser.add_argument("--plot", metavar="OUT.png", help="forest of thresholds (and OUT.svg beside it)")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Compare, tell and write; 0.

    Raises:
        UserError: an argument that cannot be, or as `compare_thresholds` and `rank_agreement`.
    """
    check_plot(arguments.plot)
    sizes = split_names(arguments.x)
    if len(sizes) > 2:
        raise UserError(f"--x {arguments.x}: allowed are one or two columns; got {len(sizes)}")
    metrics = split_names(arguments.metric, "--metric", "names of metrics") if arguments.metric else None
    frame, other_runs = _together(arguments.results, sizes, arguments.where)
    found = [compare_thresholds(frame, x, metrics, arguments.fraction, arguments.level) for x in sizes]
    for each in found:
        _tell(each, console)
    agreement = None
    if len(found) == 2:
        try:
            agreement = rank_agreement(*found)
            console.print(str(agreement), markup=False, soft_wrap=True)
        except DataError as error:  # too few curves: everything else stands
            console.print(str(error), markup=False, soft_wrap=True)
    for line in other_runs:
        console.print(line, markup=False, soft_wrap=True)
    content = {
        "comparisons": [
            {"x": each.x} | {name: getattr(each, name).to_dict("records") for name in ("table", "pairs", "absent")}
            for each in found
        ],
        "agreement": None if agreement is None else vars(agreement),
        "other_runs": other_runs,
        "settings": {
            name: getattr(arguments, name) for name in ("results", "x", "metric", "where", "fraction", "level")
        },
    }
    write_json(arguments.json, content)
    for each in found if arguments.plot else ():
        _draw(each, Path(arguments.plot), len(found) > 1, console)
    return 0


def _together(paths: list[str], sizes: list[str], where: str | None) -> tuple[pd.DataFrame, list[str]]:
    """Rows of all tables, whose studies have names of their own; and the runs of results folders left out, in words."""
    if repeated := [path for path, n in Counter(paths).items() if n > 1]:
        raise UserError(f"{repeated[0]}: named twice")
    tables, other_runs = [], []
    for path in paths:
        frame = kept = read_rows(path)
        try:
            if where is not None:
                kept = select(frame, where, []).kept
                if kept.empty:
                    raise DataError("no rows left (--where)")
            kept, left_out = curve_rows(path, kept, frame)
            other_runs += [f"{path}: {line}" for line in left_out]
            tables.append(_comparable(kept, sizes))
        except DataError as error:
            raise DataError(f"{path}: {error}") from error
    given = [_short_name(path, paths) for path in paths]
    owners = Counter(study for table in tables for study in table["study"].unique())
    for name, table in zip(given, tables, strict=True):
        clash = table["study"].map(owners) > 1
        prefixed = np.where(table["study"] == "", name, name + "/" + table["study"])
        table["study"] = np.where(clash, prefixed, table["study"])
        table["run_id"] = f"{name}/" + table["run_id"].astype(str)
    return pd.concat(tables, ignore_index=True), other_runs


def _short_name(path: str, paths: list[str]) -> str:
    """The folder's or file's own name, or the path as given where two have the same."""
    names = [Path(each).resolve().name.split(".")[0] for each in paths]
    name = names[paths.index(path)]
    return name if names.count(name) == 1 else path


def _comparable(frame: pd.DataFrame, sizes: list[str]) -> pd.DataFrame:
    """One row per (run, subtask, metric) with the columns that all tables share."""
    require_columns(frame, ("metric", "value"))
    frame = with_defaults(label_runs(frame))
    frame["run_id"] = frame["run"]
    if "seed" not in frame.columns:
        frame["seed"] = frame["run"]
    for x in sizes:
        if x not in frame.columns and x in set(frame["metric"]):
            frame[x] = _mean_of_size(frame, x)
        if x not in frame.columns:
            known = [str(name) for name in frame.columns if frame[name].dtype.kind in "if" and name not in _COLUMNS]
            near = nearest(x, known) or f"; of numbers there are {', '.join(known[:_SHOWN]) or 'none'}"
            raise DataError(f"--x {x}: no such column or metric{near}")
    return frame[[name for name in (*sizes, *_COLUMNS) if name in frame.columns]].copy()


def _mean_of_size(frame: pd.DataFrame, metric: str) -> pd.Series:
    """(rows,) mean of a metric over the runs of each row's study and size: a size that models are ranked by."""
    rung = next((name for name in ("rung", "params_non_embedding", "params_total") if name in frame.columns), None)
    if rung is None:
        raise DataError(
            f"--x {metric}: is a metric, and no column (rung, params_total) tells which runs are of one size"
        )
    key = ["study", rung]
    whole = frame[(frame["metric"] == metric) & (frame["subtask"] == "all")]
    means = whole.groupby(key)["value"].mean().rename("mean").reset_index()
    found = frame[key].merge(means, on=key, how="left")["mean"].set_axis(frame.index)
    if found.isna().any():
        raise DataError(f"--x {metric}: study '{frame.loc[found.isna(), 'study'].iloc[0]}' has sizes without it")
    return found


def _tell(comparison: Comparison, console: Console) -> None:
    level, table = f"{100 * comparison.level:g} %", comparison.table.to_dict("records")
    if table:
        words = pd.DataFrame(
            {
                "rank": [f"{row['rank']}" for row in table],
                "what": [str(row["curve"]) for row in table],
                "N*": [interval(row["threshold"], row["threshold_low"], row["threshold_high"]) for row in table],
                "all together": [_ends(row["simultaneous_low"], row["simultaneous_high"]) for row in table],
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
        _tell_pairs(comparison, level, console)


def _tell_pairs(comparison: Comparison, level: str, console: Console) -> None:
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
            "ratio": [_ratio(row["ratio"], row["low"], row["high"]) for row in pairs.to_dict("records")],
            "p": [p_value(value) for value in pairs["p_value"]],
            "p adj.": [p_value(value) for value in pairs["p_adjusted"]],
        }
    )
    console.print(as_rich(words, title))


def _ends(low: float, high: float) -> str:
    return interval(1.0, low, high).removeprefix("1 (").removesuffix(")")


def _ratio(value: float, low: float, high: float) -> str:
    return interval(value, low, high, 2)


def _draw(comparison: Comparison, path: Path, several: bool, console: Console) -> None:
    from harness.report.axes import save_figure
    from harness.report.plots import plot_thresholds

    stem = path.with_suffix("")
    if several:
        stem = stem.with_name(f"{stem.name}_{comparison.x}")
    for written in save_figure(plot_thresholds(comparison.table, x=comparison.x), stem):
        console.print(str(written), markup=False, highlight=False, soft_wrap=True)
