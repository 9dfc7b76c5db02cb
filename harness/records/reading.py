"""Parquet files of the two tables, read and checked against their schema."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import DataError
from harness.records.files import check_is_file
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


#: What pyarrow raises of a file that cannot be read; of names that are no UTF-8, a ValueError.
UNREADABLE = (pa.ArrowException, OSError, ValueError)


def read_table(path: Path, table: str, encoded: bool = False) -> pa.Table:
    """Read a Parquet file that must hold rows of `table` ("runs" or "measurements").

    Args:
        encoded: whether columns of text are dictionaries, as in `ENCODED`.

    Raises:
        OtherVersionError: written under another schema version.
        DataError: corrupt, truncated, foreign, or lacking a column; the file is named.
    """
    try:
        content = read_parquet(path, table, encoded)
    except UNREADABLE as error:
        raise unreadable(path, error) from error
    return conformed(content, table, path, encoded)


def unreadable(path: Path, error: Exception) -> DataError:
    """Why a Parquet file cannot be read, from what was raised."""
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path}: no such file")
    if isinstance(error, PermissionError):
        return DataError(f"{path}: cannot be read: {error.strerror}")
    return DataError(f"{path}: corrupt or truncated, not readable as Parquet")


def read_parquet(source: Path | pa.NativeFile, table: str, encoded: bool) -> pa.Table:
    """What a Parquet file holds, whether or not these are rows of `table`; raises as pyarrow does."""
    if isinstance(source, Path):
        check_is_file(source)
    return _read(source, [field.name for field in SCHEMAS[table] if encoded and field.type == pa.string()])


def conformed(content: pa.Table, table: str, path: Path, encoded: bool) -> pa.Table:
    """What was read from a Parquet file as rows of `table`.

    Raises:
        OtherVersionError, DataError: as `read_table`.
    """
    schema = SCHEMAS[table]
    wanted = ENCODED[table] if encoded else schema
    if content.schema.equals(wanted, check_metadata=True):
        return content  # its columns that may not be null cannot be
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
    return content.select(schema.names).cast(wanted)


def _read(source: Path | pa.NativeFile, encoded: Sequence[str]) -> pa.Table:
    """A Parquet file, columns of these names as dictionaries."""
    try:
        with pq.ParquetFile(source, page_checksum_verification=True, read_dictionary=list(encoded)) as file:
            return file.read(use_threads=False)
    except KeyError:  # it lacks one of them
        return _read(source, ())
