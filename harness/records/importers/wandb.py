"""CSV files of Weights & Biases, in any of three layouts.

- A chart's export: a column of steps and, for each run, ``RUN - METRIC`` beside ``RUN - METRIC__MIN`` and ``__MAX``,
  which are passed over. W&B thins long curves out before it draws or exports them.
- A run's history, as ``run.history().to_csv(...)`` of its Python API gives it: a column of steps and one a metric.
- The runs table's export: a row a run, its name in ``Name``, with the last value of each metric.

Steps stand in a column ``.../global_step``, else ``Step``, else ``_step``. W&B's own step counts calls of `log`, which
are optimizer steps only where a run logs them so: where there is a global_step, take it as x axis before you export.
In a runs table, columns called as those of the harness's runs table (params_total, seed, ...) give the runs' settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import DataError
from harness.records.importers.about import SETTABLE
from harness.records.importers.found import Format, FoundRun
from harness.records.importers.series import of_names

_STEPS = ("global_step", "Step", "_step")
_EXPECTED = "a chart's or the runs table's export, or a run's history"


def read(path: Path) -> list[FoundRun]:
    """The runs of a CSV file.

    Raises:
        DataError: not CSV, no column of steps or of names, or no metric among the columns.
    """
    table = _read_table(path)
    steps = _step_columns(table)
    shown = ", ".join(table.columns[:5])
    if "Name" in table.columns:
        runs = list(_runs_of_summaries(path, table, next(iter(steps), None)))
    elif not steps:
        raise DataError(f"{path}: no column Step (columns {shown}); export the chart with Step on its x axis")
    else:
        # Not every call of `log` need state the global_step.
        complete = [column for column in steps if not table[column].eq("").any()]
        runs = list(_runs_of_curves(path, table, (complete or steps)[0]))
    runs = [run for run in runs if run.numbers]
    if not runs:
        raise DataError(f"{path}: no metric among its columns ({shown}); allowed is e.g. eval/loss")
    return runs


def _read_table(path: Path) -> pd.DataFrame:
    """The file's cells as text, for an empty cell is no value but NaN is one."""
    try:
        cells = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: empty or not CSV; allowed is {_EXPECTED}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    table = cells.iloc[1:].set_axis(cells.iloc[0], axis="columns")
    if table.columns.has_duplicates:
        twice = table.columns[table.columns.duplicated()][0]
        raise DataError(f"{path}: column {twice} is there twice: give the runs names of their own in W&B")
    return table


def _step_columns(table: pd.DataFrame) -> list[str]:
    """Columns that count steps, the best first."""
    last_words = {column.rpartition("/")[2]: column for column in reversed(table.columns) if " - " not in column}
    return [last_words[step] for step in _STEPS if step in last_words]


def _runs_of_curves(path: Path, table: pd.DataFrame, step: str) -> Iterator[FoundRun]:
    steps = [_step(path, step, row, cell) for row, cell in enumerate(table[step])]
    by_run: dict[str, dict[str, dict[int, float]]] = {}
    for column in table.columns:
        if column == step or column.endswith(("__MIN", "__MAX")):
            continue
        run, separator, name = column.rpartition(" - ")
        values = zip(steps, map(_number, table[column]), strict=True)
        of_run = by_run.setdefault(run if separator else path.stem, {})
        of_run[name] = {at: value for at, value in values if value is not None}
    for run, series in by_run.items():
        found = of_names(series)
        yield FoundRun(path, run, found.numbers, found.settings, run, found.tokens_at, problems=found.problems)


def _runs_of_summaries(path: Path, table: pd.DataFrame, step: str | None) -> Iterator[FoundRun]:
    for row, cells in enumerate(table.to_dict("records")):
        at = _step(path, step, row, cells[step]) if step is not None and cells[step] else 0
        series = {str(name): {at: value} for name, cell in cells.items() if (value := _number(cell)) is not None}
        found = of_names({name: values for name, values in series.items() if name not in SETTABLE})
        stated: dict[str, Any] = {str(name): cell for name, cell in cells.items() if name in SETTABLE and cell}
        name = str(cells["Name"])
        # W&B lets runs share a name.
        part = name if table["Name"].eq(name).sum() == 1 else f"{name}, line {row + 2}"
        settings = found.settings | stated
        yield FoundRun(path, name, found.numbers, settings, part, found.tokens_at, problems=found.problems)


def _step(path: Path, column: str, row: int, cell: str) -> int:
    value = _number(cell)
    if value is None or not 0 <= value < 2**63 or value != int(value):
        # The header is line 1 of the file.
        raise DataError(f"{path}: {column} in line {row + 2} is {cell!r}; allowed are whole numbers from 0")
    return int(value)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


FORMAT = Format("wandb", ("*.csv",), read)
