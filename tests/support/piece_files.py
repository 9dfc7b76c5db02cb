"""Files of recorded runs, read and forged: sealed as the harness does it, whatever they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.records.piece_file import piece_bytes
from harness.records.pieces import read_piece
from harness.records.rows import to_table
from harness.records.schema import SCHEMAS
from harness.records.writer import earlier_paths, piece_path, write_table


def recorded_run(folder: Path, run_id: str) -> dict[str, Any]:
    """The row of a run by its piece."""
    row: dict[str, Any] = read_piece(folder, run_id)["runs"].to_pylist()[0]
    return row


def recorded_numbers(folder: Path, run_id: str) -> pa.Table:
    """The measurements of a run by its piece."""
    return read_piece(folder, run_id)["measurements"].cast(SCHEMAS["measurements"])


def forge_piece(
    folder: Path, run_id: str, numbers: Callable[[pa.Table], pa.Table] = lambda table: table, **changes: Any
) -> None:
    """Change the measurements of a recorded run, and columns of its row, unchecked."""
    runs = to_table("runs", [recorded_run(folder, run_id) | changes], "test")
    path = piece_path(folder, run_id)
    path.write_bytes(piece_bytes(runs, numbers(pq.read_table(path))))


def with_value(table: pa.Table, value: float) -> pa.Table:
    """Measurements whose first value is another."""
    at = table.schema.get_field_index("value")
    values = [value, *table.column("value").to_pylist()[1:]]
    return table.set_column(at, table.schema.field("value"), pa.array(values))


def write_as_earlier(folder: Path, run_id: str) -> dict[str, Path]:
    """Replace the file of a run by the two files that an earlier harness would have written."""
    paths = earlier_paths(folder, run_id)
    for name, table in read_piece(folder, run_id).items():
        write_table(table.cast(SCHEMAS[name]), paths[name])
    piece_path(folder, run_id).unlink()
    return paths
