"""What a reader finds in a file: runs with their numbers, before anything is known of their sizes."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

from harness.errors import DataError


class ForeignError(DataError):
    """A file that can be read and is of another kind."""


@dataclass(frozen=True)
class Number:
    """One measurement as a file gives it.

    Attributes:
        step: optimizer steps done, None where the file does not say; then those of the run's last step.
        split: "train" or "eval".
        metric, value: value may be NaN or infinite; such numbers are reported and left out.
        subtask: or 'all' for the task as a whole.
        stderr: standard error from the finite evaluation set, None where the file gives none.
        n_eval: examples evaluated, None where nobody says.
        higher_is_better: None where the file does not say; then the metric's name decides.
        task: the benchmark that the number is of, '' where the file names none.
    """

    step: int | None
    split: str
    metric: str
    value: float
    subtask: str = "all"
    stderr: float | None = None
    n_eval: int | None = None
    higher_is_better: bool | None = None
    task: str = ""


@dataclass(frozen=True)
class FoundRun:
    """One run of a file, or of several that hold parts of it.

    Attributes:
        source: the file, or the folder of event files; the first of several.
        name: what the tool calls the run; it labels the run and a sidecar's column `run` may name it.
        numbers: in the order of the file.
        settings: columns of the runs table that the file states, e.g. params_total, tokens, steps.
        part: what tells this run from the others of the same file, e.g. its task.
        tokens_at: step -> training tokens seen, where the file counts them.
        versions: of the tools that wrote the file.
        problems: what the reader left out and why.
        notes: what holds of the file as a whole, in full sentences that name it.
        files: what was read, where that is not `source` alone.
        key: what makes it the same run when other files of it are imported; '' where the contents of its files do.
    """

    source: Path
    name: str
    numbers: list[Number]
    settings: dict[str, Any] = field(default_factory=dict)
    part: str = ""
    tokens_at: dict[int, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    key: str = ""

    @property
    def label(self) -> str:
        """The file and, where it holds several runs, which of them; for messages."""
        return f"{self.source} ({self.part})" if self.part else str(self.source)

    @property
    def all_files(self) -> tuple[Path, ...]:
        """Every file that was read."""
        return self.files or (self.source,)

    def without_repeats(self) -> FoundRun:
        """The same with one number of a metric at a step, the last; earlier ones that differ are among the problems."""
        last: dict[tuple[object, ...], Number] = {}
        replaced: list[Number] = []
        for number in self.numbers:
            key = (number.step, number.split, number.metric, number.subtask, number.task)
            earlier = last.get(key)
            if (
                earlier
                and earlier.value != number.value
                and not (math.isnan(earlier.value) and math.isnan(number.value))
            ):
                replaced.append(earlier)
            last[key] = number
        if len(last) == len(self.numbers):
            return self
        problems = self.problems
        if replaced:
            first = replaced[0]
            at = "" if first.step is None else f" at step {first.step}"
            what = f"{first.split} {first.metric} of {first.subtask}{at}, {first.value:g}"
            many = "1 value is" if len(replaced) == 1 else f"{len(replaced):,} values are"
            problems += (f"{many} left out because a later one of the same step counts (the first: {what})",)
        return replace(self, numbers=list(last.values()), problems=problems)


def _as_found(paths: list[Path]) -> list[Path]:
    return paths


def _as_read(runs: list[FoundRun]) -> list[FoundRun]:
    return runs


@dataclass(frozen=True)
class Format:
    """A kind of file that can be imported.

    Attributes:
        name: as `import_results` and the command line take it.
        patterns: of the file names looked for under a folder; each also with .gz after it.
        read: file -> its runs; raises DataError where it cannot be used, ForeignError where it is of another kind.
        choose: which of the files found under a folder are read, e.g. one of several checkpoints of a run.
        join: makes one run of those that are the same at several steps.
        by_content: whether files of another kind may lie under a folder, under names that match.
    """

    name: str
    patterns: tuple[str, ...]
    read: Callable[[Path], list[FoundRun]]
    choose: Callable[[list[Path]], list[Path]] = _as_found
    join: Callable[[list[FoundRun]], list[FoundRun]] = _as_read
    by_content: bool = False

    def find(self, path: Path) -> list[Path]:
        """`path` itself, or the files of this kind under it, sorted.

        Raises:
            DataError: there is nothing there, or nothing of this kind.
        """
        if path.is_file():
            return [path]
        if not path.is_dir():
            found_instead = "a pipe or a device; a file is wanted" if path.exists() else "no such file or folder"
            raise DataError(f"{path}: {found_instead}")
        names = [name for pattern in self.patterns for name in (pattern, f"{pattern}.gz")]
        found = sorted({file for name in names for file in path.rglob(name) if file.is_file()})
        if not found:
            raise DataError(f"{path}: nothing to import as {self.name}: no {' or '.join(self.patterns)} under it")
        return self.choose(found)

    def read_under(self, path: Path) -> tuple[list[FoundRun], list[str]]:
        """The runs of the file `path`, or of the files of this kind under it; and what was passed over, a line each.

        Raises:
            DataError: as `find` and `read`.
        """
        if not (self.by_content and path.is_dir()):
            return [run for file in self.find(path) for run in self.read(file)], []
        runs: list[FoundRun] = []
        foreign: list[ForeignError] = []
        for file in self.find(path):
            try:
                runs += self.read(file)
            except ForeignError as error:
                foreign.append(error)
        if not runs:
            raise DataError(f"{path}: nothing to import as {self.name}; {foreign[0]}")
        many = "1 other file is" if len(foreign) == 1 else f"{len(foreign)} other files are"
        return runs, [f"{path}: {many} passed over; {foreign[0]}"] if foreign else []


def stem(path: Path) -> str:
    """The name of a file without its suffix, nor .gz."""
    return Path(path.name.removesuffix(".gz")).stem


def read_bytes(path: Path) -> bytes:
    """Content of a file, unpacked where its name ends in .gz; raises DataError where it cannot be read."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.name.endswith(".gz") else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: cannot be unpacked, not gzip or cut short: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def read_json(path: Path, key: str, expected: str) -> dict[str, Any]:
    """A JSON object that has `key`.

    Raises:
        ForeignError: JSON, or another kind of text, without `key`; says that `expected` is allowed.
        DataError: no text, empty, or cut short.
    """
    packed = read_bytes(path)
    if not packed.strip():
        raise DataError(f"{path}: empty; allowed is {expected}")
    try:
        content = json.loads(packed)
        if rb"\ud" in packed.lower():  # half a pair of UTF-16 is no text, and no table can hold it
            json.dumps(content, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        problem = f"not JSON, or cut short, at line {error.lineno}: {error.msg}; allowed is {expected}"
        # What was to become a file of this kind is worth an error; any other text is just another file.
        kind = DataError if f'"{key}"'.encode() in packed else ForeignError
        raise kind(f"{path}: {problem}") from error
    except (ValueError, RecursionError) as error:  # other encodings, numbers of thousands of digits, deep nesting
        raise ForeignError(f"{path}: not JSON; allowed is {expected}") from error
    if not isinstance(content, dict) or key not in content:
        raise ForeignError(f"{path}: foreign, has no '{key}'; allowed is {expected}")
    return content


def is_number(value: object) -> TypeGuard[float]:
    """Whether a JSON value is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_count(value: object) -> TypeGuard[int]:
    """Whether a JSON value is a whole number from 0 that the tables can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
