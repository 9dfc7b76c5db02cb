"""``harness import KIND FILE [FILE ...] --into results/NAME``: results of other tools into the two tables."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pandas as pd
from rich.console import Console

from harness.commands.values import metric_and_judge
from harness.errors import UserError
from harness.records.importers import import_results
from harness.records.schema import PARAMETER_CONVENTIONS
from harness.records.store import load_runs
from harness.records.table import read_rows
from harness.wording import counted


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Import the files and say what came of it; 0.

    Raises:
        UserError: as `import_results` and `read_rows`, or a --set or --pair that is no equation.
    """
    settings = dict(_setting(text) for text in arguments.settings)
    about = read_rows(arguments.about, as_text=True) if arguments.about else None
    kind = arguments.kind.replace("-", "_")
    pairs = dict(metric_and_judge(text, "--pair accuracy=loss") for text in arguments.pair)
    report = import_results(kind, arguments.files, arguments.into, about, settings, pairs)
    counts = ", ".join(f"{n} {status}" for status, n in report.by_status.items() if n)
    total = f"{report.n_runs} runs ({counts}), {report.n_measurements:,} measurements"
    console.print(f"read: {report.read}", markup=False, soft_wrap=True)
    console.print(f"{report.folder}: {total}", markup=False, soft_wrap=True)
    for note in (*report.notes, *_sizes_not_stated(load_runs(report.folder)), *report.problems):
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    return 0


def _sizes_not_stated(runs: pd.DataFrame) -> Iterator[str]:
    """Which conventions of counting parameters cannot be an x axis, for how many runs, and which can."""
    for name, other in zip(PARAMETER_CONVENTIONS, reversed(PARAMETER_CONVENTIONS), strict=True):
        if unknown := int((runs[name] == 0).sum()):
            yield f"{name} is not stated of {counted(unknown, 'run')}: analyse with analysis.x={other}, or --x {other}"


def _setting(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator and value):
        raise UserError(f"--set {text}: allowed is SETTING=VALUE, e.g. --set params_total=124e6")
    return name, value
