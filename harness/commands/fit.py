"""``harness fit TABLE --law hoffmann --x N,D --y loss``: one law, or a ranking of laws, on any table of runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from harness.analysis.fitting.estimator import INTERVALS, OBJECTIVES, ScalingLaw
from harness.analysis.fitting.laws import LAWS
from harness.analysis.fitting.selection import fit_best
from harness.commands.rows import (
    POSITIVE,
    Rows,
    add_output_arguments,
    add_row_arguments,
    choose,
    labels,
    numbers,
    settings,
    split_names,
    write_json,
)
from harness.commands.values import law_name, one_of, positive, whole_number
from harness.errors import SettingError, UserError
from harness.report.tables import as_rich

#: Flags of a single law: `fit_best` compares laws by squares, run by run.
_OF_ONE_LAW = ("objective", "cluster", "n_eval")
#: Settings of a fit that go on record.
LAW_SETTINGS = ("law", "objective", "delta", "interval", "bootstrap", "seed", "level", "group", "cluster")


def add_law_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how a law is fitted; shared with `allocate`."""
    objectives = f"{', '.join(OBJECTIVES)} (by default that of the law)"
    parser.add_argument("--objective", type=one_of(OBJECTIVES), metavar="NAME", help=objectives)
    parser.add_argument("--delta", type=positive, default=1e-3, help="of huber, in ln y (0.001)")
    kinds = f"{', '.join(INTERVALS)} (huber: bootstrap; else profile)"
    parser.add_argument("--interval", type=one_of(INTERVALS), metavar="KIND", help=kinds)
    draws = "bootstrap intervals with this many refits"
    parser.add_argument("--bootstrap", type=whole_number(100), metavar="DRAWS", help=draws)
    parser.add_argument("--seed", type=whole_number(0), default=0, help="of the bootstrap (0)")
    parser.add_argument("--group", metavar="COLUMN", help="rows that share x and this are one run")
    parser.add_argument("--cluster", metavar="COLUMN", help="runs that share this stay together in intervals")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_row_arguments(parser)
    laws = f"best, one of {', '.join(LAWS)}, or module.Class of your own"
    parser.add_argument("--law", default="best", type=law_name(("best", *LAWS)), metavar="NAME", help=laws)
    add_law_arguments(parser)
    parser.add_argument("--n-eval", metavar="COLUMN", help="answers behind each share, for laws of bounded metrics")
    add_output_arguments(parser)
    parser.add_argument("--plot", metavar="OUT.png", help="draw the fit (and OUT.svg beside it)")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Fit, tell and write; 0.

    Raises:
        UserError: as `commands.rows.choose` and `ScalingLaw.fit`.
    """
    for name in _OF_ONE_LAW if arguments.law == "best" else ():
        if getattr(arguments, name) is not None:
            raise UserError(f"--{name.replace('_', '-')}: is of one law, to be named by --law; best compares several")
    if arguments.plot and Path(arguments.plot).suffix != ".png":
        raise SettingError("--plot", arguments.plot, "a name that ends in .png")
    if arguments.plot and (found := len(split_names(arguments.x))) > 2:
        raise UserError(f"--plot: one or two columns of --x can be drawn; got {found}")
    rows = choose(arguments)
    ranking: list[dict[str, Any]] = []
    if arguments.law == "best":
        chosen = fit_best(rows.x.to_numpy(), rows.y, labels(rows, arguments.group), **_fitting(arguments))
        fit = chosen.best
        ranking = chosen.ranking.to_dict("records")  # type: ignore[assignment]
        console.print(as_rich(_ranking_table(chosen.ranking), "Laws, best first by AICc"))
        console.print(chosen.verdict, markup=False, soft_wrap=True)
    else:
        fit = fit_one(arguments, rows)
    tell(fit, rows, console)
    write_json(arguments.json, _content(arguments, fit, rows, ranking))
    if arguments.plot:
        for path in _draw(fit, rows, arguments):
            console.print(str(path), markup=False, highlight=False, soft_wrap=True)
    return 0


def fit_one(arguments: argparse.Namespace, rows: Rows) -> ScalingLaw:
    """The law of --law, as the arguments want it."""
    law = ScalingLaw(law=arguments.law, objective=arguments.objective, **_fitting(arguments))
    column = getattr(arguments, "n_eval", None)
    return law.fit(
        rows.x,
        rows.y,
        labels(rows, arguments.group),
        clusters=labels(rows, arguments.cluster),
        n_eval=None if column is None else numbers(rows.frame, column, POSITIVE),
    )


def _fitting(arguments: argparse.Namespace) -> dict[str, Any]:
    interval = arguments.interval or ("bootstrap" if arguments.bootstrap else None)
    if arguments.bootstrap and interval != "bootstrap":
        raise UserError(f"--bootstrap {arguments.bootstrap}: --interval {interval} makes no refits; leave out one")
    return {
        "delta": arguments.delta,
        "interval": interval,
        "level": arguments.level,
        "n_bootstrap": 1000 if arguments.bootstrap is None else arguments.bootstrap,
        "seed": arguments.seed,
    }


def tell(fit: ScalingLaw, rows: Rows, console: Console) -> None:
    """Print parameters, intervals, status, and what was left out."""
    table = pd.DataFrame(
        {
            "parameter": list(fit.params_),
            "value": [f"{value:.5g}" for value in fit.params_.values()],
            f"{100 * fit.level:g} % interval": [f"{low:.4g} to {high:.4g}" for low, high in fit.intervals_.values()],
        }
    )
    # Beside the table, for it is often longer than the table is wide.
    console.print(f"{fit.law_.name}: {fit.law_.formula}", style="bold", markup=False, highlight=False, soft_wrap=True)
    console.print(as_rich(table, ""))
    failed = f", {fit.n_failed_refits_} refits failed" if fit.interval_ == "bootstrap" else ""
    console.print(f"status: {fit.status_}; intervals by {fit.interval_}{failed}", markup=False)
    if fit.message_:
        console.print(fit.message_, markup=False, soft_wrap=True)
    scale = "ln y" if fit.law_.scale == "log" else "y"
    told = f"objective ({fit.objective_name_}) {fit.objective_:.10g}; one run's {scale} scatters by {fit.noise_:.3g}"
    console.print(told, markup=False)
    rows.report(console, fit.n_runs_)


def _ranking_table(ranking: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "law": ranking["law"],
            "AICc above best": [f"{value:.1f}" if value == value else "–" for value in ranking["delta_aicc"]],
            "rolling error": [f"{100 * e:.2g} %" if e == e else "–" for e in ranking["rolling_error"]],
            "status": ranking["status"],
            "note": ranking["message"],
        }
    )


def _content(
    arguments: argparse.Namespace, fit: ScalingLaw, rows: Rows, ranking: list[dict[str, Any]]
) -> dict[str, Any]:
    used = {"objective": fit.objective_name_, "interval": fit.interval_, "starts": fit.law_.n_starts}
    content = about(fit, rows) | {
        "formula": fit.law_.formula,
        "objective": fit.objective_,
        "noise": fit.noise_,
        "n_failed_refits": fit.n_failed_refits_,
        "settings": settings(arguments, (*LAW_SETTINGS, "n_eval")) | used,
    }
    return content | ({"ranking": ranking} if ranking else {})


def about(fit: ScalingLaw, rows: Rows) -> dict[str, Any]:
    """What any JSON says of a fit and of the rows it was fitted to."""
    return {
        "law": fit.law_.name,
        "params": fit.params_,
        "intervals": fit.intervals_,
        "status": str(fit.status_),
        "message": fit.message_,
        "n": fit.n_runs_,
        "excluded": rows.listed,
        "n_outside": rows.n_outside,
    }


def _draw(fit: ScalingLaw, rows: Rows, arguments: argparse.Namespace) -> list[Path]:
    from harness.report.axes import save_figure
    from harness.report.law_plots import plot_fit

    axes = plot_fit(fit, rows.x, rows.y, y_name=arguments.y)
    return save_figure(axes, Path(arguments.plot).with_suffix(""))
