"""What `store.collect` read and wrote, by names, sizes and times: what is the same is not read again."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.code_digest import code_digest
from harness.records.files import check_is_file, write_whole
from harness.records.schema import SCHEMAS
from harness.records.writer import PIECES

#: In the results folder, beside the tables.
FILE = "collected.json"

Stamps = dict[str, list[int]]


@dataclass(frozen=True)
class Noted:
    """What the tables were made of.

    Attributes:
        pieces: `stamp_pieces`, from before the pieces were read: one that was written meanwhile is then another.
        bad: run_id -> what is wrong with its piece, as in `pieces.Recorded`.
    """

    pieces: Stamps
    bad: Mapping[str, str]


def stamp_pieces(folder: Path) -> Stamps:
    """The size in bytes and the time of change in ns of every file in a folder's pieces, by name."""
    try:
        names = os.listdir(folder / PIECES)
    except FileNotFoundError:
        return {}
    return _stamps(folder / PIECES / name for name in names if not name.startswith("."))


def stamp_tables(folder: Path) -> Stamps:
    """The same of both tables."""
    return _stamps(path for name in SCHEMAS if (path := folder / f"{name}.parquet").exists())


def _stamps(files: Iterable[Path]) -> Stamps:
    found = {file.name: stat for file in files if (stat := _stat(file)) is not None}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in sorted(found.items())}


def _stat(file: Path) -> os.stat_result | None:
    """Of a link that leads nowhere, its own; None where the file has gone meanwhile."""
    for follow in (True, False):
        with contextlib.suppress(OSError):
            return os.stat(file, follow_symlinks=follow)
    return None


def keep_note(folder: Path, noted: Noted) -> None:
    """Note what a folder's tables, as they are now, were made of.

    Raises:
        UserError: the folder cannot be written.
    """
    stated = {"pieces": noted.pieces, "bad": dict(noted.bad)}
    write_whole(folder / FILE, json.dumps(stated | _key(folder)).encode())


def read_note(folder: Path) -> Noted | None:
    """What was noted of a folder's tables; None where they have changed since, or nothing was noted."""
    try:
        check_is_file(folder / FILE)
        stated = json.loads((folder / FILE).read_text())
        if any(stated.get(name) != value for name, value in _key(folder).items()):
            return None
        return Noted(dict(stated["pieces"]), dict(stated["bad"]))
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None


def _key(folder: Path) -> dict[str, Any]:
    # Other code may judge or merge pieces otherwise.
    return {"code": code_digest(Path(__file__).parent), "tables": stamp_tables(folder)}
