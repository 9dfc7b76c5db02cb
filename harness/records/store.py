"""Results folders: merging the pieces that runs left, and loading the tables.

A results folder holds ``pieces/<run_id>.runs.parquet`` and ``pieces/<run_id>.measurements.parquet``, one pair a run,
and what `collect` makes of them: ``runs.parquet`` and ``measurements.parquet``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.errors import DataError, UserError, nearest
from harness.records.schema import RUNS, SCHEMA_VERSION, SCHEMAS, STATUSES
from harness.records.writer import PIECES, check_finite, check_run, piece_path, write_table

#: Where results folders are looked for by name.
RESULTS = Path("results")

_ORDER = {
    "runs": ("study", "rung", "duration", "lr", "seed", "run_id"),
    "measurements": ("run_id", "split", "metric", "subtask", "step"),
}


class OtherVersionError(DataError):
    """A table that another version of the schema wrote."""


@dataclass(frozen=True)
class CollectReport:
    """What `collect` found.

    Attributes:
        folder: the results folder.
        n_runs: runs in the table.
        by_status: number of runs with each status, in the order finished, diverged, failed.
        n_measurements: rows of the measurements table.
        problems: "file: what is wrong" for each file that was left out.
    """

    folder: Path
    n_runs: int
    by_status: dict[str, int]
    n_measurements: int
    problems: tuple[str, ...]


def read_table(path: Path, table: str) -> pa.Table:
    """Read a Parquet file that must hold rows of `table` ("runs" or "measurements").

    Raises:
        OtherVersionError: written under another schema version.
        DataError: corrupt, truncated, foreign, or lacking a column; the file is named.
    """
    schema = SCHEMAS[table]
    try:
        content = pq.read_table(path, page_checksum_verification=True, partitioning=None)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except PermissionError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: corrupt or truncated, not readable as Parquet") from error
    version = (content.schema.metadata or {}).get(b"schema_version", b"").decode()
    if version and version != str(SCHEMA_VERSION):
        raise OtherVersionError(f"{path}: schema version {version}; this harness reads version {SCHEMA_VERSION}")
    missing = [name for name in schema.names if name not in content.schema.names]
    if len(missing) == len(schema.names) or (missing and not version):
        raise DataError(f"{path}: foreign, not a {table} table (columns {', '.join(content.schema.names[:6])})")
    if missing:
        raise DataError(f"{path}: lacks column {', '.join(missing)}")
    if not version:
        raise DataError(f"{path}: foreign, states no schema version")
    for field in schema:
        found = content.schema.field(field.name).type
        if found != field.type:
            raise DataError(f"{path}: column {field.name} is {found}, not {field.type}")
        if not field.nullable and (nulls := content.column(field.name).null_count):
            raise DataError(f"{path}: column {field.name} is null in {nulls} rows")
    return content.select(schema.names).cast(schema)


def collect(folder: Path | str) -> CollectReport:
    """Merge a folder's pieces, and the rows already in its tables, into runs.parquet and measurements.parquet.

    Collecting twice gives the same bytes. A piece takes the place of the same run's rows in the tables. Files that
    cannot be used are named in the report and left where they are, except tables: where one of the two is unreadable,
    both are renamed to ``<name>.unreadable`` and made anew from the pieces.

    Raises:
        OtherVersionError: the folder's tables are of another schema version; nothing is written.
        DataError: nothing to collect.
        UserError: the tables cannot be written.
    """
    folder = Path(folder)
    problems: list[str] = []
    pieces = {name: [SCHEMAS[name].empty_table()] for name in SCHEMAS}
    for run_id in _piece_ids(folder, problems):
        try:
            run = read_table(piece_path(folder, run_id, "runs"), "runs")
            numbers = read_table(piece_path(folder, run_id, "measurements"), "measurements")
            path = piece_path(folder, run_id, "runs")
            check_run(run, numbers, str(path))
            if run.column("run_id")[0].as_py() != run_id:
                raise DataError(f"{path}: foreign, holds run {run.column('run_id')[0]}")
        except DataError as error:
            problems.append(str(error))
            continue
        pieces["runs"].append(run)
        pieces["measurements"].append(numbers)

    tables = {name: pa.concat_tables(parts) for name, parts in pieces.items()}
    paths = {name: folder / f"{name}.parquet" for name in SCHEMAS}
    aside = False
    if any(path.exists() for path in paths.values()):
        try:
            merged = {name: read_table(path, name) for name, path in paths.items()}
        except OtherVersionError:
            raise
        except DataError as error:
            aside = True
            problems.append(f"{error}; kept as *.parquet.unreadable, made anew from the pieces")
        else:
            collected = tables["runs"].column("run_id")
            for name, table in merged.items():
                kept = table.filter(pc.invert(pc.is_in(table.column("run_id"), value_set=collected)))
                tables[name] = pa.concat_tables([tables[name], kept])
    if not tables["runs"].num_rows:
        because = f"; {problems[0]}" if problems else "; `harness sweep experiment=NAME` makes them"
        raise DataError(f"{folder}: no runs to collect{because}")
    if aside:
        _set_aside(paths.values())
    for name in ("measurements", "runs"):
        order = [(column, "ascending") for column in _ORDER[name]]
        write_table(tables[name].sort_by(order).combine_chunks(), paths[name])

    counts = Counter(tables["runs"].column("status").to_pylist())
    by_status = {status: counts[status] for status in STATUSES}
    return CollectReport(folder, tables["runs"].num_rows, by_status, tables["measurements"].num_rows, tuple(problems))


def _piece_ids(folder: Path, problems: list[str]) -> list[str]:
    """Runs that have a runs piece, sorted; files that are no piece, or lack their run, go to `problems`."""
    suffixes = {name: f".{name}.parquet" for name in SCHEMAS}
    ids: dict[str, set[str]] = {name: set() for name in SCHEMAS}
    for path in sorted((folder / PIECES).glob("[!.]*")):
        for name, suffix in suffixes.items():
            if path.name.endswith(suffix):
                ids[name].add(path.name.removesuffix(suffix))
                break
        else:
            problems.append(f"{path}: foreign, not a piece of a run")
    for run_id in sorted(ids["measurements"] - ids["runs"]):
        path = piece_path(folder, run_id, "measurements")
        problems.append(f"{path}: left by a run that was interrupted; running it again replaces it")
    return sorted(ids["runs"])


def _set_aside(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists():
            try:
                os.replace(path, path.with_name(path.name + ".unreadable"))
            except OSError as error:
                raise UserError(f"{path} cannot be renamed: {error.strerror}") from error


def finished_run_ids(folder: Path | str) -> dict[str, str]:
    """Status of every run that a folder holds, by run_id; {} for a folder that is not there yet.

    Cheap: reads one column of each piece. Pieces that cannot be read are passed over, for `collect` names them.

    Raises:
        OtherVersionError: the folder's tables are of another schema version.
    """
    folder = Path(folder)
    found: dict[str, str] = {}
    if (path := folder / "runs.parquet").exists():
        try:
            runs = read_table(path, "runs")
        except OtherVersionError:
            raise
        except DataError:
            runs = RUNS.empty_table()
        found |= zip(runs.column("run_id").to_pylist(), runs.column("status").to_pylist(), strict=True)
    for run_id in _piece_ids(folder, problems=[]):
        try:
            status = pq.read_table(piece_path(folder, run_id, "runs"), columns=["status"], partitioning=None)
            found[run_id] = status.column("status")[0].as_py()
        except (pa.ArrowException, OSError, IndexError, KeyError):
            continue
    return found


def load(
    path: Path | str,
    steps: Literal["last", "all"] = "last",
    split: str = "eval",
    statuses: Sequence[str] = ("finished",),
) -> pd.DataFrame:
    """Measurements joined to the runs that made them.

    Args:
        path: a results folder, a folder of several, or the name of one under ./results.
        steps: "last" for each run's last step, "all" for its trajectory.
        split: "eval" or "train".
        statuses: which runs; only finished ones unless told otherwise.

    Returns:
        One row per (run, subtask, metric), or per (run, subtask, metric, step) with steps="all". All columns of both
        tables: `step`, `tokens`, `flops` are those at the measurement, `tokens_run`, `flops_run` the run's totals.

    Raises:
        DataError: no such folder, no tables in it, a table that cannot be used, or a value of a finished run that is
            not finite.
    """
    if steps not in ("last", "all"):
        raise DataError(f"steps={steps!r}: allowed is 'last' or 'all'")
    if unknown := set(statuses) - set(STATUSES):
        raise DataError(f"statuses={sorted(unknown)[0]!r}: allowed are {', '.join(STATUSES)}")
    frames = [_load_one(folder, steps, split, statuses) for folder in _folders(path)]
    return pd.concat(frames, ignore_index=True)


def _load_one(folder: Path, steps: str, split: str, statuses: Sequence[str]) -> pd.DataFrame:
    runs = _read_runs(folder)
    numbers = read_table(folder / "measurements.parquet", "measurements")
    if "finished" in statuses:
        ids = runs.filter(pc.equal(runs.column("status"), "finished")).column("run_id")
        finished = numbers.filter(pc.is_in(numbers.column("run_id"), value_set=ids))
        check_finite(finished, str(folder / "measurements.parquet"))
    runs = runs.filter(pc.is_in(runs.column("status"), value_set=pa.array(statuses, pa.string())))
    frame = numbers.filter(pc.equal(numbers.column("split"), split)).to_pandas()
    if steps == "last":
        frame = frame[frame["step"] == frame.groupby("run_id")["step"].transform("max")]
    frame["n_eval"] = frame["n_eval"].where(frame["n_eval"] > 0)  # 0 where an import does not know it
    return frame.merge(runs.to_pandas(), on="run_id", suffixes=("", "_run"), validate="many_to_one")


def load_runs(path: Path | str) -> pd.DataFrame:
    """The runs table, failures included: one row a run, columns as in `schema.RUNS`.

    Raises:
        DataError: as `load`.
    """
    return pd.concat([_read_runs(folder).to_pandas() for folder in _folders(path)], ignore_index=True)


def _read_runs(folder: Path) -> pa.Table:
    path = folder / "runs.parquet"
    runs = read_table(path, "runs")
    ids = runs.column("run_id")
    if len(pc.unique(ids)) < len(ids):
        twice = Counter(ids.to_pylist()).most_common(1)[0][0]
        raise DataError(f"{path}: run {twice} has more than one row")
    return runs


def find_folder(path: Path | str) -> Path:
    """The results folder that `path` means: a folder, or the name of one under ./results.

    Raises:
        DataError: there is none.
    """
    for found in (Path(path), RESULTS / path):
        if found.is_dir():
            return found
    known = [folder.name for folder in RESULTS.glob("*") if folder.is_dir()]
    raise DataError(f"{path}: no such results folder{nearest(str(path), known)}")


def _folders(path: Path | str) -> list[Path]:
    """The folders with tables that `path` means."""
    found = find_folder(path)
    inner = [found, *sorted(folder for folder in found.iterdir() if folder.is_dir())]
    folders = [folder for folder in inner if (folder / "runs.parquet").exists()]
    if folders:
        return folders
    if any((folder / PIECES).is_dir() for folder in inner):
        raise DataError(f"{found}: runs not collected yet; `harness collect` makes the tables")
    makers = "`harness sweep experiment=NAME` and `harness collect` make them"
    raise DataError(f"{found}: no tables (runs.parquet); {makers}")
