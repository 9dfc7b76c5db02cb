"""CSV files of Weights & Biases, in any of four layouts.

- A chart's export: a column of steps and, for each run, ``RUN - METRIC`` beside ``RUN - METRIC__MIN`` and ``__MAX``,
  which are passed over. W&B thins long curves out before it draws or exports them. Where runs share a name, their
  columns do, and are told apart by their order.
- A run's history, as ``run.history().to_csv(...)`` of its Python API gives it: a column of steps and one a metric.
- The histories of several runs below each other, with a column ``run_name`` or ``run``.
- The runs table's export: a row a run, its name in ``Name``, with the last value of each metric; or the like with
  ``run_name`` or ``run`` that is different in every row.

Steps stand in a column ``.../global_step``, else ``Step``, else ``_step``, else, in a chart's export, in whatever
column is its x axis; where that counts tokens, the tokens do too. W&B's own step counts calls of `log`, which are
optimizer steps only where a run logs them so: where there is a global_step, take it as x axis before you export.
Metrics whose names tell a benchmark (`benchmark_names`) become runs of their own, as of lm_eval. In a runs table,
columns called as those of the harness's runs table (params_total, seed, ...) give the runs' settings.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from harness.errors import DataError
from harness.records.importers.about import PARAMETERS, SETTABLE
from harness.records.importers.benchmark_names import benchmark_name
from harness.records.importers.found import Format, FoundRun, read_bytes, stem
from harness.records.importers.names import split_metric_and_subtask
from harness.records.importers.series import TOKENS, runs_of_names
from harness.wording import counted

_STEPS = ("global_step", "Step", "_step")
_NAMES = ("Name", "run_name", "run")
#: Between the run and the metric in the columns of a chart.
_OF_RUN = " - "
#: The range over which W&B averaged a value that it drew.
_RANGES = ("__MIN", "__MAX")
_EXPECTED = "a chart's or the runs table's export, or a run's history"


def read(path: Path) -> list[FoundRun]:
    """The runs of a CSV file.

    Raises:
        DataError: not CSV, no column of steps or of names, or no metric among the columns.
    """
    table, notes = _read_table(path)
    names = next((name for name in _NAMES if name in table.columns), None)
    steps = _step_columns(table)
    shown = ", ".join(table.columns[:5])
    # W&B lets runs share a Name; a run_name that comes again is of another step.
    if names and (names == "Name" or not steps or not table[names].duplicated().any()):
        runs = list(_runs_of_summaries(path, table, names, next(iter(steps), None), notes))
    elif not steps:
        raise DataError(f"{path}: no column Step (columns {shown}); export the chart with Step on its x axis")
    else:
        # Not every call of `log` need state the global_step.
        complete = [column for column in steps if not table[column].eq("").any()]
        step = (complete or steps)[0]
        if step.rpartition("/")[2] not in _STEPS:
            notes = (*notes, f"{path}: steps are those of its x axis, {step}")
        parts = table.groupby(names, sort=False) if names else [(None, table)]
        runs = [run for name, part in parts for run in _runs_of_curves(path, part, step, name, notes)]
    if not runs:
        left_out = f"{notes[-1]}; " if notes else f"{path}: "
        raise DataError(f"{left_out}no metric among its columns ({shown}); allowed is e.g. eval/loss")
    return runs


def _read_table(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The file's cells as text, for an empty cell is no value but NaN is one; without columns of ranges."""
    try:
        content = io.BytesIO(read_bytes(path))
        cells = pd.read_csv(content, header=None, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: empty or not CSV; allowed is {_EXPECTED}") from error
    ranges = cells.iloc[0].str.endswith(_RANGES)
    columns, shared = _told_apart(path, cells.iloc[0][~ranges].to_list())
    table = cells.loc[1:, ~ranges].set_axis(columns, axis="columns")
    notes = [f"{path}: {ranges.sum()} columns __MIN and __MAX are passed over"] if ranges.any() else []
    return table, (*notes, *shared, *_not_numbers(path, table))


def _not_numbers(path: Path, table: pd.DataFrame) -> Iterator[str]:
    """What is left out of columns of metrics, and of others most of whose cells are numbers, in words."""
    for column in table.columns:
        cells = table[column][table[column] != ""]
        text = cells[[_number(cell) is None for cell in cells]]
        if len(text) and (_is_metric(column) or len(text) < len(cells) / 2):
            line = f"line {text.index[0] + 1}: {text.iloc[0]}"
            yield f"{path}: column {column}: {counted(len(text), 'cell')} left out that no number stands in ({line})"


def _is_metric(column: str) -> bool:
    """Whether a column is read as a metric."""
    name = column.rpartition(_OF_RUN)[2]
    return benchmark_name(name) is not None or split_metric_and_subtask(name) is not None


def _told_apart(path: Path, columns: list[str]) -> tuple[list[str], list[str]]:
    """The columns of a chart, those of further runs of one name as of "NAME (2)", "NAME (3)"; and what to say."""
    seen: Counter[str] = Counter()
    named, shared = [], []
    for column in columns:
        seen[column] += 1
        run, separator, metric = column.rpartition(_OF_RUN)
        if seen[column] > 1 and not separator:
            raise DataError(f"{path}: column {column} is there twice; allowed is one")
        if seen[column] > 1:
            other = f"{run} ({seen[column]})"
            shared.append(f"{path}: runs share the name {run}: one of them is called {other} here")
            column = f"{other}{separator}{metric}"
        named.append(column)
    return named, shared


def _step_columns(table: pd.DataFrame) -> list[str]:
    """Columns that count steps, the best first."""
    of_all = [column for column in table.columns if _OF_RUN not in column]
    last_words = {column.rpartition("/")[2]: column for column in reversed(of_all)}
    found = [last_words[step] for step in _STEPS if step in last_words]
    is_chart = len(of_all) == 1 < len(table.columns)
    return found or (of_all if is_chart else [])


def _runs_of_curves(
    path: Path, table: pd.DataFrame, step: str, name: object, notes: tuple[str, ...]
) -> Iterator[FoundRun]:
    """The runs of a chart, or of a history of the run `name`."""
    # The header is line 1 of the file, and its index 0.
    lines = (table.index + 1).to_list()
    steps = [_step(path, step, line, cell) for line, cell in zip(lines, table[step], strict=True)]
    by_run: dict[str, dict[str, list[tuple[int | None, float]]]] = {}
    for column in table.columns:
        if column == step:
            continue
        run, separator, metric = column.rpartition(_OF_RUN)
        values = zip(steps, map(_number, table[column]), strict=True)
        of_run = by_run.setdefault(run if separator else str(name or stem(path)), {})
        of_run[metric] = [(at, value) for at, value in values if value is not None]
    for run, series in by_run.items():
        if "token" in step.lower():
            series.setdefault(TOKENS, [(at, float(at)) for at in steps])
        yield from runs_of_names(path, run, series, part=run, notes=notes)


def _runs_of_summaries(
    path: Path, table: pd.DataFrame, names: str, step: str | None, notes: tuple[str, ...]
) -> Iterator[FoundRun]:
    for row, cells in zip(table.index, table.to_dict("records"), strict=True):
        line = int(row) + 1
        at = _step(path, step, line, cells[step]) if step is not None and cells[step] else None
        series = {
            str(name): [(at, value)]
            for name, cell in cells.items()
            if not _is_setting(str(name), cell) and (value := _number(cell)) is not None
        }
        stated = {str(name): cell for name, cell in cells.items() if _is_setting(str(name), cell)}
        name = str(cells[names])
        # W&B lets runs share a name.
        part = name if table[names].eq(name).sum() == 1 else f"{name}, line {line}"
        yield from runs_of_names(path, name, series, part=part, settings=stated, notes=notes)


def _is_setting(name: str, cell: str) -> bool:
    """Whether a cell of a runs table states a column of the harness's runs table."""
    is_size = "param" in name and name in PARAMETERS
    return bool(cell) and (name in SETTABLE or is_size)


def _step(path: Path, column: str, line: int, cell: str) -> int:
    value = _number(cell)
    if value is None or not 0 <= value < 2**63 or value != int(value):
        raise DataError(f"{path}: {column} in line {line} is {cell!r}; allowed are whole numbers from 0")
    return int(value)


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)  # float() would take 1_000
    except ValueError:
        return None


FORMAT = Format("wandb", ("*.csv",), read)
