"""Tables of a user's own in every format that is read, through every verb that takes one; each row is counted."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import odd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
from of_expressions import expression
from sandbox import Case, Ran

_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("fit", "--law", "power", "--x", "N", "--y", "loss"),
    ("fit", "--law", "power_floor", "--x", "N", "--y", "loss", "--by", "corpus"),
    ("fit", "--law", "hoffmann", "--x", "N,D", "--y", "loss"),
    ("fit", "--law", "logistic", "--x", "N", "--y", "acc", "--n-eval", "n_eval"),
    ("forecast", "--law", "power", "--x", "N", "--y", "loss", "--at", "N=1e12"),
    ("forecast", "--law", "power", "--x", "N", "--y", "loss", "--metric", "acc", "--chance", "0.1", "--at", "N=1e12"),
    ("gain", "--x", "N", "--y", "loss", "--recipe", "corpus", "--law", "power"),
    ("allocate", "--x", "N,D", "--y", "loss", "--budget", "1e21"),
    ("emergence", "--x", "N", "--value", "acc"),
    ("emergence", "--x", "N", "--value", "acc", "--n-eval", "n_eval", "--by", "corpus"),
    ("emergence", "--x", "N", "--value", "loss,acc"),
    ("screen", "--x", "N", "--value", "acc", "--recipe", "corpus"),
    ("cite",),
)
#: Of which a message states one: the file, a flag, a column or row; or the law that the numbers do not suit.
_NAMED = ("t.", "--", "column", "row", " needs at least ", "baseline ", "not identifiable", "no start of the fit")
#: The last line of what a verb says of its rows: those used, those left out, and those that it is not about.
_COUNTS = re.compile(
    r"(?:([\d,]+) (?:run|row|value)s? in )?([\d,]+) (?:run|row)s?, ([\d,]+) excluded(?:, ([\d,]+) outside)?"
)


def _plain(rng: random.Random) -> list[dict[str, Any]]:
    corpora = rng.choice((("web",), ("web", "books")))
    rows = []
    for i in range(rng.choice((0, 1, 2, 5, 12))):
        for corpus in corpora:
            size = 10.0 ** (5 + i / 3)
            loss = 2 + 50 * size**-0.25 + rng.uniform(-0.01, 0.01)
            row = {"N": size, "D": 20 * size, "loss": loss, "acc": round(1 / (1 + 5 * loss**-3), 3), "corpus": corpus}
            rows.append(row | {"seed": i % 3, "n_eval": 500, "step": i})
    return rows


def _changed(rng: random.Random, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cells, columns and rows changed, so that a file of them still has a row a row."""
    rows = [dict(row) for row in rows]
    names = list(rows[0]) if rows else []
    for _ in range(rng.choice((0, 1, 1, 2, 4)) if rows else 0):
        name, row = rng.choice(names), rng.choice(rows)
        match rng.randrange(8):
            case 0 | 1 | 2 | 3:
                row[name] = odd.value(rng)
            case 4:
                new = odd.text(rng)
                rows = [{(new if key == name else key): cell for key, cell in each.items()} for each in rows]
                names = list(rows[0])
            case 5:
                rows += [dict(row)] * rng.choice((1, 20))
            case 6:
                value = odd.value(rng)
                rows = [each | {name: value} for each in rows]
            case 7:
                rows = [{key: cell for key, cell in each.items() if key != name} for each in rows]
                names = list(rows[0])
                if not names:
                    return []
    return rows


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _csv(rows: list[dict[str, Any]], separator: str = ",") -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerows(
        [list(rows[0] if rows else ("N", "loss")), *([_cell(cell) for cell in row.values()] for row in rows)]
    )
    return out.getvalue().encode("utf-8", errors="surrogatepass")


def _tsv(rows: list[dict[str, Any]]) -> bytes:
    return _csv(rows, "\t")


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(odd.as_json(row) + b"\n" for row in rows)


def _json(rows: list[dict[str, Any]]) -> bytes:
    return odd.as_json(rows)


def _arrow(rows: list[dict[str, Any]]) -> pa.Table:
    def column(name: str) -> pa.Array:
        cells = [row.get(name) for row in rows]
        try:
            found = pa.array(cells)
            pyarrow.parquet.write_table(pa.table({"a": found}), io.BytesIO())  # which has no empty structures
            return found
        except (pa.ArrowException, OverflowError, UnicodeError, RecursionError):
            return pa.array(
                [None if cell is None else _cell(cell).encode("utf-8", "replace").decode() for cell in cells]
            )

    names = [name.encode("utf-8", "replace").decode() for name in (rows[0] if rows else {"N": 0})]
    return pa.table([column(name) for name in (rows[0] if rows else {"N": 0})], names=names)


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(_arrow(rows), out)
    return out.getvalue()


def _feather(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    with suppress(pa.ArrowException):  # nested too deeply for it: a file that is cut short
        pyarrow.feather.write_feather(_arrow(rows), out)
    return out.getvalue()


_FORMATS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "csv": _csv,
    "tsv": _tsv,
    "jsonl": _jsonl,
    "parquet": _parquet,
    "json": _json,
    "feather": _feather,
}


def make(rng: random.Random) -> Case:
    """A table, whole or damaged, and a command on it."""
    rows = _changed(rng, _plain(rng))
    suffix = rng.choice(("csv", "csv", "csv", "tsv", "jsonl", "jsonl", "parquet", "parquet", "json", "feather"))
    content = _FORMATS[suffix](rows)
    if zipped := rng.random() < 0.1:
        content, suffix = gzip.compress(content), f"{suffix}.gz"
    whole = rng.random() < 0.6
    if not whole:
        content = odd.bytes_near(rng, content)
    if rng.random() < 0.05:
        suffix, whole = rng.choice((*_FORMATS, "xlsx", "txt", "CSV", "parquet.gz", "")), False
    name = f"t.{suffix}"
    command = list(rng.choice(_COMMANDS))
    chosen = False
    if rng.random() < 0.15 and command[0] != "cite":
        command += [rng.choice(("--where", "--exclude")), expression(rng)]
        chosen = True
    if rng.random() < 0.05 and len(command) > 3:
        command[rng.randrange(2, len(command))] = odd.text(rng)
        chosen = True
    told = command[0] == "cite" or chosen
    # The reader of text parts lines by its own rules, so that rows are known only where cells hold no breaks.
    plain = whole and not zipped and not any("\n" in str(c) or "\r" in str(c) for row in rows for c in row.values())
    told_of = plain and command[0] not in ("cite", "allocate") and "--help" not in command
    said = _Counted(len(rows)) if told_of else _nothing
    argv = (command[0], name, *command[1:], "--json", "found.json") if command[0] != "cite" else ("cite", name)
    return Case(argv, {name: content}, () if told else _NAMED, said)


def _nothing(_: Ran) -> str:
    return ""


class _Counted:
    """Whether a verb accounts for every row, in words where it does not."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __call__(self, ran: Ran) -> str:
        if ran.code:
            return ""
        line = next((line for line in reversed(ran.out.splitlines()) if _COUNTS.search(line)), "")
        found = _COUNTS.search(line)
        if found is None:
            return f"says nothing of its rows:\n{ran.out[-600:]}"
        counted = sum(int((group or "0").replace(",", "")) for group in found.groups()[1:])
        return "" if counted == self.n else f"{counted} rows of {self.n} are accounted for: {line}"


def load_json(path: str) -> Any:
    """What --json wrote."""
    with open(path) as file:
        return json.load(file)
