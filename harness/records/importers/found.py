"""What a reader finds in a file: runs with their numbers, before anything is known of their sizes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from harness.errors import DataError


@dataclass(frozen=True)
class Number:
    """One measurement as a file gives it.

    Attributes:
        step: optimizer steps done.
        split: "train" or "eval".
        metric, value: value may be NaN or infinite; such numbers are reported and left out.
        subtask: or 'all' for the task as a whole.
        stderr: standard error from the finite evaluation set, None where the file gives none.
        n_eval: examples evaluated, 0 where the file does not say.
        higher_is_better: None where the file does not say; then the metric's name decides.
    """

    step: int
    split: str
    metric: str
    value: float
    subtask: str = "all"
    stderr: float | None = None
    n_eval: int = 0
    higher_is_better: bool | None = None


@dataclass(frozen=True)
class FoundRun:
    """One run of a file.

    Attributes:
        source: the file, or the folder of event files.
        name: what the tool calls the run; it labels the run and a sidecar's column `run` may name it.
        numbers: in the order of the file.
        settings: columns of the runs table that the file states, e.g. params_total, tokens, steps.
        part: what tells this run from the others of the same file, e.g. its task.
        tokens_at: step -> training tokens seen, where the file counts them.
        versions: of the tools that wrote the file.
        problems: what the reader left out and why.
        files: what was read, where `source` is a folder.
    """

    source: Path
    name: str
    numbers: list[Number]
    settings: dict[str, Any] = field(default_factory=dict)
    part: str = ""
    tokens_at: dict[int, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    @property
    def label(self) -> str:
        """The file and, where it holds several runs, which of them; for messages."""
        return f"{self.source} ({self.part})" if self.part else str(self.source)


def _as_found(paths: list[Path]) -> list[Path]:
    return paths


@dataclass(frozen=True)
class Format:
    """A kind of file that can be imported.

    Attributes:
        name: as `import_results` and the command line take it.
        patterns: of the file names looked for under a folder.
        read: file -> its runs; raises DataError where the file is not of this kind.
        choose: which of the files found under a folder are read, e.g. one of several checkpoints of a run.
    """

    name: str
    patterns: tuple[str, ...]
    read: Callable[[Path], list[FoundRun]]
    choose: Callable[[list[Path]], list[Path]] = _as_found

    def find(self, path: Path) -> list[Path]:
        """`path` itself, or the files of this kind under it, sorted.

        Raises:
            DataError: there is nothing there, or nothing of this kind.
        """
        if path.is_file():
            return [path]
        if not path.is_dir():
            raise DataError(f"{path}: no such file or folder")
        found = sorted({file for pattern in self.patterns for file in path.rglob(pattern) if file.is_file()})
        if not found:
            raise DataError(f"{path}: nothing to import as {self.name}: no {' or '.join(self.patterns)} under it")
        return self.choose(found)


def read_bytes(path: Path) -> bytes:
    """Content of a file; raises DataError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def read_json(path: Path, key: str, expected: str) -> dict[str, Any]:
    """A JSON object that has `key`.

    Raises:
        DataError: truncated, no JSON, or another kind of file; says that `expected` is allowed.
    """
    try:
        content = json.loads(read_bytes(path))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: not JSON, or cut short, at line {error.lineno}: {error.msg}; allowed is {expected}"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not JSON; allowed is {expected}") from error
    if not isinstance(content, dict) or key not in content:
        raise DataError(f"{path}: foreign, has no '{key}'; allowed is {expected}")
    return content


def is_number(value: object) -> TypeGuard[float]:
    """Whether a JSON value is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_count(value: object) -> TypeGuard[int]:
    """Whether a JSON value is a whole number from 0 that the tables can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
