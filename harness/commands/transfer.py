"""``harness transfer TABLE --x N,D --pretrained COLUMN``: what data pretraining is worth, and where it hurts."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from harness.analysis.planning.data_transferred import DataTransferred, Effect, Reading, data_transferred
from harness.commands.arguments import SIZES
from harness.commands.columns import default_column
from harness.commands.metrics_as_columns import with_metrics
from harness.commands.output import check_plot, given, report_files, save_plot, write_json
from harness.commands.tables import Rows, choose_rows, numbers, split_names
from harness.errors import DataError, UserError
from harness.records.columns import POSITIVE, began_column, label_column
from harness.records.comparable import DATA, comparable
from harness.records.folders import is_results
from harness.records.table import read_rows
from harness.report.terminal import as_rich
from harness.wording import ABSENT, between, confidence, count, counted, listed

SETTINGS = ("table", "x", "y", "pretrained", "seed", "draws", "level")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Find what pretraining is worth, write and report; 0.

    Raises:
        UserError: as `commands.tables.choose_rows` and `data_transferred`, or columns that must be named.
    """
    check_plot(arguments.plot)
    frame = with_metrics(read_rows(arguments.table), arguments.table, [arguments.y], arguments.derive)
    size, examples = _axes(frame, arguments)
    began = arguments.pretrained or default_column(
        frame, "parent_run", "--pretrained", "the column that tells pretrained runs from those from scratch"
    )
    rows = choose_rows(frame, arguments.table, arguments)
    rows = rows.with_columns(**{began: began_column(rows.frame, began)})
    if is_results(arguments.table):
        rows = _chosen(rows, frame, size, examples, began, arguments)
    rows = rows.with_numbers_in([size, examples, arguments.y]).without_repeats().require_some()
    table = rows.frame
    seed = arguments.seed or ("seed" if "seed" in table else None)
    x = pd.DataFrame({name: numbers(table, name, POSITIVE) for name in (size, examples)})
    found = data_transferred(
        x,
        numbers(table, arguments.y, POSITIVE),
        table[began].to_numpy(bool),
        None if seed is None else label_column(table, seed),
        level=arguments.level,
        n_draws=arguments.draws,
    )
    used = {"x": f"{size},{examples}", "pretrained": began, "seed": seed}
    write_json(
        arguments.json,
        {
            "amounts": found.amounts.to_dict("records"),
            "sizes": found.sizes.to_dict("records"),
            "n": len(found.runs),
            **rows.as_json(),
            "settings": given(arguments, SETTINGS) | used,
        },
    )
    drawn = _draw(found, (size, examples, arguments.y), arguments) if arguments.plot else []
    _report(found, size, examples, console)
    rows.report(counted(len(found.runs), "run"), console)
    report_files(drawn, console)
    return 0


# ------------------------------------------------------------------------------------------------------------ the runs


def _axes(frame: pd.DataFrame, arguments: argparse.Namespace) -> tuple[str, str]:
    """The columns of sizes and of examples."""
    if arguments.x is None:
        hint = "; --x N,D names parameters and examples"
        size = default_column(frame, SIZES, "--x", "the columns of parameters and of examples", hint)
        return size, default_column(frame, DATA, "--x", "the columns of parameters and of examples", hint)
    names = split_names(arguments.x)
    if len(names) != 2:
        raise UserError(f"--x {arguments.x}: {counted(len(names), 'column')}; wanted are two, parameters and examples")
    return names[0], names[1]


