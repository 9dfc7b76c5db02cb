"""``harness forecast TABLE --x N,D --y loss --at N=7e9,D=1.4e11``: runs not yet made, with an interval for each."""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd
from rich.console import Console

from harness.analysis.fitting.laws import LAWS
from harness.analysis.planning.forecast import Forecaster
from harness.analysis.planning.loss_to_metric import LINKS, Chain
from harness.commands.rows import (
    Rows,
    add_output_arguments,
    add_row_arguments,
    choose,
    limits_of,
    numbers,
    places,
    settings,
    write_json,
)
from harness.commands.values import law_name, one_of
from harness.errors import UserError
from harness.report.tables import as_rich

#: Laws of a loss; those of bounded metrics are reached through one, by --metric.
_LAWS = ("best", *(name for name, law in LAWS.items() if law.scale == "log"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_row_arguments(parser)
    parser.add_argument("--at", metavar="N=7e9,D=1.4e11", action="append", required=True, help="may be given often")
    laws = f"best, one of {', '.join(_LAWS[1:])}, or module.Class of your own"
    parser.add_argument("--law", default="best", type=law_name(_LAWS), metavar="NAME", help=laws)
    parser.add_argument("--metric", metavar="COLUMN", help="foretell this instead, through the loss")
    links = f"loss -> metric: {', '.join(LINKS)} (sigmoid)"
    parser.add_argument("--link", type=one_of(LINKS), metavar="NAME", help=links)
    add_output_arguments(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Forecast, tell and write; 0.

    Raises:
        UserError: as `commands.rows.choose`, `commands.rows.places` and `Forecaster.fit`.
    """
    if arguments.link and not arguments.metric:
        raise UserError(f"--link {arguments.link}: leads from the loss to a metric; name its column by --metric")
    rows = choose(arguments)
    at = places(rows, arguments)
    forecaster: Forecaster
    about: dict[str, Any] = {}
    if arguments.metric is None:
        forecaster = Forecaster(law=arguments.law, level=arguments.level).fit(rows.x, rows.y)
        table = forecaster.predict(at)
    else:
        link_name = arguments.link or "sigmoid"
        metric = numbers(rows.frame, arguments.metric, limits_of(LAWS[LINKS[link_name]]))
        chain = Chain(link_name, arguments.law, arguments.level).fit(rows.x, rows.y, metric)
        table, forecaster = chain.predict(at), chain.loss_
        for message in dict.fromkeys(filter(None, table["message"])):
            console.print(message, markup=False, soft_wrap=True)
        link = chain.link_
        about = {
            "metric": arguments.metric,
            "link": {
                "law": link.law_.name,
                "params": link.params_,
                "status": str(link.status_),
                "message": link.message_,
            },
        }
        console.print(f"{arguments.metric} through {link.law_.formula}: {link.status_}", markup=False)
        if link.message_:
            console.print(link.message_, markup=False, soft_wrap=True)
    _tell(table, at, arguments, forecaster, rows, console)
    names = ("law", "metric", "link", "level", "at")
    forecasts = [
        {"at": place, "predicted": row["predicted"], "low": row["low"], "high": row["high"]}
        for place, row in zip(at.to_dict("records"), table.to_dict("records"), strict=True)
    ]
    content = {
        "forecasts": forecasts,
        "law": arguments.law,
        "weights": forecaster.weights_,
        "left_out": forecaster.left_out_,
        "calibration": forecaster.calibration_,
        **about,
        "n": len(rows.y),
        "excluded": rows.listed,
        "n_outside": rows.n_outside,
        "settings": settings(arguments, names),
    }
    write_json(arguments.json, content)
    return 0


def _tell(
    table: pd.DataFrame,
    at: pd.DataFrame,
    arguments: argparse.Namespace,
    forecaster: Forecaster,
    rows: Rows,
    console: Console,
) -> None:
    words = pd.DataFrame({name: [f"{value:.4g}" for value in at[name]] for name in at.columns})
    words[arguments.metric or arguments.y] = [f"{value:.4g}" for value in table["predicted"]]
    ends = zip(table["low"], table["high"], strict=True)
    words[f"a new run, {100 * arguments.level:g} %"] = [f"{low:.4g} to {high:.4g}" for low, high in ends]
    console.print(as_rich(words, "Forecasts"))
    shares = ", ".join(f"{name} {weight:.0%}" for name, weight in forecaster.weights_.items())
    console.print(f"laws weighed by rolling extrapolation: {shares}", markup=False)
    for name, why in forecaster.left_out_.items():
        console.print(f"left out {name}: {why}", markup=False, soft_wrap=True)
    if len(forecaster.rolling_):
        errors = forecaster.rolling_["error"].abs()
        told = f"rolling extrapolation missed by {errors.median():.2%} (median of {len(errors)})"
        widened = f"; intervals widened {forecaster.calibration_:.2g} times" if forecaster.calibration_ > 1 else ""
        console.print(told + widened, markup=False)
    else:
        console.print("too few runs to test the laws by rolling extrapolation", markup=False)
    rows.report(console)
