"""An analysis whose tables, settings and code have not changed is not repeated: its result is read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.records.writer import write_whole

if TYPE_CHECKING:
    from harness.report.analyze import Analysis

#: In the results folder, beside what it describes.
FILE = "analysis.json"


@dataclass(frozen=True)
class Result:
    """What is told of an analysis: verdicts and laws as `find_jumps` and `exponents` return them, and the rest."""

    jumps: pd.DataFrame
    laws: pd.DataFrame
    x: str
    level: float
    interval: str
    n_runs: int
    n_lost: int
    impossible: dict[str, str]
    paths: list[Path]


def fingerprint(folder: Path, settings: Mapping[str, Any]) -> str:
    """Hash of all that an analysis follows from: both tables, its settings, and the code of this half of the house."""
    digest = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode())
    house = Path(__file__).parents[1]
    rooms = ("analysis", "records", "report")
    code = sorted(path for room in rooms for kind in ("py", "j2") for path in (house / room).rglob(f"*.{kind}"))
    for path in (*code, folder / "runs.parquet", folder / "measurements.parquet"):
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()


def keep(analysis: Analysis, key: str, paths: list[Path]) -> Result:
    """Write down what `read_kept` needs beside the tables that the report has written, and return it."""
    page, card, verdicts, laws, plots = (path.name for path in paths)
    told = {
        "fingerprint": key,
        "x": analysis.x,
        "level": analysis.level,
        "interval": analysis.interval,
        "n_runs": len(analysis.runs),
        "n_lost": int(analysis.runs["status"].ne("finished").sum()),
        "impossible": analysis.impossible,
        "words": {"verdicts": _words(analysis.jumps), "laws": _words(analysis.laws)},
        "files": {"page": page, "card": card, "verdicts": verdicts, "laws": laws, "plots": plots},
    }
    write_whole(analysis.folder / FILE, json.dumps(told, indent=2).encode())
    result = read_kept(analysis.folder, key)
    assert result is not None
    return result


def read_kept(folder: Path, key: str) -> Result | None:
    """The result of an analysis with this fingerprint; None where there is none, or part of it is gone."""
    try:
        told = json.loads((folder / FILE).read_text())
        if told["fingerprint"] != key:
            return None
        files = {name: folder / file for name, file in told["files"].items()}
        if not all(path.exists() for path in files.values()):
            return None
        jumps, laws = (_frame(files[name], told["words"][name]) for name in ("verdicts", "laws"))
    except (OSError, ValueError, KeyError):
        return None
    told = {name: told[name] for name in ("x", "level", "interval", "n_runs", "n_lost", "impossible")}
    return Result(jumps, laws, **told, paths=list(files.values()))


def _words(frame: pd.DataFrame) -> list[str]:
    """Columns that hold words: in CSV, words that are all empty look like numbers that are all missing."""
    return [str(name) for name in frame.columns if frame[name].map(lambda cell: isinstance(cell, str)).any()]


def _frame(path: Path, words: list[str]) -> pd.DataFrame:
    """A table as it was before it was written: words that were empty are empty, not missing."""
    frame = pd.read_csv(path, dtype=dict.fromkeys(words, object))
    return frame.fillna(dict.fromkeys(words, ""))
