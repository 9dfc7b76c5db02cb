"""``harness allocate TABLE --x N,D --y loss --compute 1e24``: how to spend compute, and what a smaller model costs."""

from __future__ import annotations

import argparse
import math
from typing import Any

import pandas as pd
from rich.console import Console

from harness.analysis.planning.allocation import allocate, optimal_exponent, overtraining
from harness.analysis.planning.isoflop import IsoFlop, MinimumStatus
from harness.commands.fit import LAW_SETTINGS, fit_as_json, fit_one, report_fit
from harness.commands.output import given, write_json
from harness.commands.tables import RunTable, choose_runs
from harness.errors import UserError
from harness.report.tables import as_rich
from harness.wording import between


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Fit, allocate, report and write; 0.

    Raises:
        UserError: as `commands.tables.choose_runs`, `ScalingLaw.fit` and `allocation.allocate`.
    """
    runs = choose_runs(arguments)
    fit = fit_one(arguments, runs)
    best = allocate(fit, arguments.compute, arguments.flops_per_token_parameter)
    smaller = overtraining(fit, arguments.size_ratio or (0.75, 0.5, 0.35, 0.25))
    exponent = optimal_exponent(fit)
    parabolas = _parabolas(arguments, runs)
    more = ("compute", "flops_per_token_parameter", "size_ratio")
    content = fit_as_json(fit, runs) | {
        "allocation": best.to_dict("records"),
        "overtraining": smaller.to_dict("records"),
        "exponent_of_N": dict(zip(("value", "low", "high"), exponent, strict=True)),
        "isoflop": parabolas,
        "settings": given(arguments, LAW_SETTINGS + more),
    }
    write_json(arguments.json, content)
    report_fit(fit, runs, console)
    console.print(as_rich(_words(best, ("N", "D", "tokens_per_parameter", "loss"), "compute"), "Optimal allocation"))
    console.print(
        f"N grows as C^{exponent[0]:.3f} ({exponent[1]:.3f} to {exponent[2]:.3f}), D as C^{1 - exponent[0]:.3f}",
        markup=False,
    )
    title = "Over-training: smaller models, trained to the same loss"
    console.print(as_rich(_words(smaller, ("compute_ratio", "tokens_ratio"), "size_ratio"), title))
    for message in dict.fromkeys(filter(None, [*best["message"], *smaller["message"]])):
        console.print(message, markup=False, soft_wrap=True)
    console.print(parabolas["summary"], markup=False)
    return 0


def _parabolas(arguments: argparse.Namespace, runs: RunTable) -> dict[str, Any]:
    """The exponent of N by IsoFLOP parabolas, to compare with the surface's, or why there is none."""
    isoflop = IsoFlop(
        flops_per_token_parameter=arguments.flops_per_token_parameter, level=arguments.level, seed=arguments.seed
    )
    n, d = runs.x.to_numpy().T
    try:
        isoflop.fit(n, d, runs.y)
    except UserError as error:
        return {"summary": f"no parabolas beside the surface: {error}"}
    accepted = int((isoflop.minima_["status"] == MinimumStatus.ACCEPTED).sum())
    low, high = isoflop.exponent_interval_
    summary = (
        f"by IsoFLOP parabolas, biased on lopsided curves: C^{isoflop.exponent_:.3f} ({low:.3f} to {high:.3f}), "
        f"{accepted} of {len(isoflop.minima_)} budgets accepted"
    )
    if isoflop.message_:  # too few budgets for an interval, or one that failed
        summary = isoflop.message_ if low != low else f"{summary}; {isoflop.message_}"
    exponent = {"value": isoflop.exponent_, "low": low, "high": high}
    return {"summary": summary, "exponent_of_N": exponent, "minima": isoflop.minima_.to_dict("records")}


def _words(table: pd.DataFrame, names: tuple[str, ...], first: str) -> pd.DataFrame:
    words = pd.DataFrame({first.replace("_", " "): [f"{value:.4g}" for value in table[first]]})
    for name in names:
        found = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
        words[name.replace("_", " ")] = [
            f"{value:.4g} ({between(low, high)})" if math.isfinite(value) else "out of reach"
            for value, low, high in found
        ]
    return words
