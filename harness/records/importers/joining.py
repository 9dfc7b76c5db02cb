"""What an import adds to the runs that earlier imports left in a results folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from harness.errors import DataError
from harness.records.importers.table_rows import ORIGIN, size_of
from harness.records.reading import read_table
from harness.records.rows import to_table
from harness.wording import counted

_KEY = ["run_id", "step", "split", "subtask", "metric"]


def joined_with_earlier(
    folder: Path, rows: Sequence[Mapping[str, Any]], numbers: pa.Table
) -> tuple[tuple[pa.Table, pa.Table], tuple[str, ...]]:
    """Both tables of all imported runs of the folder, once these are added, and what is said of it, a line each.

    A run that is there already keeps what the new files do not state, such as checkpoints imported before; of a number
    that both state, the new one counts. Rungs are ranks of size among all runs of a study.

    Args:
        folder: the results folder, which need not exist.
        rows, numbers: runs and measurements of this import.

    Raises:
        DataError: the folder's tables cannot be read.
    """
    earlier, before = _imported(folder)
    joined = {str(row["run_id"]): dict(row) for row in rows}
    again = [row for row in earlier if row["run_id"] in joined]
    kept, replaced = _kept(before, numbers, [row["run_id"] for row in again])
    for row in again:
        # Its totals are those at the last step, wherever that was imported.
        if row["steps"] > joined[row["run_id"]]["steps"]:
            joined[row["run_id"]] |= {name: row[name] for name in ("steps", "tokens", "flops")}
    everything = [row for row in earlier if row["run_id"] not in joined] + list(joined.values())
    _rank(everything)
    others = before.filter(pc.invert(pc.is_in(before.column("run_id"), value_set=pa.array(list(joined), pa.string()))))
    tables = to_table("runs", everything, str(folder)), pa.concat_tables([numbers, kept, others])
    told = f"{counted(replaced, 'number')} imported earlier replaced by other values"
    return tables, (told,) if replaced else ()


def _imported(folder: Path) -> tuple[list[dict[str, Any]], pa.Table]:
    """Rows of the runs that earlier imports left in the folder's tables, and their measurements."""
    if not (folder / "runs.parquet").exists():
        return [], to_table("measurements", [], str(folder))
    runs = read_table(folder / "runs.parquet", "runs").to_pylist()
    earlier = [row for row in runs if ORIGIN in _versions(row)]
    ids = pa.array([row["run_id"] for row in earlier], pa.string())
    numbers = read_table(folder / "measurements.parquet", "measurements")
    return earlier, numbers.filter(pc.is_in(numbers.column("run_id"), value_set=ids))


def _versions(row: Mapping[str, Any]) -> dict[str, Any]:
    try:
        versions = json.loads(row["versions"])
    except (ValueError, RecursionError) as error:
        raise DataError(f"run {row['run_id']}: its versions are not JSON") from error
    return versions if isinstance(versions, dict) else {}


def _kept(before: pa.Table, numbers: pa.Table, again: Sequence[str]) -> tuple[pa.Table, int]:
    """The earlier measurements of runs imported again that the new files do not state; and how many they change."""
    ids = pa.array(again, pa.string())
    old, new = (table.filter(pc.is_in(table.column("run_id"), value_set=ids)) for table in (before, numbers))
    values = [table.select([*_KEY, "value"]).to_pandas().set_index(_KEY)["value"] for table in (old, new)]
    stated = values[0].index.isin(values[1].index)
    both = values[0][stated]
    changed = (both != values[1].reindex(both.index)).sum() if len(both) else 0
    return old.filter(pa.array(~stated, pa.bool_())), int(changed)


def _rank(rows: Sequence[dict[str, Any]]) -> None:
    """Write each run's rung: the rank of its size in its study."""
    sizes: dict[str, set[int]] = {}
    for row in rows:
        sizes.setdefault(row["study"], set()).add(size_of(row))
    rungs = {(study, size): rung for study, all_sizes in sizes.items() for rung, size in enumerate(sorted(all_sizes))}
    for row in rows:
        row["rung"] = rungs[row["study"], size_of(row)]