def _chosen(
    rows: Rows, frame: pd.DataFrame, size: str, examples: str, began: str, arguments: argparse.Namespace
) -> Rows:
    """The runs of a results folder that stand beside each other: no pretraining itself, one learning rate a cell.

    Raises:
        DataError: the runs of one kind are of several studies.
    """
    table, told = rows.frame, list[str]()
    if "parent_run" in frame and (parents := table["run_id"].isin(frame["parent_run"].dropna())).any():
        told.append(f"{counted(int(parents.sum()), 'run')} that others began from are left out")
        table = table[~parents]
    for kind, what in ((False, "from scratch"), (True, "pretrained")):
        studies = [str(study) for study in dict.fromkeys(table.loc[table[began] == kind, "study"])]
        if len(studies) > 1:
            raise DataError(
                f"the runs {what} are of {len(studies)} studies: {listed(studies)}; choose one by --where "
                "\"study in ['A', 'B']\"",
                source=arguments.table,
            )
    losses = table.set_index("run_id")[arguments.y]
    apart = [size] if examples == DATA else [size, examples]
    kept, out = comparable(table, losses, apart=apart, x=DATA, flags=True)
    return Rows(rows.source, kept, rows.excluded, rows.n_outside, (*told, *out), rows.joined)


# -------------------------------------------------------------------------------------------------------- what is said


def _report(found: DataTransferred, size: str, examples: str, console: Console) -> None:
    level = confidence(found.level)
    table = pd.DataFrame(
        {
            size: [count(value) for value in found.amounts["N"]],
            f"D_F ({examples})": [count(value) for value in found.amounts["D_F"]],
            "loss": [f"{value:.4g}" for value in found.amounts["loss"]],
            "D_E": [_reading(row, "D_E") for row in found.amounts.to_dict("records")],
            "D_T": [_number(row, "D_T") for row in found.amounts.to_dict("records")],
            "D_E / D_F": [_reading(row, "multiplier") for row in found.amounts.to_dict("records")],
            "pretraining": list(found.amounts["effect"]),
        }
    )
    console.print(as_rich(table, f"Effective data of fine-tuning, {level} intervals"))
    for row in found.sizes.to_dict("records"):
        console.print(f"{size} {count(row['N'])}: {'; '.join(_of_size(row))}", markup=False, soft_wrap=True)
    console.print(
        "D_E: examples from scratch for the same loss; D_T = D_E - D_F: what pretraining is worth", markup=False
    )
    readings = set(found.amounts["reading"])
    if readings - {Reading.MEASURED}:
        what = "nothing is read beyond the amounts that runs from scratch have: \u2265 and \u2264 are bounds"
        console.print(what, markup=False, soft_wrap=True)
    if Effect.NO_INTERVAL in set(found.amounts["effect"]):
        console.print("no interval: two runs or more of each size and amount tell the noise", markup=False)
    if found.n_alone:
        lone = f"{counted(found.n_alone, 'run')} are of sizes without the other kind, or with too few amounts"
        console.print(f"{lone}, and are not used", markup=False, soft_wrap=True)


def _reading(row: dict[Any, Any], name: str) -> str:
    sign = {Reading.AT_LEAST: "\u2265 ", Reading.AT_MOST: "\u2264 "}.get(row["reading"], "")
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    shown = f"{sign}{_plain(value)}"
    return shown if math.isnan(low) or sign else f"{shown} ({between(low, high, _plain)})"


def _number(row: dict[Any, Any], name: str) -> str:
    return _reading(row, name) if row["reading"] != Reading.AT_MOST else ABSENT


def _plain(value: float) -> str:
    return count(value) if abs(value) >= 1000 else f"{value:.3g}"


def _of_size(row: dict[Any, Any]) -> Iterator[str]:
    """What is known of one size, in words."""
    if not math.isnan(row["helps_to"]):
        yield f"pretraining is shown to help up to {_plain(row['helps_to'])}"
    if not math.isnan(row["hurts_from"]):
        yield f"to hurt from {_plain(row['hurts_from'])} on"
    turning, low, high = (row[f"turning_point{end}"] for end in ("", "_low", "_high"))
    if math.isnan(turning):
        yield "pretraining is not shown to help at any amount"
    elif math.isinf(turning):
        yield "where it stops helping is not shown by these runs"
    else:
        ends = "" if math.isnan(low) else f" ({between(low, high, _plain)})"
        yield f"it stops helping at {_plain(turning)}{ends}"


def _draw(found: DataTransferred, columns: tuple[str, str, str], arguments: argparse.Namespace) -> list[Path]:
    from harness.report.transfer_plots import plot_transfer

    return save_plot(plot_transfer(found, columns=columns), Path(arguments.plot))
