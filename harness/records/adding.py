"""Many runs at once into the tables of a results folder, without pieces of their own.

Pieces are for runs that end one by one, in many processes. Imported runs, of which there may be thousands, come
together, and their files are elsewhere.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from harness.errors import UserError
from harness.records.reading import read_table
from harness.records.rows import check_finite
from harness.records.schema import SCHEMAS
from harness.records.store import CollectReport, collect
from harness.records.writer import PIECES, alone, earlier_paths, piece_path, write_table


def add_runs(folder: Path, runs: pa.Table, measurements: pa.Table) -> CollectReport:
    """Put runs into a folder's tables and collect it.

    What the folder has of these runs, in its tables or as pieces, is replaced: what is to stay of it must be among the
    rows given.

    Args:
        folder: the results folder; made where it does not exist.
        runs, measurements: rows of the two tables, as `rows.to_table` makes them.

    Raises:
        OtherVersionError: the folder's tables are of another schema version; nothing is written.
        DataError: one of the folder's tables cannot be read, or a value of a finished run is not finite; nothing is
            written.
        UserError: the tables cannot be written.
    """
    new = {"measurements": measurements, "runs": runs}
    ids = runs.column("run_id")
    finished = runs.filter(pc.equal(runs.column("status"), "finished")).column("run_id")
    check_finite(measurements.filter(pc.is_in(measurements.column("run_id"), value_set=finished)), str(folder))
    with alone(folder / PIECES):
        if any((folder / f"{name}.parquet").exists() for name in SCHEMAS):
            for name in SCHEMAS:
                before = read_table(folder / f"{name}.parquet", name)
                others = before.filter(pc.invert(pc.is_in(before.column("run_id"), value_set=ids)))
                new[name] = pa.concat_tables([new[name], others])
        # The runs last: a run is there once its numbers are.
        for name, table in new.items():
            write_table(table, folder / f"{name}.parquet")
        _remove_pieces(folder, ids.to_pylist())
    return collect(folder)


def _remove_pieces(folder: Path, run_ids: list[str]) -> None:
    """Remove what would take the place of rows of the tables."""
    try:
        for run_id in run_ids:
            for path in (*earlier_paths(folder, run_id).values(), piece_path(folder, run_id)):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{folder / PIECES} cannot be written: {error.strerror}") from error
