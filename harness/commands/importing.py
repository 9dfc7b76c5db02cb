"""``harness import KIND FILE [FILE ...] --into results/NAME``: results of other tools into the two tables."""

from __future__ import annotations

import argparse

from rich.console import Console

from harness.errors import UserError
from harness.records.importers import import_results
from harness.records.store import load_runs
from harness.records.table import read_rows


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Import the files and say what came of it; 0.

    Raises:
        UserError: as `import_results` and `read_rows`, or a --set that is not SETTING=VALUE.
    """
    settings = dict(_setting(text) for text in arguments.settings)
    about = read_rows(arguments.about, as_text=True) if arguments.about else None
    kind = arguments.kind.replace("-", "_")
    report = import_results(kind, arguments.files, arguments.into, about, settings)
    counts = ", ".join(f"{n} {status}" for status, n in report.by_status.items() if n)
    total = f"{report.n_runs} runs ({counts}), {report.n_measurements:,} measurements"
    console.print(f"{report.folder}: {total}", markup=False)
    for problem in report.problems:
        console.print(f"note: {problem}", markup=False)
    if unknown := int((load_runs(report.folder)["params_non_embedding"] == 0).sum()):
        console.print(
            f"note: params_non_embedding is not stated of {unknown} runs: analyse with analysis.x=params_total",
            markup=False,
        )
    return 0


def _setting(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator and value):
        raise UserError(f"--set {text}: allowed is SETTING=VALUE, e.g. --set params_total=124e6")
    return name, value
