"""``harness forecast TABLE --x N,D --y loss --at N=7e9,D=1.4e11``: runs not yet made, with an interval for each."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from harness.analysis.planning.forecast import Forecaster
from harness.analysis.planning.link_status import LinkStatus
from harness.analysis.planning.loss_to_metric import Chain
from harness.commands.arguments import MOST_DRAWN
from harness.commands.metric_table import MetricTable, choose_metrics
from harness.commands.output import check_plot, given, report_files, save_plot, write_json
from harness.commands.tables import Rows, RunTable, choose_runs
from harness.errors import DataError, UserError, nearest
from harness.records.columns import number_column
from harness.records.expressions import derive
from harness.report.terminal import as_rich
from harness.wording import ABSENT, between, confidence, counted, listed, percent

#: What the flags of a metric are called, for a mistake without --metric.
_OF_A_METRIC = ("link", "link_rows", "n_eval", "stderr", "chance")
#: Least weight of a link that is printed.
_WORTH_SAYING = 0.005
#: Losses at which a link is drawn.
_ALONG = 120
_SETTINGS = ("table", "x", "y", "law", "metric", "link", "link_rows", "level", "at", "group", "cluster")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Forecast, report and write; 0.

    Raises:
        UserError: as `commands.tables.choose_runs`, `choose_metrics`, `places`, `Forecaster.fit` and `Chain.fit`.
    """
    check_plot(arguments.plot)
    if arguments.metric is None:
        for name in _OF_A_METRIC:
            if (found := getattr(arguments, name)) is not None:
                flag = f"--{name.replace('_', '-')}"
                raise UserError(
                    f"{flag} {found}: is of a metric forecast through the loss; name its column by --metric"
                )
        return _forecast_loss(arguments, console)
    return _forecast_metric(arguments, console)


# ------------------------------------------------------------------------------------------------------------ the loss


def _forecast_loss(arguments: argparse.Namespace, console: Console) -> int:
    runs = choose_runs(arguments)
    at = places(runs.rows, list(runs.x.columns), arguments)
    labels = {"groups": runs.labels(arguments.group), "clusters": runs.labels(arguments.cluster)}
    forecaster = Forecaster(law=arguments.law, level=arguments.level).fit(runs.x, runs.y, **labels)
    table = forecaster.predict(at)
    forecasts = [
        {"at": place, "predicted": row["predicted"], "low": row["low"], "high": row["high"]}
        for place, row in zip(at.to_dict("records"), table.to_dict("records"), strict=True)
    ]
    content = {
        "forecasts": forecasts,
        "law": arguments.law,
        **_of_laws(forecaster),
        "n": len(runs.y),
        **runs.as_json(),
        "settings": given(arguments, _SETTINGS),
    }
    write_json(arguments.json, content)
    drawn = _draw_loss(runs, table, arguments) if arguments.plot else []
    words = _places_in_words(at)
    words[arguments.y] = [f"{value:.4g}" for value in table["predicted"]]
    words[f"a new run, {confidence(arguments.level)}"] = _ends(table)
    console.print(as_rich(words, "Forecasts"))
    _report_laws(forecaster, console)
    runs.report(console)
    report_files(drawn, console)
    return 0


def _draw_loss(runs: RunTable, table: pd.DataFrame, arguments: argparse.Namespace) -> list[Path]:
    from harness.report.forecast_plots import plot_runs_ahead

    names = list(runs.x.columns)
    ahead = table.set_axis([*names, *table.columns[len(names) :]], axis=1)
    seen = runs.x.assign(**{arguments.y: runs.y})
    axes = plot_runs_ahead(seen, ahead, columns=(*names, arguments.y), level=arguments.level)
    return save_plot(axes, Path(arguments.plot))


def _of_laws(forecaster: Forecaster) -> dict[str, Any]:
    return {
        "weights": forecaster.weights_,
        "left_out": forecaster.left_out_,
        "calibration": forecaster.calibration_,
        "drift": forecaster.drift_,
        "n_clusters": forecaster.n_clusters_,
        "message": forecaster.message_,
    }


