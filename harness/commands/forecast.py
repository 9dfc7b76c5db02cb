"""``harness forecast TABLE --x N,D --y loss --at N=7e9,D=1.4e11``: runs not yet made, with an interval for each."""

from __future__ import annotations

import argparse
import math
from typing import Any

import pandas as pd
from rich.console import Console

from harness.analysis.fitting.laws import LAWS
from harness.analysis.planning.forecast import Forecaster
from harness.analysis.planning.loss_to_metric import LINKS, Chain
from harness.commands.output import given, write_json
from harness.commands.tables import RunTable, choose_runs, limits_of, numbers
from harness.errors import DataError, UserError, nearest
from harness.records.columns import number_column
from harness.records.expressions import derive
from harness.report.tables import as_rich
from harness.wording import between, confidence, percent


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Forecast, report and write; 0.

    Raises:
        UserError: as `commands.tables.choose_runs`, `places` and `Forecaster.fit`.
    """
    if arguments.link and not arguments.metric:
        raise UserError(f"--link {arguments.link}: leads from the loss to a metric; name its column by --metric")
    runs = choose_runs(arguments)
    at = places(runs, arguments)
    forecaster: Forecaster
    chain: Chain | None = None
    if arguments.metric is None:
        forecaster = Forecaster(law=arguments.law, level=arguments.level).fit(runs.x, runs.y)
        table = forecaster.predict(at)
    else:
        link_name = arguments.link or "sigmoid"
        metric = numbers(runs.rows.frame, arguments.metric, limits_of(LAWS[LINKS[link_name]]))
        chain = Chain(link_name, arguments.law, arguments.level).fit(runs.x, runs.y, metric)
        table, forecaster = chain.predict(at), chain.loss_
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
        **({} if chain is None else _link(chain, arguments.metric)),
        "n": len(runs.y),
        **runs.as_json(),
        "settings": given(arguments, ("table", "x", "y", "law", "metric", "link", "level", "at")),
    }
    write_json(arguments.json, content)
    if chain is not None:
        _report_link(chain, table, arguments.metric, console)
    _report(table, at, arguments, forecaster, runs, console)
    return 0


def _link(chain: Chain, metric: str) -> dict[str, Any]:
    """How the loss leads to the metric."""
    link = chain.link_
    about = {"law": link.law_.name, "params": link.params_, "status": str(link.status_), "message": link.message_}
    return {"metric": metric, "link": about}


def _report_link(chain: Chain, table: pd.DataFrame, metric: str, console: Console) -> None:
    for message in dict.fromkeys(filter(None, table["message"])):
        console.print(message, markup=False, soft_wrap=True)
    console.print(f"{metric} through {chain.link_.law_.formula}: {chain.link_.status_}", markup=False)
    if chain.link_.message_:
        console.print(chain.link_.message_, markup=False, soft_wrap=True)


def _report(
    table: pd.DataFrame,
    at: pd.DataFrame,
    arguments: argparse.Namespace,
    forecaster: Forecaster,
    runs: RunTable,
    console: Console,
) -> None:
    words = pd.DataFrame({name: [f"{value:.4g}" for value in at[name]] for name in at.columns})
    words[arguments.metric or arguments.y] = [f"{value:.4g}" for value in table["predicted"]]
    ends = zip(table["low"], table["high"], strict=True)
    words[f"a new run, {confidence(arguments.level)}"] = [between(low, high) for low, high in ends]
    console.print(as_rich(words, "Forecasts"))
    shares = ", ".join(f"{name} {percent(weight)}" for name, weight in forecaster.weights_.items())
    console.print(f"laws weighed by rolling extrapolation: {shares}", markup=False)
    for name, why in forecaster.left_out_.items():
        console.print(f"left out {name}: {why}", markup=False, soft_wrap=True)
    if len(forecaster.rolling_):
        errors = forecaster.rolling_["error"].abs()
        missed = f"rolling extrapolation missed by {percent(float(errors.median()))} (median of {len(errors)})"
        widened = f"; intervals widened {forecaster.calibration_:.2g} times" if forecaster.calibration_ > 1 else ""
        console.print(missed + widened, markup=False)
    else:
        console.print("too few runs to test the laws by rolling extrapolation", markup=False)
    runs.report(console)


# ---------------------------------------------------------------------------------------------------- places of --at


def places(runs: RunTable, arguments: argparse.Namespace) -> pd.DataFrame:
    """The places of --at (m, d), under the names of --x; columns that --derive knows how to make may be left out.

    Raises:
        UserError: one that is malformed, lacks a column, has one too many, or is not of finite numbers above 0.
    """
    return pd.concat([_place(text, runs, arguments) for text in arguments.at], ignore_index=True)


def _place(text: str, runs: RunTable, arguments: argparse.Namespace) -> pd.DataFrame:
    wanted = list(runs.x.columns)
    row = pd.DataFrame([_stated(text)])
    known = list(runs.rows.frame.columns) if arguments.derive else wanted
    if stray := [name for name in row.columns if name not in known]:
        raise UserError(f"--at {text}: {stray[0]} is none of {', '.join(wanted)}{nearest(stray[0], known)}")
    lacking: dict[str, str] = {}
    for definition in arguments.derive:
        name = definition.partition("=")[0].strip().strip("`")
        if name not in row.columns:
            try:
                row = derive(row, definition)
            except DataError as error:  # counts only where the column is wanted
                lacking[name] = str(error)
    for name in wanted:
        if name not in row.columns:
            why = f"; wanted are {', '.join(wanted)}"
            if name in lacking:
                why = f" and cannot be derived: {'; '.join(lacking.values())}"
            raise UserError(f"--at {text}: {name} is not given{why}")
        if not 0 < (value := number_column(row, name)[0]) < math.inf:
            raise UserError(f"--at {text}: {name}={value:g}: allowed are finite numbers above 0")
    return row[wanted]


def _stated(text: str) -> dict[str, float]:
    """'N=7e9,D=1.4e11' as numbers by name."""
    parts = [part.partition("=") for part in text.split(",")]
    try:
        stated = {name.strip(): float(value) for name, _, value in parts}
    except ValueError:
        stated = {}
    if len(stated) < len(parts) or "" in stated:
        raise UserError(f"--at {text}: allowed is NAME=NUMBER,NAME=NUMBER, e.g. N=7e9,D=1.4e11, each name once")
    return stated
