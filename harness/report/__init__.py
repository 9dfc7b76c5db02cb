"""Plots, tables and a page that say what a results folder shows; imports records and analysis, never torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.errors import warn_of_runs
from harness.records.comparable import ChosenRuns
from harness.records.folders import find_folder
from harness.report.kept import fingerprint, keep, read_kept
from harness.report.names import interval_kind, size_name
from harness.report.tables import law_table, verdict_counts, verdict_summary
from harness.report.terminal import as_rich
from harness.wording import confidence, counted


def show(
    folder: Path | str,
    console: Console,
    chosen: ChosenRuns | None = None,
    by: Sequence[str] = (),
    **settings: Any,
) -> None:
    """Analyse a results folder, write its report and print verdicts, laws and the paths of what was written.

    Where tables, settings and code are those of the last time, what was written then is shown again.

    Args:
        chosen, by, settings: as `analyze` takes them.

    Raises:
        UserError: as `analyze` and `write_report`.
    """
    folder = find_folder(folder)
    key = fingerprint(folder, settings | {"by": list(by), "chosen": chosen and [dict(chosen.lengths), chosen.left_out]})
    result = read_kept(folder, key)
    if result is not None:
        for line in result.differing_data:
            warn_of_runs(line)
    else:
        from harness.report.analyze import analyze  # not needed, and slow to load, where nothing has changed
        from harness.report.html import write_report

        analysis = analyze(folder, **settings, chosen=chosen, by=by)
        result = keep(analysis, key, write_report(analysis))
    level = confidence(result.level)
    title = f"Verdicts; N* in {size_name(result.x)}, {level} intervals"
    console.print(as_rich(verdict_summary(result.jumps, result.x), title))
    if len(result.jumps):
        counts = verdict_counts(result.jumps, result.x)
        console.print(f"{counted(len(result.jumps), 'curve')}: {counts}", highlight=False)
    title = f"Exponents of the loss, {level} intervals {interval_kind(result.interval)}"
    console.print(as_rich(law_table(result.laws), title))
    for study, reason in result.impossible.items():
        console.print(f"{study}: not tested, {reason}", markup=False)
    for line in result.left_out:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if result.n_unfinished:
        console.print(f"{result.n_unfinished} of {result.n_runs} runs did not finish; the report names them")
    for path in result.paths:
        console.print(str(path), markup=False, highlight=False, soft_wrap=True)
