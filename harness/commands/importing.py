"""``harness import KIND FILE [FILE ...] --into results/NAME``: results of other tools into the two tables."""

from __future__ import annotations

import argparse

from rich.console import Console

from harness.errors import UserError
from harness.records.importers import FORMATS, import_results, read_sidecar
from harness.records.store import load_runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("kind", metavar="KIND", help=f"format of the files: {', '.join(FORMATS)}")
    parser.add_argument("files", metavar="FILE", nargs="+", help="a file, or a folder: all files of the kind under it")
    parser.add_argument("--into", metavar="FOLDER", required=True, help="results folder, e.g. results/NAME")
    parser.add_argument(
        "--about",
        metavar="SIDECAR",
        help="CSV, Parquet or JSONL: a row a file (column file) or run (column run), with params_total, family, ...",
    )
    parser.add_argument(
        "--set",
        metavar="SETTING=VALUE",
        dest="settings",
        action="append",
        default=[],
        help="of all runs, e.g. params_total=124e6; may be given several times",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Import the files and say what came of it; 0.

    Raises:
        UserError: as `import_results`, or a --set that is not SETTING=VALUE.
    """
    settings = dict(_setting(text) for text in arguments.settings)
    about = read_sidecar(arguments.about) if arguments.about else None
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
