"""Parquet files of the two tables, read and checked against their schema."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import DataError
from harness.records.schema import ADDED, SCHEMA_VERSION, SCHEMAS


class OtherVersionError(DataError):
    """A table that another version of the schema wrote."""


#: The schema of each table with each distinct text held once, which takes a third of the memory.
ENCODED = {
    name: pa.schema(
        [f.with_type(pa.dictionary(pa.int32(), pa.string())) if f.type == pa.string() else f for f in schema],
        metadata=schema.metadata,
    )
    for name, schema in SCHEMAS.items()
}


def read_table(path: Path, table: str, encoded: bool = False) -> pa.Table:
    """Read a Parquet file that must hold rows of `table` ("runs" or "measurements").

    Args:
        encoded: whether columns of text are dictionaries, as in `ENCODED`.

    Raises:
        OtherVersionError: written under another schema version.
        DataError: corrupt, truncated, foreign, or lacking a column; the file is named.
    """
    schema = SCHEMAS[table]
    try:
        content = _read(path, [field.name for field in schema if encoded and field.type == pa.string()])
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except PermissionError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise DataError(f"{path}: corrupt or truncated, not readable as Parquet") from error
    version = (content.schema.metadata or {}).get(b"schema_version", b"").decode()
    if version and version != str(SCHEMA_VERSION):
        raise OtherVersionError(f"{path}: schema version {version}; this harness reads version {SCHEMA_VERSION}")
    for name in ADDED:
        if version and name in schema.names and name not in content.schema.names:
            content = content.append_column(schema.field(name), pa.nulls(content.num_rows, schema.field(name).type))
    missing = [name for name in schema.names if name not in content.schema.names]
    if len(missing) == len(schema.names) or (missing and not version):
        raise DataError(f"{path}: foreign, not a {table} table (columns {', '.join(content.schema.names[:6])})")
    if missing:
        raise DataError(f"{path}: lacks column {', '.join(missing)}")
    if not version:
        raise DataError(f"{path}: foreign, states no schema version")
    for field in schema:
        found = content.schema.field(field.name).type
        if (found.value_type if pa.types.is_dictionary(found) else found) != field.type:
            raise DataError(f"{path}: column {field.name} is {found}, not {field.type}")
        if not field.nullable and (nulls := content.column(field.name).null_count):
            raise DataError(f"{path}: column {field.name} is null in {nulls} rows")
    wanted = ENCODED[table] if encoded else schema
    return content if content.schema.equals(wanted, check_metadata=True) else content.select(schema.names).cast(wanted)


def _read(path: Path, encoded: Sequence[str]) -> pa.Table:
    """A Parquet file, columns of these names as dictionaries."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=list(encoded)) as file:
            return file.read(use_threads=False)
    except KeyError:  # it lacks one of them
        return _read(path, ())
