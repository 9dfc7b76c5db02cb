"""Whether a results folder is sound: its pieces, its tables, and that they say the same. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from harness.errors import DataError
from harness.records.pieces import Row, list_pieces, read_piece, table_paths
from harness.records.reading import OtherVersionError, read_table
from harness.records.rows import check_finite
from harness.records.run_settings import is_imported, parse_config
from harness.records.schema import SCHEMAS
from harness.records.writer import piece_path

#: What makes a row of measurements one number.
_KEY = ["run_id", "step", "split", "subtask", "metric"]

#: What `harness analyze` writes about the tables.
REPORTS = ("report.html", "card.md")

#: Relative difference between a run's totals and its last measurement that rounding explains.
_ROUNDING = 1e-9


@dataclass
class Findings:
    """What `examine` found.

    Attributes:
        runs: the newest row of every run that can be read.
        problems: what is wrong, a line each.
        pieces: run_ids of the runs with sound pieces.
        bad: run_id -> the one among the problems for which its pieces cannot be used.
        notes: what is unfinished and does no harm, a line each.
    """

    runs: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    pieces: set[str] = field(default_factory=set)
    bad: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def examine(folder: Path) -> Findings:
    """Read all that a results folder holds and say what is wrong with it.

    Pieces: readable, one sound run each, under its own name. Tables: both there, each run once, each number once, of
    runs that are in the table. Both: where a run's row is the same in its piece and in the table, so are its numbers.
    Runs that the harness trained: a finished one was measured at its last step, or where its patience ran out, and
    tokens and FLOPs there are the run's.

    Raises:
        OtherVersionError: the folder's tables are of another schema version.
    """
    found = Findings()
    tables = _read_tables(folder, found)
    pieces = dict(_read_pieces(folder, found))
    found.pieces = set(pieces)
    rows = {row["run_id"]: row for row in tables["runs"].to_pylist()}
    _compare(folder, rows, tables["measurements"], pieces, found)
    rows |= {run_id: run for run_id, (run, _) in pieces.items()}
    found.runs = list(rows.values())
    in_pieces = pa.concat_tables([SCHEMAS["measurements"].empty_table(), *(numbers for _, numbers in pieces.values())])
    numbers = _frame(tables["measurements"])
    numbers = pd.concat([numbers[~numbers["run_id"].isin(list(pieces))], _frame(in_pieces)])
    _check_numbers({run_id: _file(folder, run_id, pieces) for run_id in rows}, rows, numbers, found)
    found.notes += _old_reports(folder)
    return found


def _file(folder: Path, run_id: str, pieces: Collection[str]) -> Path:
    """The file that a run's numbers are read from."""
    return piece_path(folder, run_id) if run_id in pieces else table_paths(folder)["measurements"]


def _old_reports(folder: Path) -> list[str]:
    """A line for each report that was written before the tables were."""
    written = [path.stat().st_mtime_ns for path in table_paths(folder).values() if path.exists()]
    reports = [folder / name for name in REPORTS]
    old = [path for path in reports if written and path.exists() and path.stat().st_mtime_ns < max(written)]
    return [f"{path}: older than the tables; `harness analyze` writes it anew" for path in old]


def _read_pieces(folder: Path, found: Findings) -> Iterator[tuple[str, tuple[Row, pa.Table]]]:
    """(run_id, (its row, its measurements)) of each sound piece."""
    listing = list_pieces(folder)
    found.problems += [f"{path}: foreign, not a piece of a run" for path in listing.foreign]
    for run_id in listing.files:
        try:
            piece = read_piece(folder, run_id)
        except DataError as error:
            found.problems.append(str(error))
            found.bad[run_id] = str(error)
            continue
        yield run_id, (piece["runs"].to_pylist()[0], piece["measurements"].cast(SCHEMAS["measurements"]))


