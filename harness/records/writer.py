"""One run into one small file of a results folder, and tables into larger ones.

What a run has reached is never undone: a run that finished is not replaced by the same run's failure, whoever writes it
and whenever.
"""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import DataError, UserError
from harness.records.files import make_own_folder, open_own, write_whole
from harness.records.order import in_sorted_code, measurements_in_order
from harness.records.piece_file import piece_bytes, read_piece_file
from harness.records.reading import ENCODED
from harness.records.rows import check_run, to_table
from harness.records.schema import SCHEMAS, STATUSES
from harness.records.working_copy import pull_file, push_content

try:
    import fcntl
except ImportError:  # Windows, where tables are analysed and nothing is trained
    fcntl = None  # type: ignore[assignment]

#: Seconds for which a locked folder is waited for.
_LOCKED_S = 30.0

#: Where runs lie until `collect` merges them, one file a run.
PIECES = "pieces"


def piece_path(folder: Path, run_id: str) -> Path:
    """The file in which results folder `folder` holds a run (`piece_file`)."""
    return folder / PIECES / f"{run_id}.parquet"


def earlier_paths(folder: Path, run_id: str) -> dict[str, Path]:
    """The two files in which an earlier harness held a run: the rows that it adds to each table."""
    return {name: folder / PIECES / f"{run_id}.{name}.parquet" for name in SCHEMAS}


def write_run(folder: Path, run: Mapping[str, Any], measurements: Sequence[Mapping[str, Any]] | pa.Table) -> bool:
    """Add one run to a results folder, replacing an earlier attempt of the same run unless that one ended better.

    Args:
        folder: the results folder; made where it does not exist.
        run: one row of the runs table, every column of its schema.
        measurements: rows of the measurements table, all of this run; `run_id` may be left out.

    Returns:
        Whether it was written. False where the folder, in its pieces or its tables, holds this run with a better end:
        finished is better than diverged, and diverged better than failed. The comparison and the writing are one step,
        also when another process writes the same run.

    Raises:
        DataError: a column is missing, unknown, null or of a wrong type; a finished run has a value that is not finite.
        UserError: the folder cannot be written, or the disk is full; no partial file is left behind. Of a folder that
            is a working copy, that its store cannot be written.
    """
    run_id = str(run.get("run_id"))
    source = f"run {run_id}"
    if not isinstance(measurements, pa.Table):
        measurements = to_table("measurements", [{"run_id": run_id, **row} for row in measurements], source)
    runs = to_table("runs", [run], source)
    check_run(runs, measurements, source)
    in_order = measurements_in_order(measurements.cast(ENCODED["measurements"])).cast(SCHEMAS["measurements"])
    content = piece_bytes(runs, in_order)
    with alone(folder / PIECES):
        pull_file(piece_path(folder, run_id))
        # STATUSES are in order, the best first.
        better = STATUSES[: STATUSES.index(run["status"])]
        if better and not set(better).isdisjoint(_recorded_statuses(folder, run_id)):
            return False
        # The store first: what stands in a copy alone, nobody else would know of.
        push_content(piece_path(folder, run_id), content)
        write_whole(piece_path(folder, run_id), content)
        # Another attempt of the same run, which is not to come back should this file go.
        for path in earlier_paths(folder, run_id).values():
            path.unlink(missing_ok=True)
    return True


@contextlib.contextmanager
def alone(pieces: Path) -> Iterator[None]:
    """Keep other processes from adding runs to a results folder meanwhile.

    Args:
        pieces: its folder of pieces; made where it does not exist.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        make_own_folder(pieces)
        file = open_own(pieces / ".lock", "a")  # held for as long as the lock
    except OSError as error:
        raise UserError(f"{pieces} cannot be written: {error.strerror or error}") from error
    with file:
        _lock(file)
        yield


def _lock(file: IO[str]) -> None:
    """Lock a file, if that can be had: not on every file system, nor while a frozen process holds it.

    All files are written whole without it. What it keeps out is another writer of the same run at the same moment.
    """
    ends = time.monotonic() + _LOCKED_S
    while fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > ends:
                return
            time.sleep(0.01)
        except OSError:
            return


def _recorded_statuses(folder: Path, run_id: str) -> set[str]:
    """How a run ended, by its piece and by the folder's table; what cannot be read counts as not there."""
    found = list[dict[str, Any]]()
    with contextlib.suppress(DataError):
        found += read_piece_file(piece_path(folder, run_id))["runs"].to_pylist()
    for path in (earlier_paths(folder, run_id)["runs"], folder / "runs.parquet"):
        with contextlib.suppress(pa.ArrowException, OSError, KeyError):
            found += pq.read_table(path, columns=["run_id", "status"], partitioning=None).to_pylist()
    return {row["status"] for row in found if row["run_id"] == run_id}


#: Rows of a table that are in one group of a file, which readers decode together.
_ROWS_TOGETHER = 1 << 18

#: Columns of numbers that are mostly different: a dictionary of them is no shorter, and takes time.
_DISTINCT = ("value", "stderr")


def write_table(table: pa.Table, path: Path) -> None:
    """Write a Parquet file, its pages checksummed; raises as `files.write_whole`."""
    write_whole(path, table_bytes(table))


def table_bytes(table: pa.Table) -> bytes:
    """The content of a Parquet file, its pages checksummed; dictionaries are stated as the text they stand for."""
    plain = [f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in table.schema]
    stated = pa.schema(plain, metadata=table.schema.metadata)
    for i, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(i, field, in_sorted_code(table.column(i)))
    kinds = {f.name for f in plain if not pa.types.is_boolean(f.type)}
    buffer = pa.BufferOutputStream()
    with pq.ParquetWriter(
        buffer,
        table.schema,
        compression="zstd",
        use_dictionary=sorted(kinds.difference(_DISTINCT)),
        write_statistics=False,
        write_page_checksum=True,
        store_schema=False,
    ) as writer:
        for start in range(0, max(table.num_rows, 1), _ROWS_TOGETHER):
            # One chunk, so that the bytes do not depend on which pieces the rows came from.
            writer.write_table(table.slice(start, _ROWS_TOGETHER).combine_chunks())
        # What the writer would state itself, had it the values instead of the dictionaries.
        writer.add_key_value_metadata(stated.metadata or {})
        writer.add_key_value_metadata({"ARROW:schema": base64.b64encode(stated.serialize()).decode()})
    return buffer.getvalue().to_pybytes()
