"""``harness fit TABLE ... --by COLUMN``: a law of each group of runs, with --share some of its parameters in common."""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd
from rich.console import Console

from harness.analysis.fitting.groups import GroupFits, fit_groups
from harness.analysis.fitting.inputs import find_law
from harness.analysis.fitting.shared_law import check_shared
from harness.commands.fit import LAW_SETTINGS, fitting, of_runs
from harness.commands.output import given, write_json
from harness.commands.tables import RunTable, split_names
from harness.errors import UserError
from harness.records.columns import label_column
from harness.report.terminal import as_rich
from harness.wording import ABSENT, between, confidence

NOT_TESTED = "whether sharing is refused was not tested: some group has too few runs for a fit of its own"


def run(arguments: argparse.Namespace, runs: RunTable, console: Console) -> int:
    """Fit the groups of --by, report and write; 0.

    Raises:
        UserError: --share without --by, --plot, or as `fit_groups`.
    """
    if not arguments.by:
        raise UserError(f"--share {arguments.share}: of which groups? --by names their column")
    if arguments.plot:
        raise UserError(f"--plot: draws one fit; choose a group of --by {arguments.by} by --where instead")
    share = split_names(arguments.share, "--share", "names of parameters") if arguments.share is not None else []
    form = find_law(arguments.law, "--law")
    check_shared(form, share, "--share")
    settings = fitting(arguments) | {"law": form, "objective": arguments.objective, "name": arguments.by}
    runs, labels = runs.parted_by(arguments.by), label_column(runs.rows.frame, arguments.by)
    found = fit_groups(runs.x, runs.y, labels, share, **of_runs(arguments, runs), **settings)
    write_json(arguments.json, _content(found, share, runs, arguments))
    console.print(f"{form.name}: {form.formula}", style="bold", markup=False, highlight=False, soft_wrap=True)
    _report(found, [name for name in form.parameters if name not in share], share, arguments, console)
    runs.report(console)
    return 0


def _content(found: GroupFits, share: list[str], runs: RunTable, arguments: argparse.Namespace) -> dict[str, Any]:
    test = found.test
    tested = test and {"f": test.f, "freedom": test.freedom, "p": test.p_value, "verdict": test.verdict}
    return {
        "law": arguments.law,
        "groups": found.table.to_dict("records"),
        "shared": share,
        "test": tested,
        "message": found.message,
        "n": len(runs.y),
        **runs.as_json(),
        "settings": given(arguments, (*LAW_SETTINGS, "n_eval", "by", "share")),
    }


def _report(
    found: GroupFits, free: list[str], share: list[str], arguments: argparse.Namespace, console: Console
) -> None:
    """Print a row a group, what they share, the test, and what there is to say of each fit."""
    table = found.table
    words = {arguments.by: list(table[arguments.by])} | {name: _estimates(table, name) for name in free}
    words |= {"runs": [str(n) for n in table["n_runs"]], "status": list(table["status"])}
    console.print(as_rich(pd.DataFrame(words), f"{confidence(arguments.level)} intervals in brackets"))
    fit = found.shared or next(iter(found.fits.values()))
    lines = [f"shared {name}: {_estimates(table, name)[0]}" for name in share]
    lines.append(f"objective: {fit.objective_name_}; intervals by {fit.interval_}")
    for message, rows in table.groupby("message", sort=False):
        if message:
            named = "" if len(rows) == len(table) else f"{', '.join(rows[arguments.by])}: "
            lines.append(f"{named}{message!s}")
    if share:
        lines += [found.test.verdict if found.test else NOT_TESTED, found.message]
    for line in filter(None, lines):
        console.print(line, markup=False, soft_wrap=True)


def _estimates(table: pd.DataFrame, name: str) -> list[str]:
    rows = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
    return [f"{value:.4g} ({between(low, high)})" if value == value else ABSENT for value, low, high in rows]
