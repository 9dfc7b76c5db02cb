"""Results folders with files damaged, changed, missing and added; read by the verbs that read them."""

from __future__ import annotations

import io
import json
import random
from contextlib import suppress
from typing import Any

import odd
import pyarrow as pa
import pyarrow.parquet as pq
import stock
from sandbox import Case

_READING: tuple[tuple[str, ...], ...] = (
    *(("collect", "results/x"), ("verify", "results/x"), ("cite", "results/x"), ("collect", "results/x")),
    ("fit", "results/x", "--law", "power", "--x", "params_non_embedding", "--y", "loss"),
    *(("emergence", "results/x"), ("compare", "results/x", "results/x"), ("export", "csv", "results/x")),
    *(("analyze", "results/x"), ("status", "family=mlp", "task=parity", "ladder.steps=3", "results=results/x")),
)


def _parquet_near(rng: random.Random, content: bytes) -> bytes:
    """A table with a cell, a column, its types or its metadata changed."""
    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError, ValueError):  # it was damaged before
        return odd.bytes_near(rng, content)
    name = rng.choice(table.column_names)
    at = table.schema.get_field_index(name)
    if name in ("config", "versions") or rng.random() < 0.1:
        name = rng.choice([n for n in ("config", "versions") if n in table.column_names] or [name])
        at, text = table.schema.get_field_index(name), odd.as_json(odd.value(rng)).decode()
        column = pa.array([rng.choice((text, text[1:], "[" * 3000))] * table.num_rows, pa.string())
        table = (
            table.set_column(at, table.schema.field(at), column)
            if pa.types.is_string(table.schema.types[at])
            else table
        )
    match rng.randrange(6):
        case 0:
            table = table.drop([name])
        case 1:
            table = table.rename_columns(
                [rng.choice(("x", name, "run_id")) if n == name else n for n in table.column_names]
            )
        case 2:
            table = table.replace_schema_metadata({"schema_version": rng.choice(("0", "99", "x", ""))})
        case 3:
            table = pa.concat_tables([table, table])
        case 4:
            cells: list[Any] = table.column(name).to_pylist()
            cells[rng.randrange(len(cells)) if cells else 0 :] = [odd.value(rng)] * bool(cells)
            cells += [None] * (table.num_rows - len(cells))
            for kind in (table.schema.field(at).type, None, pa.string()):
                try:
                    column = pa.array(cells if kind != pa.string() else [ascii(cell) for cell in cells], kind)
                    table = table.set_column(at, pa.field(name, column.type), column)
                    break
                except (pa.ArrowException, OverflowError, TypeError, ValueError, RecursionError):
                    continue
    out = io.BytesIO()
    try:
        pq.write_table(table, out)
    except pa.ArrowException:
        return content[:-9]
    return out.getvalue()


def _file_near(rng: random.Random, name: str, content: bytes) -> bytes:
    if name.endswith(".parquet") and rng.random() < 0.7:
        return _parquet_near(rng, content)
    if name.endswith(".json") and rng.random() < 0.7:
        with suppress(ValueError):  # it was damaged before
            return odd.as_json(odd.json_near(rng, json.loads(content)))
    return odd.bytes_near(rng, content)


def make(rng: random.Random) -> Case:
    """The stock's folder with a few files otherwise."""
    files = dict(stock.files())
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice(list(files))
        match rng.randrange(8):
            case 0:
                del files[name]
            case 1:
                files[f"{name}.{rng.choice(('bak', 'tmp', 'parquet'))}"] = files[name]
            case 2:
                new = rng.choice(
                    ("pieces/junk.parquet", "collected.json", "analysis.json", ".sweep/lock", "pieces/x/y")
                )
                files[new] = odd.bytes_near(rng, files[name])
            case 3:
                other = rng.choice(list(files))
                files[name] = files[other]
            case _:
                files[name] = _file_near(rng, name, files[name])
        if not files:
            break
    command = rng.choice(_READING)
    return Case(
        command, {f"results/x/{name}": content for name, content in files.items()}, ("results/x", "--", "needs")
    )
