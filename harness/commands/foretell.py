"""``harness foretell RESULTS``: where an ability will appear, from smaller models that were fine-tuned on it."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console

from harness.analysis.emergence.thresholds import thresholds
from harness.analysis.planning.foretell import KEY, Foretold, foretell
from harness.commands.arguments import AMOUNTS, MOST_DRAWN, SIZES
from harness.commands.columns import SETTINGS, CurveTable, choose_curves, default_column, rename_in
from harness.commands.output import check_plot, given, report_files, save_plot, write_json
from harness.commands.tables import choose_rows
from harness.errors import DataError, UserError
from harness.records.columns import label_column
from harness.records.table import read_rows
from harness.report.names import metric_name
from harness.report.terminal import as_rich
from harness.wording import ABSENT, confidence, count, interval, p_value

_SETTINGS = ("results", *SETTINGS, "amount", "parent", "at", "top", "below", "level")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Foretell, write and report; 0.

    Raises:
        UserError: as `choose_rows`, `choose_curves` and `foretell`.
    """
    check_plot(arguments.plot)
    if repeated := [path for path, n in Counter(arguments.results).items() if n > 1]:
        raise UserError(f"{repeated[0]}: named twice")
    curves, x, amount = _read(arguments)
    try:
        found = foretell(
            curves.frame,
            x,
            amount,
            at=arguments.at,
            top=arguments.top,
            below=arguments.below,
            level=arguments.level,
        )
    except DataError as error:
        rename_in(error, arguments)
        raise
    observed = observed_thresholds(found)
    content = {
        "abilities": found.table.merge(observed, on=list(KEY), how="left").to_dict("records"),
        "amounts": found.amounts.to_dict("records"),
        "rolling": found.rolling.to_dict("records"),
        **curves.as_json(),
        "settings": given(arguments, _SETTINGS) | {"x": x, "amount": amount},
    }
    write_json(arguments.json, content)
    drawn = _draw(found, observed, Path(arguments.plot)) if arguments.plot else []
    _report(found, observed, arguments, console)
    curves.report(console)
    curves.rows.report(f"{_abilities(len(found.table))}, {curves.counted}", console)
    if len(found.table) > MOST_DRAWN and drawn:
        console.print(f"drawn are the first {MOST_DRAWN}; --where picks others", markup=False, soft_wrap=True)
    report_files(drawn, console)
    return 0


def _read(arguments: argparse.Namespace) -> tuple[CurveTable, str, str]:
    """The rows of all tables together, under the names that the analysis knows; the columns of sizes and amounts."""
    tables = [read_rows(path) for path in arguments.results]
    frame = pd.concat(tables, ignore_index=True)
    frame = frame.set_axis(pd.RangeIndex(1, len(frame) + 1), axis="index")
    rows = choose_rows(frame, ", ".join(arguments.results), arguments)
    x = arguments.x or default_column(rows.frame, SIZES, "--x", "the column of sizes")
    amount = arguments.amount or default_column(
        rows.frame, AMOUNTS, "--amount", "the column of examples that runs were fine-tuned on"
    )
    _refuse_alternatives(rows.frame, amount)
    if arguments.parent:
        rows = rows.with_columns(parent=label_column(rows.frame, arguments.parent))
    try:
        return choose_curves(rows, [] if x == "parent_loss" else [x], arguments, _lacks), x, amount
    except DataError as error:
        rename_in(error, arguments)
        raise


def _refuse_alternatives(frame: pd.DataFrame, amount: str) -> None:
    """Refuse recorded runs of one study, size and amount that differ in duration or learning rate: they are no curve.

    Raises:
        UserError: names the column and its values.
    """
    if not {"parent_run", SIZES, amount} <= set(frame.columns):
        return
    places = frame.groupby(["study", SIZES, amount], dropna=False)
    for name in ("lr", "steps"):
        if (places[name].nunique() > 1).any():
            shown = ", ".join(map(str, frame[name].unique()[:4]))
            raise UserError(f"runs of one size and amount differ in {name} ({shown}): --where chooses those of one")


def _lacks(frame: pd.DataFrame, apart: Sequence[str]) -> Iterator[str]:
    """What a forecast has to do without."""
    if "chance" not in frame or frame["chance"].isna().all():
        yield "chance (taken as 0; --chance states what a guesser scores)"
    if not {"parent_run", "parent", "seed"} & set(frame.columns):
        yield "which runs began from one model (--parent or --seed): each is taken to err by itself"


