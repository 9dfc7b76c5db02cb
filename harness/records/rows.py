"""Rows as Arrow tables of the schema, and whether what they say of a run is sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.errors import DataError
from harness.records.schema import SCHEMAS, STATUSES

_STRUCTS = {name: pa.struct(list(schema)) for name, schema in SCHEMAS.items()}


def to_table(table: str, rows: Sequence[Mapping[str, Any]], source: str) -> pa.Table:
    """Rows as an Arrow table of the schema of `table` ("runs" or "measurements").

    Raises:
        DataError: a column is missing, unknown, null where it may not be, or of a wrong type; `source` is named.
    """
    schema = SCHEMAS[table]
    for row in rows:
        for wrong, names in (
            ("lacks", set(schema.names) - set(row)),
            ("has the unknown", set(row) - set(schema.names)),
        ):
            if names:
                raise DataError(f"{source}: a row for {table} {wrong} column {', '.join(sorted(names))}")
    with suppress(pa.ArrowException, TypeError, OverflowError, UnicodeError):  # to be named below
        columns = pa.array(rows, _STRUCTS[table]).flatten()
        if all(field.nullable or not column.null_count for field, column in zip(schema, columns, strict=True)):
            return pa.Table.from_arrays(columns, schema=schema)
    columns = []
    for field in schema:
        values = [row[field.name] for row in rows]
        if not field.nullable and None in values:
            raise DataError(f"{source}: column {field.name} of {table} is null in row {values.index(None)}")
        try:
            columns.append(pa.array(values, field.type))
        except (pa.ArrowException, TypeError, OverflowError, UnicodeError) as error:
            raise DataError(f"{source}: column {field.name} of {table} must be {field.type}: {error}") from error
    return pa.table(columns, schema=schema)


def check_run(runs: pa.Table, measurements: pa.Table, source: str) -> None:
    """Raise DataError unless `runs` holds one sound run and `measurements` only its numbers."""
    if runs.num_rows != 1:
        raise DataError(f"{source}: {runs.num_rows} rows where one run was expected")
    (run,) = runs.select(["run_id", "status", "lr", "flops"]).to_pylist()
    if run["status"] not in STATUSES:
        raise DataError(f"{source}: status is {run['status']!r}; allowed is one of {', '.join(STATUSES)}")
    if others := set(pc.unique(measurements.column("run_id")).to_pylist()) - {run["run_id"]}:
        raise DataError(f"{source}: holds measurements of another run, {sorted(map(str, others))[0]}")
    if _repeats(measurements):
        raise DataError(f"{source}: a metric of a subtask is measured twice at one step")
    for name in ("lr", "flops"):
        if not np.isfinite(run[name]):
            raise DataError(f"{source}: {name} is {run[name]}")
    if run["status"] == "finished":
        check_finite(measurements, source)


def _repeats(measurements: pa.Table) -> bool:
    """Whether two rows of a run are the same number of the same step."""
    of_a_number = ["step", "split", "subtask", "metric"]
    numbers = measurements.select(of_a_number).unify_dictionaries()
    return bool(len(numbers.group_by(of_a_number, use_threads=False).aggregate([])) < len(numbers))


def check_finite(measurements: pa.Table, source: str) -> None:
    """Raise DataError naming the first measurement whose value is NaN or infinite."""
    wrong = np.flatnonzero(~np.isfinite(measurements.column("value").to_numpy()))
    if len(wrong):
        row = measurements.slice(int(wrong[0]), 1).to_pylist()[0]
        raise DataError(
            f"{source}: {row['metric']} of {row['subtask']} at step {row['step']} is {row['value']} "
            f"in finished run {row['run_id']} ({len(wrong)} such values)"
        )
