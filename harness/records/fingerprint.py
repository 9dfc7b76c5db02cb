"""What `store.collect` read and wrote, by names, sizes and times: where these are the same, nothing is read again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.code_digest import code_digest
from harness.records.files import write_whole
from harness.records.schema import SCHEMAS
from harness.records.writer import PIECES

#: In the results folder, beside the tables.
FILE = "collected.json"

Stamps = dict[str, list[int]]


@dataclass(frozen=True)
class Collected:
    """What was found when the tables were made.

    Attributes:
        problems: a line for each file that was left out.
        bad: run_id -> what is wrong with its pieces, as in `pieces.Recorded`.
    """

    problems: tuple[str, ...]
    bad: Mapping[str, str]


def stamp_pieces(folder: Path) -> Stamps:
    """The size in bytes and the time of change in ns of every file in a folder's pieces, by name."""
    try:
        with os.scandir(folder / PIECES) as entries:
            return _stamps(entry for entry in entries if not entry.name.startswith("."))
    except FileNotFoundError:
        return {}


def _stamp_tables(folder: Path) -> Stamps:
    return _stamps(path for name in SCHEMAS if (path := folder / f"{name}.parquet").exists())


def _stamps(files: Iterable[Path | os.DirEntry[str]]) -> Stamps:
    found = {file.name: file.stat() for file in files}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in sorted(found.items())}


def keep_collected(folder: Path, pieces: Stamps, found: Collected) -> None:
    """Note that a folder's tables are those of its pieces.

    Args:
        pieces: `stamp_pieces`, from before the pieces were read: one that was written meanwhile is then another.

    Raises:
        UserError: the folder cannot be written.
    """
    stated = {"problems": found.problems, "bad": dict(found.bad)}
    write_whole(folder / FILE, json.dumps(stated | _key(folder, pieces)).encode())


def read_collected_note(folder: Path) -> Collected | None:
    """What was noted of a folder's tables; None where they or the pieces have changed since, or nothing was noted."""
    try:
        stated = json.loads((folder / FILE).read_text())
        if any(stated.get(name) != value for name, value in _key(folder, stamp_pieces(folder)).items()):
            return None
        return Collected(tuple(stated["problems"]), dict(stated["bad"]))
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None


def _key(folder: Path, pieces: Stamps) -> dict[str, Any]:
    # Other code may judge or merge pieces otherwise.
    return {"code": code_digest(Path(__file__).parent), "tables": _stamp_tables(folder), "pieces": pieces}