def _report_laws(forecaster: Forecaster, console: Console) -> None:
    shares = ", ".join(f"{name} {percent(weight)}" for name, weight in forecaster.weights_.items())
    console.print(f"laws weighed by rolling extrapolation: {shares}", markup=False)
    for name, why in forecaster.left_out_.items():
        console.print(f"left out {name}: {why}", markup=False, soft_wrap=True)
    if len(forecaster.rolling_):
        errors = forecaster.rolling_["error"].abs()
        missed = f"rolling extrapolation missed by {percent(float(errors.median()))} (median of {len(errors)})"
        console.print(missed, markup=False)
    else:
        console.print("too few runs to test the laws by rolling extrapolation", markup=False)
    drift = f"drift of the laws beyond the runs: {percent(forecaster.drift_)} of the loss for every factor e"
    console.print(f"{drift}; all other errors times {forecaster.calibration_:.2g}", markup=False)
    if forecaster.message_:
        console.print(forecaster.message_, markup=False, soft_wrap=True)


# ----------------------------------------------------------------------------------------------- a metric through it


def _forecast_metric(arguments: argparse.Namespace, console: Console) -> int:
    table = choose_metrics(arguments)
    at = places(table.rows, list(table.x.columns), arguments)
    with console.status(f"links of {counted(len(table.metric.columns), 'metric')}"):
        chain = Chain(arguments.link or "best", arguments.law, arguments.level, bounds=arguments.range).fit(
            table.x,
            table.loss,
            table.metric,
            table.labels(arguments.group),
            clusters=table.labels(arguments.cluster),
            of_loss=table.of_loss,
            chance=table.chance,
            higher_is_better=table.higher_is_better,
            **table.noise,
        )
    names = list(at.columns)
    variables = next(iter(chain.losses_.values())).variables_
    found = chain.predict(at).rename(columns=dict(zip(variables, names, strict=True)))
    forecasts = [
        {"metric": row["task"], "at": {name: row[name] for name in names}}
        | {name: row[name] for name in ("loss", "predicted", "low", "high", "status", "message")}
        for row in found.to_dict("records")
    ]
    distinct = {id(forecaster): (task, forecaster) for task, forecaster in chain.losses_.items()}
    laws = {task: _of_laws(forecaster) for task, forecaster in distinct.values()}
    content = {
        "forecasts": forecasts,
        "law": arguments.law,
        **(laws if len(laws) > 1 else next(iter(laws.values()))),
        "links": chain.table_.to_dict("records"),
        "told": list(table.told),
        "n": int(table.of_loss.sum()),
        **table.rows.as_json(),
        "settings": given(arguments, (*_SETTINGS, "n_eval", "stderr", "chance", "range")),
    }
    write_json(arguments.json, content)
    drawn = _draw(chain, table, found, arguments) if arguments.plot else []
    _report_metrics(found, names, chain, arguments, console)
    if len(distinct) == 1:
        _report_laws(next(iter(chain.losses_.values())), console)
    else:
        _report_losses(chain, table, console)
    table.report(console)
    if drawn and (left := [task for task in chain.losses_ if task not in list(chain.links_)[:MOST_DRAWN]]):
        console.print(f"not drawn: {listed(left)}", markup=False, soft_wrap=True)
    report_files(drawn, console)
    return 0


