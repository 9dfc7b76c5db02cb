"""The pieces of a results folder, and the one judge of which runs it holds: sweep, status and collect all ask it.

A run counts by its pieces where both can be used, and else by its rows in the tables, where these can.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from harness.errors import DataError, UserError
from harness.records.fingerprint import read_collected_note
from harness.records.reading import OtherVersionError, read_table
from harness.records.schema import SCHEMAS
from harness.records.writer import PIECES, alone, check_run, piece_path

#: Folder, inside a results folder, of pieces that could not be used.
SET_ASIDE = "set_aside"

Row = dict[str, Any]


@dataclass(frozen=True)
class Listing:
    """The files in a folder of pieces.

    Attributes:
        run_ids: runs that have a runs piece, sorted.
        interrupted: runs that have measurements alone, for their writer was stopped; sorted.
        foreign: files that are no piece.
    """

    run_ids: tuple[str, ...]
    interrupted: tuple[str, ...]
    foreign: tuple[Path, ...]


@dataclass(frozen=True)
class Recorded:
    """The runs of a results folder.

    Attributes:
        rows: run_id -> its row of the runs table, the newest.
        bad: run_id -> what is wrong with its pieces, the file named; a run may stand in the tables all the same.
    """

    rows: dict[str, Row]
    bad: dict[str, str]


def table_paths(folder: Path) -> dict[str, Path]:
    """The files of both tables of a results folder."""
    return {name: folder / f"{name}.parquet" for name in SCHEMAS}


def list_pieces(folder: Path) -> Listing:
    """The pieces of a results folder, by their names; none where there is no such folder."""
    ids: dict[str, set[str]] = {name: set() for name in SCHEMAS}
    foreign = []
    for path in sorted((folder / PIECES).glob("[!.]*")):
        run_id, _, table = path.name.removesuffix(".parquet").rpartition(".")
        if path.suffix == ".parquet" and table in ids:
            ids[table].add(run_id)
        else:
            foreign.append(path)
    interrupted = ids["measurements"] - ids["runs"]
    return Listing(tuple(sorted(ids["runs"])), tuple(sorted(interrupted)), tuple(foreign))


def read_piece(folder: Path, run_id: str) -> dict[str, pa.Table]:
    """The rows that a run adds to each table, its measurements as in `reading.ENCODED`.

    Raises:
        DataError: either file cannot be read, they do not hold one sound run, or it is another run.
    """
    path = piece_path(folder, run_id, "runs")
    rows = {name: read_table(piece_path(folder, run_id, name), name, name == "measurements") for name in SCHEMAS}
    check_run(rows["runs"], rows["measurements"], str(path))
    if (found := rows["runs"].column("run_id")[0].as_py()) != run_id:
        raise DataError(f"{path}: foreign, holds run {found}")
    return rows


def read_collected(folder: Path, besides: Collection[str]) -> dict[str, pa.Table]:
    """The rows in the tables of runs other than those given; of none where there are no tables.

    Raises:
        OtherVersionError: a table is of another schema version.
        DataError: one of the two cannot be used, so that neither can.
    """
    paths = table_paths(folder)
    if not any(path.exists() for path in paths.values()):
        return {name: schema.empty_table() for name, schema in SCHEMAS.items()}
    given = pa.array(list(besides), pa.string())
    tables = {name: read_table(path, name) for name, path in paths.items()}
    return {name: rows.filter(pc.invert(pc.is_in(rows.column("run_id"), given))) for name, rows in tables.items()}


def recorded(folder: Path | str) -> Recorded:
    """The runs that a results folder holds, as `store.collect` would merge them; none for a folder not there yet.

    Raises:
        OtherVersionError: the folder's tables are of another schema version.
    """
    folder = Path(folder)
    if (noted := read_collected_note(folder)) is not None:
        collected = read_table(table_paths(folder)["runs"], "runs").to_pylist()
        return Recorded({row["run_id"]: row for row in collected}, dict(noted.bad))
    rows, bad = dict[str, Row](), dict[str, str]()
    for run_id in list_pieces(folder).run_ids:
        try:
            rows[run_id] = read_piece(folder, run_id)["runs"].to_pylist()[0]
        except DataError as error:
            bad[run_id] = str(error)
    try:
        collected = read_collected(folder, rows)["runs"].to_pylist()
    except OtherVersionError:
        raise
    except DataError:  # `collect` names it, and makes the tables anew from the pieces
        collected = []
    return Recorded({row["run_id"]: row for row in collected} | rows, bad)


def set_aside(folder: Path, bad: Mapping[str, str]) -> list[str]:
    """Rename the pieces of runs into the folder `SET_ASIDE`, so that a sweep trains them again.

    Args:
        bad: run_id -> what is wrong with its pieces.

    Returns:
        A line for each run: what is wrong, and where its pieces are now.

    Raises:
        UserError: the folder cannot be written.
    """
    if not bad:
        return []
    with alone(folder / PIECES):
        # The runs piece first: without it there is no run, whenever this is interrupted.
        _move(folder, [piece_path(folder, run_id, name) for run_id in bad for name in SCHEMAS])
    return [f"{problem}; set aside in {folder / SET_ASIDE}" for problem in bad.values()]


def set_tables_aside(folder: Path) -> list[str]:
    """Rename both tables into the folder `SET_ASIDE`; a line for each. `store.collect` makes them anew from the pieces.

    Raises:
        UserError: the folder cannot be written.
    """
    paths = list(table_paths(folder).values())
    _move(folder, paths)
    return [f"{path}: set aside in {folder / SET_ASIDE}; `harness collect` makes it anew" for path in paths]


def _move(folder: Path, paths: Iterable[Path]) -> None:
    aside = folder / SET_ASIDE
    try:
        aside.mkdir(exist_ok=True)
        for path in paths:
            if path.exists():
                os.replace(path, _free(aside / path.name))
    except OSError as error:
        raise UserError(f"{aside} cannot be written: {error.strerror}") from error


def _free(path: Path) -> Path:
    """A path that no file has, for what was set aside earlier stays."""
    names = (path.with_name(f"{path.name}.{i}" if i else path.name) for i in range(10**6))
    return next(name for name in names if not name.exists())