def _read_tables(folder: Path, found: Findings) -> dict[str, pa.Table]:
    """Both tables, empty where there are none or one cannot be used."""
    paths = table_paths(folder)
    empty = {name: schema.empty_table() for name, schema in SCHEMAS.items()}
    if not any(path.exists() for path in paths.values()):
        return empty
    try:
        tables = {name: read_table(path, name) for name, path in paths.items()}
    except OtherVersionError:
        raise
    except DataError as error:
        found.problems.append(str(error))
        return empty
    runs, numbers = tables["runs"], tables["measurements"]
    ids = Counter(runs.column("run_id").to_pylist())
    for run_id, times in ids.items():
        if times > 1:
            found.problems.append(f"{paths['runs']}: run {run_id} has {times} rows")
    of_none = set(numbers.column("run_id").to_pylist()) - set(ids)
    if of_none:
        found.problems.append(f"{paths['measurements']}: holds numbers of {_runs(of_none)} that the runs table lacks")
    finished = {row["run_id"] for row in runs.select(["run_id", "status"]).to_pylist() if row["status"] == "finished"}
    try:
        of_finished = np.isin(numbers.column("run_id").to_numpy(), list(finished))
        check_finite(numbers.filter(pa.array(of_finished)), str(paths["measurements"]))
    except DataError as error:
        found.problems.append(str(error))
    return tables


def _compare(
    folder: Path, rows: dict[str, Row], numbers: pa.Table, pieces: dict[str, tuple[Row, pa.Table]], found: Findings
) -> None:
    """Rows and measurements of the tables with those of the pieces."""
    behind = [run_id for run_id, (run, _) in pieces.items() if run_id not in rows or _is_newer(run, rows[run_id])]
    if behind:
        found.notes.append(f"{_runs(behind)} newer than the tables: `harness collect` brings them in")
    collected = _frame(numbers)
    by_run = dict(iter(collected.groupby("run_id")))
    for run_id, (run, its_numbers) in pieces.items():
        if run_id in behind:
            continue
        path = piece_path(folder, run_id)
        if run != rows[run_id]:
            differing = [name for name in run if run[name] != rows[run_id][name]]
            found.problems.append(f"{path}: run {run_id}: piece and table differ in {', '.join(differing)}")
        elif not _sorted(_frame(its_numbers)).equals(_sorted(by_run.get(run_id, collected[:0]))):
            found.problems.append(f"{path}: run {run_id}: piece and table hold different measurements")


def _is_newer(piece: Row, row: Row) -> bool:
    return bool(piece["finished_at"] > row["finished_at"])


def _frame(numbers: pa.Table) -> pd.DataFrame:
    """Measurements with whole numbers that stay whole where others of their column are missing."""
    return numbers.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)


def _sorted(numbers: pd.DataFrame) -> pd.DataFrame:
    return numbers.sort_values(_KEY, ignore_index=True)


def _check_numbers(files: dict[str, Path], rows: dict[str, Row], numbers: pd.DataFrame, found: Findings) -> None:
    """That numbers are there once, and go on to the end of runs that finished."""
    twice = numbers[numbers.duplicated(_KEY) & numbers["run_id"].isin(list(rows))]
    for run_id, part in twice.groupby("run_id"):
        file, example = files[str(run_id)], _words(part.iloc[0])
        found.problems.append(f"{file}: run {run_id}: {len(part)} numbers are there twice, {example} among them")
    last = numbers.sort_values("step", kind="stable").groupby("run_id").tail(1).set_index("run_id")
    for run_id, run in rows.items():
        config = parse_config(run["config"])
        if run["status"] != "finished" or is_imported(config):
            continue
        if run_id not in last.index:
            found.problems.append(f"{files[run_id]}: run {run_id}: finished, and has no measurements")
            continue
        end = last.loc[run_id]
        if end["step"] != run["steps"] and config.get("patience") is None:
            found.problems.append(
                f"{files[run_id]}: run {run_id}: finished {run['steps']} steps, and was last measured at {end['step']}"
            )
        elif not np.allclose([end["tokens"], end["flops"]], [run["tokens"], run["flops"]], rtol=_ROUNDING, atol=0):
            found.problems.append(
                f"{files[run_id]}: run {run_id}: tokens or flops at the last step are not those of the run"
            )


def _words(number: pd.Series) -> str:
    return f"{number['metric']} of {number['subtask']} at step {number['step']}"


def _runs(some: Collection[str]) -> str:
    return "1 run" if len(some) == 1 else f"{len(some)} runs"
