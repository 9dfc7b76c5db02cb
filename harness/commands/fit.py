"""``harness fit TABLE --law hoffmann --x N,D --y loss``: one law, or a ranking of laws, on any table of runs."""

from __future__ import annotations

import argparse
import math
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from harness.analysis.fitting.estimator import ScalingLaw
from harness.analysis.fitting.selection import fit_best
from harness.commands.output import check_plot, given, report_files, save_plot, write_json
from harness.commands.tables import RunTable, choose_runs, numbers, split_names
from harness.errors import UserError
from harness.records.columns import POSITIVE
from harness.report.terminal import as_rich
from harness.wording import ABSENT, between, confidence, counted, percent

#: Flags of a single law: `fit_best` compares laws by squares.
_OF_ONE_LAW = ("objective", "n_eval", "weight", "by", "share")
#: Ratio of the ends of an amplitude's interval, or of its high end to the estimate, from which it may be any number.
_ANY_SCALE = 1e6
#: Arguments of a fit that go on record.
LAW_SETTINGS = (
    *("table", "x", "y", "law", "objective", "delta", "penalty", "interval", "bootstrap", "seed", "level"),
    *("group", "cluster", "weight"),
)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Fit, report and write; 0.

    Raises:
        UserError: as `commands.tables.choose_runs` and `ScalingLaw.fit`.
    """
    for name in _OF_ONE_LAW if arguments.law == "best" else ():
        if getattr(arguments, name) is not None:
            raise UserError(f"--{name.replace('_', '-')}: is of one law, to be named by --law; best compares several")
    check_plot(arguments.plot)
    if arguments.plot and (found := len(split_names(arguments.x))) > 2:
        raise UserError(f"--plot: one or two columns of --x can be drawn; got {found}")
    runs = choose_runs(arguments)
    if arguments.by is not None or arguments.share is not None:
        return import_module("harness.commands.fit_groups").run(arguments, runs, console)
    ranking: pd.DataFrame | None = None
    if arguments.law == "best":
        together = _together(arguments, runs)
        chosen = fit_best(runs.x, runs.y, runs.labels(arguments.group), **together, **fitting(arguments))
        fit, ranking = chosen.best, chosen.ranking
    else:
        fit = fit_one(arguments, runs)
    write_json(arguments.json, _content(arguments, fit, runs, ranking))
    drawn = _draw(fit, runs, arguments) if arguments.plot else []
    if ranking is not None:
        console.print(as_rich(_ranking_table(ranking), "Laws, best first by AICc"))
        console.print(chosen.verdict, markup=False, soft_wrap=True)
    report_fit(fit, runs, console)
    report_files(drawn, console)
    return 0


def _draw(fit: ScalingLaw, runs: RunTable, arguments: argparse.Namespace) -> list[Path]:
    from harness.report.law_plots import plot_fit

    return save_plot(plot_fit(fit, runs.x, runs.y, y_name=arguments.y), Path(arguments.plot))


def fit_one(arguments: argparse.Namespace, runs: RunTable) -> ScalingLaw:
    """The law of --law, fitted as the arguments want it."""
    law = ScalingLaw(law=arguments.law, objective=arguments.objective, **fitting(arguments))
    return law.fit(runs.x, runs.y, **of_runs(arguments, runs))


def of_runs(arguments: argparse.Namespace, runs: RunTable) -> dict[str, Any]:
    """The columns beside x and y that the arguments name, as `ScalingLaw.fit` takes them."""
    named = {"n_eval": getattr(arguments, "n_eval", None), "weights": arguments.weight}
    found = {key: name and numbers(runs.rows.frame, name, POSITIVE) for key, name in named.items()}
    return {"groups": runs.labels(arguments.group), **_together(arguments, runs), **found}


def _together(arguments: argparse.Namespace, runs: RunTable) -> dict[str, Any]:
    """The clusters of --cluster, or the columns by which runs may err together."""
    if arguments.cluster:
        return {"clusters": runs.labels(arguments.cluster)}
    return {"suspects": runs.suspects(arguments.y, arguments.group)}


def fitting(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings of `ScalingLaw` that the arguments make, but for law and objective."""
    interval = arguments.interval or ("bootstrap" if arguments.bootstrap else None)
    if arguments.bootstrap and interval != "bootstrap":
        raise UserError(f"--bootstrap {arguments.bootstrap}: --interval {interval} makes no refits; leave out one")
    return {
        **_of_objective(arguments),
        "interval": interval,
        "level": arguments.level,
        "n_bootstrap": 1000 if arguments.bootstrap is None else arguments.bootstrap,
        "seed": arguments.seed,
    }