def observed_thresholds(found: Foretold) -> pd.DataFrame:
    """N* of each pretrained family where it was measured on sizes larger than those that the forecast had: a row an
    ability, with observed, observed_low and observed_high, and whether the forecast's interval holds it."""
    columns = ["observed", "observed_low", "observed_high", "held"]
    rows = []
    for row in found.table.to_dict("records"):
        key = {name: row[name] for name in KEY}
        family = found.family[(found.family[list(KEY)].astype(str) == list(map(str, key.values()))).all(axis=1)]
        falls = found.axis.falls
        further = family[found.axis.x] < row["largest"] if falls else family[found.axis.x] > row["largest"]
        if not further.any():
            continue
        placed = thresholds(family.drop(columns=["paired_metric"], errors="ignore"), found.axis.x, level=found.level)
        (place,) = placed.to_dict("records")
        low, high, value = (place[f"threshold{end}"] for end in ("_low", "_high", ""))
        held = row["low"] <= value <= row["high"] if value == value and row["status"] == "forecast" else None
        rows.append(key | dict(zip(columns, (value, low, high, held), strict=True)))
    return pd.DataFrame(rows, columns=[*KEY, *columns])


def _report(found: Foretold, observed: pd.DataFrame, arguments: argparse.Namespace, console: Console) -> None:
    table = found.table.merge(observed, on=list(KEY), how="left")
    level, x = confidence(arguments.level), found.axis.x
    names = _names(table)
    words = pd.DataFrame(names)
    words["up to"] = [count(value) for value in table["largest"]]
    words["amounts"] = table["n_amounts"].astype(str)
    words["p"] = [p_value(value) for value in table["p_value"]]
    ends = zip(table["threshold"], table["low"], table["high"], strict=True)
    words["N* foretold"] = [_interval(*each) for each in ends]
    if len(observed):
        seen = zip(table["observed"], table["observed_low"], table["observed_high"], strict=True)
        words["N* found"] = [_interval(*each) for each in seen]
        words["held"] = [{True: "yes", False: "no"}.get(held, ABSENT) for held in table["held"]]
    words["status"] = table["status"]
    console.print(as_rich(words, f"N* of the pretrained family in {x}, {level} intervals"))
    for label, row in zip(_labels(names), table.to_dict("records"), strict=True):
        said = f"{row['status']} – {row['message']}" if row["message"] else row["status"]
        console.print(f"{label}: {said}", markup=False, soft_wrap=True)
    if len(found.amounts):
        console.print(as_rich(_by_amount(found, names), f"N* by fine-tuning examples, each by its own runs; {level}"))
    console.print(
        "p: that more examples do not move N* towards smaller models; up to: the largest size that was used",
        markup=False,
        soft_wrap=True,
    )


def _names(table: pd.DataFrame) -> dict[str, list[str]]:
    """The columns of names that tell abilities apart."""
    columns = [name for name in KEY if table[name].nunique() > 1] or ["metric"]
    return {
        name: [metric_name(str(each)) if name == "metric" else str(each) for each in table[name]] for name in columns
    }


def _labels(names: dict[str, list[str]]) -> list[str]:
    return [", ".join(each) for each in zip(*names.values(), strict=True)]


def _by_amount(found: Foretold, names: dict[str, list[str]]) -> pd.DataFrame:
    """A row an ability, a column an amount."""
    keys = list(map(tuple, found.table[list(KEY)].astype(str).to_numpy()))
    cells = {
        (tuple(map(str, (row[name] for name in KEY))), row["amount"]): _interval(
            row["threshold"], row["low"], row["high"], 2
        )
        for row in found.amounts.to_dict("records")
    }
    words = pd.DataFrame(names)
    for amount in sorted(found.amounts["amount"].unique()):
        title = "none" if amount == 0 else count(float(amount))
        words[title] = [cells.get((key, amount), ABSENT) for key in keys]
    return words


def _interval(value: float, low: float, high: float, digits: int = 3) -> str:
    return interval(value if value > 0 else float("inf"), low, high, digits)


def _draw(found: Foretold, observed: pd.DataFrame, path: Path) -> list[Path]:
    from harness.report.foretell_plots import plot_foretold

    return save_plot(plot_foretold(found, observed)[0], path)


def _abilities(n: int) -> str:
    return "1 ability" if n == 1 else f"{n:,} abilities"
