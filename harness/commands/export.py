"""``harness export KIND RESULTS [--into FOLDER]``: recorded runs to where a user's other runs are."""

from __future__ import annotations

import argparse

from rich.console import Console

from harness.records.exporters import export_results
from harness.wording import counted


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Export the runs and say what came of it; 0.

    Raises:
        UserError: as `export_results`.
    """
    done = export_results(arguments.kind, arguments.results, arguments.into)
    parts = [(done.n_new, "written"), (done.n_replaced, "written anew"), (done.n_there, "there already")]
    told = ", ".join(f"{counted(n, 'run')} {what}" for n, what in parts if n)
    console.print(f"{done.into}: {told or 'no run to write'}", markup=False, soft_wrap=True)
    for note in done.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    return 0