def _of_objective(arguments: argparse.Namespace) -> dict[str, float]:
    """The settings of the objective that were given.

    Raises:
        UserError: a setting that the objective does not have.
    """
    found = {}
    for name, objectives in (("delta", ("huber", "one_sided")), ("penalty", ("one_sided",))):
        if (value := getattr(arguments, name)) is None:
            continue
        if arguments.objective not in objectives:
            flags = " or ".join(f"--objective {objective}" for objective in objectives)
            raise UserError(f"--{name} {value:g}: belongs to {flags}")
        found[name] = value
    return found


def report_fit(fit: ScalingLaw, runs: RunTable, console: Console) -> None:
    """Print parameters, intervals, status, and what was left out."""
    table = pd.DataFrame(
        {
            "parameter": list(fit.params_),
            "value": [f"{value:.5g}" for value in fit.params_.values()],
            f"{confidence(fit.level)} interval": [_interval(fit, name) for name in fit.params_],
        }
    )
    # Beside the table, for it is often longer than the table is wide.
    console.print(f"{fit.law_.name}: {fit.law_.formula}", style="bold", markup=False, highlight=False, soft_wrap=True)
    console.print(as_rich(table, ""))
    failed = f", {fit.n_failed_refits_} refits failed" if fit.interval_ == "bootstrap" else ""
    over = "" if fit.n_clusters_ is None else f" over {counted(fit.n_clusters_, 'cluster')}"
    console.print(f"status: {fit.status_}; intervals by {fit.interval_}{over}{failed}", markup=False)
    if fit.message_:
        console.print(fit.message_, markup=False, soft_wrap=True)
    scale = "ln y" if fit.law_.scale == "log" else "y"
    objective = f"objective ({fit.objective_name_}) {fit.objective_:.10g}"
    console.print(f"{objective}; one run's {scale} scatters by {fit.noise_:.3g}", markup=False)
    runs.report(console, fit.n_runs_)


def _interval(fit: ScalingLaw, name: str) -> str:
    """An interval in words; of a scale that may be any number, that it is not identified."""
    low, high = fit.intervals_[name]
    if name not in fit.law_.log_parameters:
        return between(low, high)
    if low > 0 and high < _ANY_SCALE * low:
        return between(low, high)
    ends = between(low if low > 0 else -math.inf, high if high < _ANY_SCALE * fit.params_[name] else math.inf)
    return "not identified" if ends == between(-math.inf, math.inf) else f"{ends} (not identified)"


def _ranking_table(ranking: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "law": ranking["law"],
            "AICc above best": [f"{value:.1f}" if value == value else ABSENT for value in ranking["delta_aicc"]],
            "rolling error": [percent(error) for error in ranking["rolling_error"]],
            "status": ranking["status"],
            "note": ranking["message"],
        }
    )


def _content(
    arguments: argparse.Namespace, fit: ScalingLaw, runs: RunTable, ranking: pd.DataFrame | None
) -> dict[str, Any]:
    used = {"objective": fit.objective_name_, "interval": fit.interval_, "starts": fit.law_.n_starts}
    content = fit_as_json(fit, runs) | {
        "formula": fit.law_.formula,
        "objective": fit.objective_,
        "noise": fit.noise_,
        "n_failed_refits": fit.n_failed_refits_,
        "settings": given(arguments, (*LAW_SETTINGS, "n_eval")) | used,
    }
    return content if ranking is None else content | {"ranking": ranking.to_dict("records")}


def fit_as_json(fit: ScalingLaw, runs: RunTable) -> dict[str, Any]:
    """What any JSON says of a fit and of the rows it was fitted to."""
    return {
        "law": fit.law_.name,
        "params": fit.params_,
        "intervals": fit.intervals_,
        "status": str(fit.status_),
        "message": fit.message_,
        "n": fit.n_runs_,
        "n_clusters": fit.n_clusters_,
        "shared": None if fit.shared_errors_ is None else fit.shared_errors_.what,
        **runs.as_json(),
    }
