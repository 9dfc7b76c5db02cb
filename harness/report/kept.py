"""An analysis whose tables, settings and code have not changed is not repeated: its result is read back."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.code_digest import code_digest
from harness.records.files import write_whole

if TYPE_CHECKING:
    from harness.report.analyze import Analysis

#: In the results folder, beside what it describes.
FILE = "analysis.json"


#: What a result states beside its tables and files.
_STATED = ("x", "level", "interval", "n_runs", "n_unfinished", "left_out", "differing_data", "impossible")


@dataclass(frozen=True)
class Result:
    """What the terminal shows of an analysis: verdicts and laws as `find_jumps` and `exponents` return them, and more.

    Attributes:
        n_runs, n_unfinished: runs analysed, and those of them that diverged or failed.
        left_out, differing_data, impossible: as in `Analysis`.
        paths: what `html.write_report` returns, of what is there.
    """

    jumps: pd.DataFrame
    laws: pd.DataFrame
    x: str
    level: float
    interval: str
    n_runs: int
    n_unfinished: int
    left_out: list[str]
    differing_data: list[str]
    impossible: dict[str, str]
    paths: list[Path]


def fingerprint(folder: Path, settings: Mapping[str, Any]) -> str:
    """Hash of all that an analysis depends on: both tables, its settings, and the code that reads, analyses and draws.

    Args:
        settings: what was asked for, ready for JSON.
    """
    digest = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode())
    folders = (Path(__file__).parents[1] / name for name in ("analysis", "records", "report"))
    digest.update(code_digest(*folders, kinds=("py", "j2", "js", "css")).encode())
    for path in (folder / "runs.parquet", folder / "measurements.parquet"):
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()


def keep(analysis: Analysis, key: str, paths: list[Path]) -> Result:
    """Write what `read_kept` reads, beside the files that the report has written (`paths`), and return it."""
    tables = {"verdicts": analysis.jumps, "laws": analysis.laws}
    content = {
        "fingerprint": key,
        "x": analysis.x,
        "level": analysis.level,
        "interval": analysis.interval,
        "n_runs": len(analysis.runs),
        "n_unfinished": int(analysis.runs["status"].ne("finished").sum()),
        "left_out": analysis.left_out,
        "differing_data": analysis.differing_data,
        "impossible": analysis.impossible,
        "words": {name: _words(table) for name, table in tables.items()},
        "tables": {name: table.to_csv(index=False) for name, table in tables.items()},
        # Where there is nothing to draw, there is no folder of plots.
        "files": {path.name: _checksums(path) for path in paths if path.exists()},
    }
    text = json.dumps({"checksum": _checksum(_json(content))} | content, indent=2)
    write_whole(analysis.folder / FILE, text.encode())
    result = read_kept(analysis.folder, key)
    assert result is not None
    return result


def read_kept(folder: Path, key: str) -> Result | None:
    """The result of an analysis with this fingerprint; None where there is none, or a part is not as written."""
    try:
        content = json.loads((folder / FILE).read_bytes())
        if content.pop("checksum") != _checksum(_json(content)) or content["fingerprint"] != key:
            return None
        if any(not _is_as_written(folder / name, checksums) for name, checksums in content["files"].items()):
            return None
        jumps, laws = (_frame(content["tables"][name], content["words"][name]) for name in ("verdicts", "laws"))
        stated = {name: content[name] for name in _STATED}
        return Result(jumps, laws, **stated, paths=[folder / name for name in content["files"]])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _checksums(path: Path) -> str | dict[str, str]:
    """The checksum of a file; of a folder those of its files, by name."""
    if path.is_dir():
        return {file.name: _checksum(file.read_bytes()) for file in sorted(path.iterdir()) if file.is_file()}
    return _checksum(path.read_bytes())


def _is_as_written(path: Path, checksums: str | dict[str, str]) -> bool:
    """Whether a file, or every file that a folder had, is as it was; what a user has added to a folder is theirs."""
    if isinstance(checksums, str):
        return _checksum(path.read_bytes()) == checksums
    return all(_checksum((path / name).read_bytes()) == checksum for name, checksum in checksums.items())


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _words(frame: pd.DataFrame) -> list[str]:
    """Columns of text, which CSV does not tell from numbers where every cell is empty."""
    return [str(name) for name in frame.columns if frame[name].map(lambda cell: isinstance(cell, str)).any()]


def _frame(text: str, words: list[str]) -> pd.DataFrame:
    """A table as it was before it was written: empty text is empty, not missing."""
    frame = pd.read_csv(io.StringIO(text), dtype=dict.fromkeys(words, object))
    return frame.fillna(dict.fromkeys(words, ""))
