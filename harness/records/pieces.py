"""The pieces of a results folder, and the one judge of which runs it holds: sweep, status and collect all ask it.

A run counts by its piece where this can be used, and else by its rows in the tables, where these can. What the tables
were made of is noted (`fingerprint`), so that a piece that is in them already is not read again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from harness.errors import DataError, UnwritableError
from harness.records.files import make_own_folder
from harness.records.fingerprint import Noted, Stamps, read_note, stamp_pieces
from harness.records.order import measurements_in_order
from harness.records.piece_file import read_piece_file
from harness.records.reading import ENCODED, OtherVersionError, read_table
from harness.records.rows import check_run
from harness.records.schema import SCHEMAS
from harness.records.working_copy import copy_of, discard, pull, push
from harness.records.writer import PIECES, alone, earlier_paths, piece_path

#: Folder, inside a results folder, of pieces that could not be used.
SET_ASIDE = "set_aside"

Row = dict[str, Any]
_T = TypeVar("_T")

#: How many pieces are read at once, and from how many on: while one is waited for, as on a network file system, or
#: unpacked by Arrow, another is judged.
READERS, _MANY = 8, 64

#: Pieces whose rows are put together as soon as these are read.
_TOGETHER = 512


@dataclass(frozen=True)
class Listing:
    """The files in a folder of pieces.

    Attributes:
        stamps: as `fingerprint.stamp_pieces` gives them.
        files: run_id -> the names of its files, sorted by run_id.
        foreign: files that are no piece.
    """

    stamps: Stamps
    files: dict[str, tuple[str, ...]]
    foreign: tuple[Path, ...]

    def changed(self, noted: Noted | None) -> list[str]:
        """The runs whose pieces are not as noted."""
        if noted is None:
            return list(self.files)
        return [run for run, names in self.files.items() if any(self.stamps[n] != noted.pieces.get(n) for n in names)]


@dataclass(frozen=True)
class Recorded:
    """The runs of a results folder.

    Attributes:
        rows: run_id -> its row of the runs table, the newest.
        bad: run_id -> what is wrong with its piece, the file named; a run may stand in the tables all the same.
    """

    rows: dict[str, Row]
    bad: dict[str, str]


@dataclass(frozen=True)
class Pieces:
    """What the pieces of many runs hold.

    Attributes:
        runs: their rows of the runs table, in as few tables as may be: each column of a table takes a kilobyte.
        measurements: run_id -> its rows of the measurements table, in order.
        bad: run_id -> what is wrong with its piece, of the others.
    """

    runs: list[pa.Table]
    measurements: dict[str, pa.Table]
    bad: dict[str, str]


def table_paths(folder: Path) -> dict[str, Path]:
    """The files of both tables of a results folder."""
    return {name: folder / f"{name}.parquet" for name in SCHEMAS}


def pull_runs(folder: Path) -> None:
    """Fetch the runs and tables of a results folder that is a working copy of one on an object store.

    Raises:
        UserError: the store cannot be asked.
    """
    if copy_of(folder) is not None:
        pull(folder / PIECES, keeps_gone=True)
        pull(folder, [path.name for path in table_paths(folder).values()])


def list_pieces(folder: Path) -> Listing:
    """The pieces of a results folder, by their names; none where there is no such folder."""
    stamps = stamp_pieces(folder)
    files, halves, foreign = dict[str, tuple[str, ...]](), dict[str, set[str]](), list[Path]()
    for name in stamps:
        stem, suffix = os.path.splitext(name)
        run_id, _, table = stem.rpartition(".")
        if suffix != ".parquet":
            foreign.append(folder / PIECES / name)
        elif run_id and table in SCHEMAS:
            halves.setdefault(run_id, set()).add(name)
        else:
            files[stem] = (name,)
    for run_id, names in halves.items():
        if len(names) == len(SCHEMAS):
            files.setdefault(run_id, tuple(sorted(names)))
        else:  # its writer was stopped
            foreign += [folder / PIECES / name for name in names]
    return Listing(stamps, dict(sorted(files.items())), tuple(sorted(foreign)))


def read_piece(folder: Path, run_id: str) -> dict[str, pa.Table]:
    """The rows that a run adds to each table, its measurements as in `reading.ENCODED`.

    Raises:
        DataError: the file, or a file of an earlier harness's two, cannot be read, does not hold one sound run, or
            holds another run.
    """
    path, earlier = piece_path(folder, run_id), earlier_paths(folder, run_id)
    if path.exists() or not earlier["runs"].exists():
        rows = read_piece_file(path)
    else:
        path = earlier["runs"]
        rows = {name: read_table(each, name, encoded=name == "measurements") for name, each in earlier.items()}
    check_run(rows["runs"], rows["measurements"], str(path))
    if (found := rows["runs"].column("run_id")[0].as_py()) != run_id:
        raise DataError(f"{path}: foreign, holds run {found}")
    return rows


def read_pieces(folder: Path, run_ids: Sequence[str]) -> Pieces:
    """Read the pieces of many runs."""

    def read(run_id: str) -> dict[str, pa.Table] | str:
        try:
            piece = read_piece(folder, run_id)
        except DataError as error:
            return str(error)
        return piece | {"measurements": measurements_in_order(piece["measurements"])}

    runs, measurements, bad = list[pa.Table](), dict[str, pa.Table](), dict[str, str]()
    for start in range(0, len(run_ids), _TOGETHER):
        some = run_ids[start : start + _TOGETHER]
        found = dict(zip(some, _side_by_side(read, some), strict=True))
        bad |= {run_id: piece for run_id, piece in found.items() if isinstance(piece, str)}
        if good := {run_id: piece for run_id, piece in found.items() if not isinstance(piece, str)}:
            runs.append(pa.concat_tables([piece["runs"] for piece in good.values()]).combine_chunks())
            numbers = pa.concat_tables([piece["measurements"] for piece in good.values()])
            numbers, at = numbers.unify_dictionaries().combine_chunks(), 0
            for run_id, piece in good.items():
                measurements[run_id] = numbers.slice(at, n := piece["measurements"].num_rows)
                at += n
    return Pieces(runs, measurements, bad)


def _side_by_side(read: Callable[[str], _T], run_ids: Sequence[str]) -> Iterator[_T]:
    """What `read` makes of the piece of each run, in order."""
    if len(run_ids) < _MANY:
        yield from map(read, run_ids)
    else:
        with ThreadPoolExecutor(READERS) as readers:
            yield from readers.map(read, run_ids)


def read_collected(folder: Path, besides: Collection[str]) -> dict[str, pa.Table]:
    """The rows in the tables of runs other than those given, measurements as in `reading.ENCODED`.

    Of none where there are no tables.

    Raises:
        OtherVersionError: a table is of another schema version.
        DataError: one of the two cannot be used, so that neither can.
    """
    paths = table_paths(folder)
    if not any(path.exists() for path in paths.values()):
        return {"runs": SCHEMAS["runs"].empty_table(), "measurements": ENCODED["measurements"].empty_table()}
    given = pa.array(list(besides), pa.string())
    tables = {name: read_table(path, name, encoded=name == "measurements") for name, path in paths.items()}
    if not len(given):
        return tables
    return {name: rows.filter(pc.invert(pc.is_in(rows.column("run_id"), given))) for name, rows in tables.items()}


def recorded(folder: Path | str) -> Recorded:
    """The runs that a results folder holds, as `store.collect` would merge them; none for a folder not there yet.

    Raises:
        OtherVersionError: the folder's tables are of another schema version.
        UserError: the folder is on an object store, which cannot be asked.
    """
    folder = Path(folder)
    pull_runs(folder)
    noted, listing = read_note(folder), list_pieces(folder)
    changed = listing.changed(noted)
    rows, bad = dict[str, Row](), known_bad(listing, noted, changed)

    def judge(run_id: str) -> Row | str:
        return _judge(folder, run_id, tuple(tuple(listing.stamps[name]) for name in listing.files[run_id]))

    for run_id, judged in zip(changed, _side_by_side(judge, changed), strict=True):
        if isinstance(judged, str):
            bad[run_id] = judged
        else:
            rows[run_id] = judged
    try:
        if noted is not None:
            collected = read_table(table_paths(folder)["runs"], "runs").to_pylist()
        else:
            collected = read_collected(folder, ())["runs"].to_pylist()
    except OtherVersionError:
        raise
    except DataError:  # `collect` names it, and makes the tables anew from the pieces
        collected = []
    return Recorded({row["run_id"]: row for row in collected} | rows, dict(sorted(bad.items())))


def known_bad(listing: Listing, noted: Noted | None, changed: Collection[str]) -> dict[str, str]:
    """run_id -> what was noted to be wrong with its piece, of those that are as they were then."""
    bad = noted.bad if noted is not None else {}
    return {run_id: problem for run_id, problem in bad.items() if run_id in listing.files and run_id not in changed}


@lru_cache(maxsize=1 << 16)  # `harness status --watch` asks every other second
def _judge(folder: Path, run_id: str, _: tuple[tuple[int, ...], ...]) -> Row | str:
    """The row of a run by its piece, or what is wrong with that.

    Args:
        _: sizes and times of its files, for what was read of others does not count.
    """
    try:
        row: Row = read_piece(folder, run_id)["runs"].to_pylist()[0]
        return row
    except DataError as error:
        return str(error)


def set_aside(folder: Path, bad: Mapping[str, str], mistaken: Callable[[Row], bool] = lambda row: False) -> list[str]:
    """Rename the pieces of runs into the folder `SET_ASIDE`, so that a sweep trains them again.

    Each is judged again first, for another process may have replaced it since.

    Args:
        bad: run_id -> what is wrong with its piece.
        mistaken: whether a piece that can be used, with this row of the runs table, is to go all the same.

    Returns:
        A line for each run whose piece is set aside: what is wrong, and where its piece is now.

    Raises:
        UserError: the folder cannot be written.
    """
    if not bad:
        return []
    moved = []
    with alone(folder / PIECES):
        for run_id, problem in bad.items():
            if _is_still_bad(folder, run_id, mistaken):
                for path in (*earlier_paths(folder, run_id).values(), piece_path(folder, run_id)):
                    move_aside(folder, path, path.name)
                moved.append(f"{problem}; set aside in {folder / SET_ASIDE}")
    return moved


def _is_still_bad(folder: Path, run_id: str, mistaken: Callable[[Row], bool]) -> bool:
    try:
        return mistaken(read_piece(folder, run_id)["runs"].to_pylist()[0])
    except DataError:
        return True


def set_tables_aside(folder: Path) -> list[str]:
    """Rename both tables into the folder `SET_ASIDE`; a line for each. `store.collect` makes them anew from the pieces.

    Raises:
        UserError: the folder cannot be written.
    """
    paths = list(table_paths(folder).values())
    for path in paths:
        move_aside(folder, path, path.name)
    return [f"{path}: set aside in {folder / SET_ASIDE}; `harness collect` makes it anew" for path in paths]


def move_aside(folder: Path, path: Path, name: str) -> Path:
    """Rename a file of a results folder, if it is there, into the folder `SET_ASIDE`; returns its new path.

    Args:
        name: what it is called there; a number is added where one is called so already.

    Raises:
        UnwritableError: the folder cannot be written.
    """
    aside = folder / SET_ASIDE
    try:
        make_own_folder(aside)
        new = _free(aside / name)
        if os.path.lexists(path):
            os.replace(path, new)
            push(new)
            discard(path)
    except OSError as error:
        raise UnwritableError(f"{aside} cannot be written: {error.strerror or error}") from error
    return new


def _free(path: Path) -> Path:
    """A path that no file has, for what was set aside earlier stays."""
    names = (path.with_name(f"{path.name}.{i}" if i else path.name) for i in range(10**6))
    return next(name for name in names if not os.path.lexists(name))
