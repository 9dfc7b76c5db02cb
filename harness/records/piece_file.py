"""One run as one Parquet file that appears whole or not at all.

Its rows are the run's measurements, for any reader of Parquet. Its metadata have the run's row of the runs table, as
JSON under ``harness.run``, and under ``harness.seal`` a digest of the whole file but these digits: unlike the checksums
of Parquet's pages it covers the metadata too, so that no flipped bit goes unnoticed.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import DataError
from harness.records.files import check_is_file
from harness.records.reading import UNREADABLE, conformed, read_parquet, unreadable
from harness.records.rows import to_table
from harness.records.schema import ADDED, SCHEMAS
from harness.records.seal import BLANK, is_sealed, seal

_ROW, _SEAL = "harness.run", "harness.seal"


def piece_bytes(run: pa.Table, measurements: pa.Table) -> bytes:
    """The content of the file of a run: its one row of the runs table, and its rows of the measurements table."""
    (row,) = run.to_pylist()
    buffer = pa.BufferOutputStream()
    # LZ4 is read in half of zstd's time, and thousands of these files are read at once.
    with pq.ParquetWriter(buffer, measurements.schema, compression="lz4") as writer:
        writer.write_table(measurements)
        writer.add_key_value_metadata({_ROW: json.dumps(row, default=datetime.isoformat)})
        writer.add_key_value_metadata({_SEAL: BLANK})
    return seal(buffer.getvalue().to_pybytes())


def read_piece_file(path: Path) -> dict[str, pa.Table]:
    """The rows that a run adds to each table, its measurements as in `reading.ENCODED`.

    Raises:
        OtherVersionError: written under another schema version.
        DataError: corrupt, truncated, or not the file of a run; the file is named.
    """
    content = _content(path)
    is_whole = is_sealed(content)
    try:
        numbers = read_parquet(pa.BufferReader(content), "measurements", encoded=True)
    except UNREADABLE as error:
        raise unreadable(path, error) from error
    known = dict(numbers.schema.metadata or {})
    stated, seal = (known.pop(name.encode(), None) for name in (_ROW, _SEAL))
    numbers = conformed(numbers.replace_schema_metadata(known), "measurements", path, encoded=True)
    if stated is None or seal is None:
        raise DataError(f"{path}: foreign, states no run")
    if not is_whole:
        raise DataError(f"{path}: corrupt, not as it was written")
    return {"runs": _row(stated, path), "measurements": numbers}


def _content(path: Path) -> bytes:
    try:
        check_is_file(path)
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def _row(text: bytes, path: Path) -> pa.Table:
    """The row of the runs table that a file's metadata hold."""
    try:
        stated: dict[str, Any] = dict.fromkeys(set(ADDED) & set(SCHEMAS["runs"].names)) | json.loads(text)
        stated["finished_at"] = datetime.fromisoformat(stated["finished_at"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(f"{path}: foreign, states no run") from error
    return to_table("runs", [stated], str(path))
