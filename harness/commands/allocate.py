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
from harness.report.terminal import as_rich
from harness.wording import between

#: Ways of reading the optimum off the runs, by approach of Hoffmann et al. 2022.
_READ_OFF = ((2, "IsoFLOP parabolas"), (1, "the envelope"))
_CAUTION = (
    "parabolas are biased on lopsided curves, and the envelope knows no size better than the gap between sizes, "
    "so the surface is the default"
)


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
    read_off = {words: _read_off(arguments, runs, approach, words) for approach, words in _READ_OFF}
    more = ("compute", "flops_per_token_parameter", "size_ratio")
    content = fit_as_json(fit, runs) | {
        "allocation": best.to_dict("records"),
        "overtraining": smaller.to_dict("records"),
        "exponent_of_N": dict(zip(("value", "low", "high"), exponent, strict=True)),
        "isoflop": read_off["IsoFLOP parabolas"],
        "envelope": read_off["the envelope"],
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
    _report_read_off(read_off, console)
    return 0


def _read_off(arguments: argparse.Namespace, runs: RunTable, approach: int, words: str) -> dict[str, Any]:
    """The optimum read off the runs themselves, to stand beside the surface's, or why there is none."""
    isoflop = IsoFlop(
        approach,
        flops_per_token_parameter=arguments.flops_per_token_parameter,
        level=arguments.level,
        seed=arguments.seed,
    )
    n, d = runs.x.to_numpy().T
    try:
        isoflop.fit(n, d, runs.y)
    except UserError as error:
        return {"summary": f"no {words.split()[-1]} beside the surface: {error}"}
    accepted = int((isoflop.minima_["status"] == MinimumStatus.ACCEPTED).sum())
    low, high = isoflop.exponent_interval_
    summary = (
        f"by {words}: N = {isoflop.coefficient_:.3g} C^{isoflop.exponent_:.3f} ({low:.3f} to {high:.3f}), "
        f"{accepted} of {len(isoflop.minima_)} budgets accepted"
    )
    if isoflop.message_:  # too few budgets for an interval, or one that is to be taken with care
        summary = f"by {words}: {isoflop.message_}" if math.isnan(low) else f"{summary}; {isoflop.message_}"
    return {
        "summary": summary,
        "coefficient": isoflop.coefficient_,
        "exponent_of_N": {"value": isoflop.exponent_, "low": low, "high": high},
        "minima": isoflop.minima_.to_dict("records"),
        "allocation": isoflop.predict(arguments.compute).to_dict("records"),
    }


def _report_read_off(read_off: dict[str, dict[str, Any]], console: Console) -> None:
    """The optimum of each budget by each way of reading it off, those that have none in words alone."""
    tables = []
    for words, found in read_off.items():
        best = pd.DataFrame(found.get("allocation", []))
        if len(best) and best["N"].notna().all():
            tables.append(_words(best, ("N", "D", "tokens_per_parameter"), "compute").assign(by=words))
    if tables:
        shown = pd.concat(tables)
        title = "The same read off the runs, by lines through the minima of their budgets"
        console.print(as_rich(shown[["by", *(name for name in shown if name != "by")]], title))
    for found in read_off.values():
        console.print(found["summary"], markup=False, soft_wrap=True)
    if tables:
        console.print(_CAUTION, markup=False, soft_wrap=True)


def _words(table: pd.DataFrame, names: tuple[str, ...], first: str) -> pd.DataFrame:
    words = pd.DataFrame({first.replace("_", " "): [f"{value:.4g}" for value in table[first]]})
    for name in names:
        found = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
        words[name.replace("_", " ")] = [
            _with_ends(value, low, high) if math.isfinite(value) else "out of reach" for value, low, high in found
        ]
    return words


def _with_ends(value: float, low: float, high: float) -> str:
    return f"{value:.4g}" + ("" if math.isnan(low) else f" ({between(low, high)})")