def _report_metrics(
    found: pd.DataFrame, names: list[str], chain: Chain, arguments: argparse.Namespace, console: Console
) -> None:
    words = _places_in_words(found[names])
    words.insert(0, "metric", found["task"])
    words["loss"] = [f"{value:.4g}" for value in found["loss"]]
    words["forecast"] = [ABSENT if value != value else f"{value:.4g}" for value in found["predicted"]]
    words[f"a new run, {confidence(arguments.level)}"] = _ends(found)
    words["status"] = found["status"]
    console.print(as_rich(words, "Forecasts through the loss"))
    for message in dict.fromkeys(filter(None, found["message"])):
        console.print(message, markup=False, soft_wrap=True)
    for row in chain.table_.to_dict("records"):
        if (task := row["task"]) in chain.links_ and row["status"] == LinkStatus.FOLLOWS:
            weights = {link: weight for link, weight in chain.links_[task].weights.items() if weight >= _WORTH_SAYING}
            shares = ", ".join(f"{link} {percent(weight)}" for link, weight in weights.items())
            end = f"it ends at {row['ceiling']:.3g} ({between(row['ceiling_low'], row['ceiling_high'])})"
            console.print(f"{task}: links weighed {shares}; {end}", markup=False, soft_wrap=True)


def _report_losses(chain: Chain, table: MetricTable, console: Console) -> None:
    """How well the laws of all losses predicted larger runs, in a line."""
    missed = {
        table.loss_names[task]: float(forecaster.rolling_["error"].abs().median())
        for task, forecaster in chain.losses_.items()
        if len(forecaster.rolling_)
    }
    if missed:
        worst = max(missed, key=lambda name: missed[name])
        usual = f"rolling extrapolation of the losses missed by {percent(float(np.median(list(missed.values()))))}"
        console.print(f"{usual} (median of {len(missed)}), at most by {percent(missed[worst])} ({worst})", markup=False)
    for task, forecaster in chain.losses_.items():
        if forecaster.message_:
            console.print(f"{table.loss_names[task]}: {forecaster.message_}", markup=False, soft_wrap=True)


def _draw(chain: Chain, table: MetricTable, found: pd.DataFrame, arguments: argparse.Namespace) -> list[Path]:
    """A panel for each of the first metrics that have a link."""
    from harness.report.link_plots import link_panels, plot_link

    tasks = list(chain.links_)[:MOST_DRAWN]
    if not tasks:
        raise UserError(f"--plot {arguments.plot}: no metric follows the loss, so there is no link to draw")
    low, high = arguments.range
    panels = link_panels(len(tasks))
    for task, ax in zip(tasks, panels, strict=True):
        loss = table.loss[task].to_numpy() if isinstance(table.loss, pd.DataFrame) else table.loss
        forecasts = found[found["task"] == task]
        measured = table.metric[task].to_numpy()
        points = pd.DataFrame({"loss": loss, "metric": measured})[np.isfinite(loss) & np.isfinite(measured)]
        most, least = points["loss"].max(), min(points["loss"].min(), forecasts["loss"].min())
        plot_link(
            points,
            chain.curve(np.linspace(float(most), float(least), _ALONG), task),
            forecasts,
            ax,
            loss_name=table.loss_names[task],
            metric_name=task,
            chance=table.chance.get(task),
            ceiling=high if chain.rises(task) else low,
            level=arguments.level,
        )
    return save_plot(panels[0], Path(arguments.plot))


def _places_in_words(at: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: [f"{value:.4g}" for value in at[name]] for name in at.columns})


def _ends(table: pd.DataFrame) -> list[str]:
    return [ABSENT if low != low else between(low, high) for low, high in zip(table["low"], table["high"], strict=True)]


# ---------------------------------------------------------------------------------------------------- places of --at


def places(rows: Rows, wanted: list[str], arguments: argparse.Namespace) -> pd.DataFrame:
    """The places of --at (m, d), under the names of --x; columns that --derive knows how to make may be left out.

    Raises:
        UserError: one that is malformed, lacks a column, has one too many, or is not of finite numbers above 0.
    """
    return pd.concat([_place(text, rows, wanted, arguments) for text in arguments.at], ignore_index=True)


def _place(text: str, rows: Rows, wanted: list[str], arguments: argparse.Namespace) -> pd.DataFrame:
    row = pd.DataFrame([_stated(text)])
    known = list(rows.frame.columns) if arguments.derive else wanted
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
