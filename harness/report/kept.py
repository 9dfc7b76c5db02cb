"""An analysis whose tables, settings and code have not changed is not repeated: its result is read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

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
    package = Path(__file__).parents[1]
    folders = ("analysis", "records", "report")
    kinds = ("py", "j2", "js", "css")
    code = sorted(path for name in folders for kind in kinds for path in (package / name).rglob(f"*.{kind}"))
    for path in (*code, folder / "runs.parquet", folder / "measurements.parquet"):
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()


def keep(analysis: Analysis, key: str, paths: list[Path]) -> Result:
    """Write what `read_kept` reads, beside the files that the report has written (`paths`), and return it."""
    names = ("page", "interactive", "card", "latex", "verdicts", "laws", "plots")
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
        "words": {"verdicts": _words(analysis.jumps), "laws": _words(analysis.laws)},
        # Where there is nothing to draw, there is no folder of plots.
        "files": {name: path.name for name, path in zip(names, paths, strict=True) if path.exists()},
    }
    write_whole(analysis.folder / FILE, json.dumps(content, indent=2).encode())
    result = read_kept(analysis.folder, key)
    assert result is not None
    return result


def read_kept(folder: Path, key: str) -> Result | None:
    """The result of an analysis with this fingerprint; None where there is none, or part of it is gone."""
    try:
        content = json.loads((folder / FILE).read_text())
        if content["fingerprint"] != key:
            return None
        files = {name: folder / file for name, file in content["files"].items()}
        if not all(path.exists() for path in files.values()):
            return None
        jumps, laws = (_frame(files[name], content["words"][name]) for name in ("verdicts", "laws"))
        stated = {name: content[name] for name in _STATED}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Result(jumps, laws, **stated, paths=list(files.values()))


def _words(frame: pd.DataFrame) -> list[str]:
    """Columns of text, which CSV does not tell from numbers where every cell is empty."""
    return [str(name) for name in frame.columns if frame[name].map(lambda cell: isinstance(cell, str)).any()]


def _frame(path: Path, words: list[str]) -> pd.DataFrame:
    """A table as it was before it was written: empty text is empty, not missing."""
    frame = pd.read_csv(path, dtype=dict.fromkeys(words, object))
    return frame.fillna(dict.fromkeys(words, ""))
