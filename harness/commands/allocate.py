"""``harness allocate TABLE --x N,D --y loss --compute 1e24``: how to spend compute, and what a smaller model costs."""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd
from rich.console import Console

from harness.analysis.planning.allocation import ALLOCATING, allocate, optimal_exponent, overtraining
from harness.analysis.planning.isoflop import IsoFlop, MinimumStatus
from harness.commands.fit import LAW_SETTINGS, about, add_law_arguments, fit_one, tell
from harness.commands.rows import Rows, add_output_arguments, add_row_arguments, choose, settings, write_json
from harness.commands.values import one_of, positive
from harness.errors import UserError
from harness.report.tables import as_rich


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_row_arguments(parser)
    parser.add_argument("--compute", type=positive, metavar="FLOPS", action="append", required=True, help="e.g. 1e24")
    laws = f"{', '.join(ALLOCATING)} (hoffmann)"
    parser.add_argument("--law", default="hoffmann", type=one_of(ALLOCATING), metavar="NAME", help=laws)
    parser.add_argument("--flops-per-token-parameter", type=positive, default=6.0, metavar="K", help="C = K N D (6)")
    parser.add_argument(
        "--size-ratio",
        type=positive,
        metavar="R",
        action="append",
        help="a model R times as large as the optimal one, at equal loss (0.75, 0.5, 0.35, 0.25)",
    )
    add_law_arguments(parser)
    add_output_arguments(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Fit, allocate, tell and write; 0.

    Raises:
        UserError: as `commands.rows.choose`, `ScalingLaw.fit` and `allocation.allocate`.
    """
    rows = choose(arguments)
    fit = fit_one(arguments, rows)
    best = allocate(fit, arguments.compute, arguments.flops_per_token_parameter)
    dearer = overtraining(fit, arguments.size_ratio or (0.75, 0.5, 0.35, 0.25))
    exponent = optimal_exponent(fit)
    tell(fit, rows, console)
    console.print(as_rich(_words(best, ("N", "D", "tokens_per_parameter", "loss"), "compute"), "Optimal allocation"))
    console.print(
        f"N grows as C^{exponent[0]:.3f} ({exponent[1]:.3f} to {exponent[2]:.3f}), D as C^{1 - exponent[0]:.3f}",
        markup=False,
    )
    title = "Over-training: smaller models, trained to the same loss"
    console.print(as_rich(_words(dearer, ("compute_ratio", "tokens_ratio"), "size_ratio"), title))
    for message in dict.fromkeys(filter(None, [*best["message"], *dearer["message"]])):
        console.print(message, markup=False, soft_wrap=True)
    beside = _parabolas(arguments, rows)
    console.print(beside["told"], markup=False)
    more = ("compute", "flops_per_token_parameter", "size_ratio")
    content = about(fit, rows) | {
        "allocation": best.to_dict("records"),
        "overtraining": dearer.to_dict("records"),
        "exponent_of_N": dict(zip(("value", "low", "high"), exponent, strict=True)),
        "isoflop": beside,
        "settings": settings(arguments, LAW_SETTINGS + more),
    }
    write_json(arguments.json, content)
    return 0


def _parabolas(arguments: argparse.Namespace, rows: Rows) -> dict[str, Any]:
    """The exponent of N by IsoFLOP parabolas, to be seen beside the surface's; what they lack where there is none."""
    isoflop = IsoFlop(
        flops_per_token_parameter=arguments.flops_per_token_parameter, level=arguments.level, seed=arguments.seed
    )
    n, d = rows.x.to_numpy().T
    try:
        isoflop.fit(n, d, rows.y)
    except UserError as error:
        return {"told": f"no parabolas beside the surface: {error}"}
    accepted = int((isoflop.minima_["status"] == MinimumStatus.ACCEPTED).sum())
    low, high = isoflop.exponent_interval_
    told = (
        f"by IsoFLOP parabolas, biased on lopsided curves: C^{isoflop.exponent_:.3f} ({low:.3f} to {high:.3f}), "
        f"{accepted} of {len(isoflop.minima_)} budgets accepted"
    )
    if isoflop.message_:  # too few budgets for an interval, or one that failed
        told = isoflop.message_ if low != low else f"{told}; {isoflop.message_}"
    exponent = {"value": isoflop.exponent_, "low": low, "high": high}
    return {"told": told, "exponent_of_N": exponent, "minima": isoflop.minima_.to_dict("records")}


def _words(table: pd.DataFrame, names: tuple[str, ...], first: str) -> pd.DataFrame:
    words = pd.DataFrame({first.replace("_", " "): [f"{value:.4g}" for value in table[first]]})
    for name in names:
        ends = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
        words[name.replace("_", " ")] = [f"{value:.4g} ({low:.4g} to {high:.4g})" for value, low, high in ends]
    return words
