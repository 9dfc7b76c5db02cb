"""``harness gain TABLE --x C --y loss --recipe COLUMN``: what compute each recipe saves over a baseline."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from harness.analysis.planning.compute_gain import CHANGES, GAINING, Gains, compute_gain
from harness.commands.forecast import places
from harness.commands.output import given, write_json
from harness.commands.tables import RunTable, choose_runs, split_names
from harness.errors import UserError, nearest
from harness.records.columns import label_column
from harness.report.terminal import as_rich
from harness.wording import ABSENT, between, confidence, p_equals, p_value

SETTINGS = (
    *("table", "x", "y", "recipe", "baseline", "counterpart", "at", "law"),
    *("flops_per_token_parameter", "level"),
)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Find the gains, report and write; 0.

    Raises:
        UserError: as `commands.tables.choose_runs` and `compute_gain`, or an --at that is no place.
    """
    names = split_names(arguments.x)
    if len(names) not in GAINING:
        raise UserError(f"--x {arguments.x}: {len(names)} columns; allowed are one, of compute, and two, of N and D")
    arguments.law = arguments.law or GAINING[len(names)][0]
    runs = choose_runs(arguments).parted_by(arguments.recipe)
    recipe = label_column(runs.rows.frame, arguments.recipe)
    if arguments.baseline is not None and arguments.baseline not in set(recipe):
        known = ", ".join(dict.fromkeys(recipe))
        raise UserError(
            f"--baseline {arguments.baseline}: allowed is one of {known}{nearest(arguments.baseline, recipe)}"
        )
    compute, at = _asked(runs, arguments)
    found = compute_gain(
        runs.x if len(names) == 2 else runs.x.iloc[:, 0],
        runs.y,
        recipe,
        baseline=arguments.baseline,
        compute=compute,
        at=at,
        counterpart=runs.labels(arguments.counterpart),
        law=arguments.law,
        flops_per_token_parameter=arguments.flops_per_token_parameter,
        level=arguments.level,
    )
    write_json(arguments.json, _content(found, runs, arguments))
    _report(found, arguments, console)
    runs.report(console)
    return 0


def _asked(runs: RunTable, arguments: argparse.Namespace) -> tuple[list[float], pd.DataFrame | None]:
    """The computes of --at, and the N and D of --at."""
    computes, rest = [], []
    for text in arguments.at:
        try:
            computes.append(float(text))
        except ValueError:
            rest.append(text)
    if wrong := [c for c in computes if not 0 < c < np.inf]:
        raise UserError(f"--at {wrong[0]:g}: allowed are finite numbers above 0")
    if not rest:
        return computes, None
    if vague := [text for text in rest if "=" not in text]:
        place = ", or a place such as N=7e9,D=1.4e11" if len(runs.x.columns) > 1 else ""
        raise UserError(f"--at {vague[0]}: allowed is a compute such as 1e21{place}")
    stated = places(runs.rows, list(runs.x.columns), argparse.Namespace(at=rest, derive=arguments.derive))
    if len(stated.columns) == 1:
        return [*computes, *stated.iloc[:, 0]], None
    return computes, stated


def _content(found: Gains, runs: RunTable, arguments: argparse.Namespace) -> dict[str, Any]:
    fits = {
        name: {"params": fit.params_, "intervals": fit.intervals_, "status": str(fit.status_), "message": fit.message_}
        for name, fit in found.fits.items()
    }
    return {
        "baseline": found.baseline,
        "gains": found.table.to_dict("records"),
        "changes": found.changes.to_dict("records"),
        "fits": fits,
        "n": len(runs.y),
        **runs.as_json(),
        "settings": given(arguments, SETTINGS),
    }


def _report(found: Gains, arguments: argparse.Namespace, console: Console) -> None:
    """Print a row a gain, whether each recipe's gain changes with compute, and what there is to say."""
    table = found.table
    words = {"recipe": list(table["recipe"]), "compute": [_number(value) for value in table["compute"]]}
    if "N" in table:
        words |= {name: [_number(value) for value in table[name]] for name in ("N", "D") if table[name].notna().any()}
    ends = zip(table["gain"], table["low"], table["high"], strict=True)
    words |= {
        "loss": [_number(value) for value in table["loss"]],
        f"gain, {confidence(arguments.level)}": [_gain(*each) for each in ends],
        "p": [p_value(p) for p in table["p_value"]],
        "p adj.": [p_value(p) for p in table["p_adjusted"]],
        "status": list(table["status"]),
    }
    console.print(as_rich(pd.DataFrame(words), f"Compute-equivalent gain over {found.baseline}"))
    for row in found.changes.to_dict("records"):
        console.print(_change(row), markup=False, soft_wrap=True)
    for row in table.to_dict("records"):
        if row["message"]:
            where = "" if np.isnan(row["compute"]) else f" at {_number(row['compute'])}"
            console.print(f"{row['recipe']}{where}: {row['message']}", markup=False, soft_wrap=True)
    tests = int(table["p_value"].notna().sum())
    if tests > 1:
        console.print(f"p of gain 1; p adj. after Benjamini and Hochberg over {tests} tests", markup=False)


def _change(row: dict[Any, Any]) -> str:
    """Whether the gain changes with compute, in a sentence."""
    tested = f"F({row['freedom_1']:g}, {row['freedom_2']:.4g}) = {row['f']:.3g}, {p_equals(row['p_value'])}"
    pairs = f"; {row['n_pairs']} pairs of runs, correlation {row['correlation']:.2f}" if row["n_pairs"] else ""
    if row["p_value"] < CHANGES:
        return f"{row['recipe']}: the gain changes with compute, {tested}{pairs}"
    constant = f"if it is the same at every compute it is {_gain(row['gain'], row['low'], row['high'])}"
    return f"{row['recipe']}: a change of the gain with compute is not shown, {tested}; {constant}{pairs}"


def _gain(gain: float, low: float, high: float) -> str:
    if np.isnan(gain):
        return ABSENT
    if low == np.inf:
        return "out of reach"
    return f"{f'{gain:.3g}' if np.isfinite(gain) else 'out of reach'} ({between(low, high, '{:.3g}'.format)})"


def _number(value: float) -> str:
    return ABSENT if np.isnan(value) else f"{value:.4g}"
