"""The manual's examples: what a page shows is laid out in an empty folder and run there, in the order of the page.

    python docs/worked_pages.py docs/pages/laws.md ...     rewrite the outputs that are no longer printed

A block of python or yaml whose first comment is a path (`# laws.py`) is a file of that name. In a block of `console`, a
line that begins with `$ ` is a command, and what follows is what it prints; a command that nothing follows is run
and may print anything. A line `...` stands for lines that are left out, and `...` at a line's end for its rest. Blocks
of `sh` are not run. `<!-- given: PATH as NAME -->` copies a file or folder of the repository.
"""

from __future__ import annotations

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path
from unittest.mock import patch

from harness.cache_folder import cache_folder

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted((REPOSITORY / "docs" / "pages").rglob("*.md"))

_FILE = re.compile(r"^```(?:python|yaml)\n((?:.*\n)*?)```$", flags=re.MULTILINE)
_NAME = re.compile(r"^# (\S+\.\w+)$", flags=re.MULTILINE)
_CONSOLE = re.compile(r"(?<=^```console\n)(?:.*\n)*?(?=```$)", flags=re.MULTILINE)
_GIVEN = re.compile(r"^<!-- given: (\S+) as (\S+) -->$", flags=re.MULTILINE)

_DURATION = re.compile(r"\b\d+(?:\.\d+)? (?:ms|s|min|h)\b(?: \d+ (?:s|min)\b)?")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")

#: Numbers agree within this share: training adds up in another order on another processor.
TOLERANCE = 0.25


@dataclass(frozen=True)
class Command:
    """A command and what the page says that it prints; (start, end) is where the page has this output."""

    words: str
    output: str
    start: int
    end: int


@dataclass(frozen=True)
class Page:
    """A page's files, commands and what it takes from the repository."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> Page:
        return cls(path, path.read_text())

    @property
    def files(self) -> dict[str, str]:
        """Name -> content, header line and all, as a reader pastes it."""
        blocks = _FILE.findall(self.text)
        return {name[1]: block for block in blocks if (name := _NAME.search(block))}

    @property
    def given(self) -> list[tuple[str, str]]:
        """(path in the repository, name in the folder)."""
        return _GIVEN.findall(self.text)

    @property
    def commands(self) -> list[Command]:
        return [command for block in _CONSOLE.finditer(self.text) for command in _commands(block[0], block.start())]

    def lay_out(self, folder: Path) -> None:
        """Write the page's files."""
        for source, name in self.given:
            shutil.copytree(REPOSITORY / source, folder / name)
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)

    def run(self, folder: Path) -> Iterator[tuple[Command, int, str]]:
        """Each command, its exit code and what it printed."""
        self.lay_out(folder)
        for command in self.commands:
            yield command, *run(command.words, folder)

    def rewritten(self, folder: Path) -> str:
        """The page with the output of every command that prints something else by now."""
        text = self.text
        # From the end, so that earlier places stay where they are.
        for command, _, printed in reversed(list(self.run(folder))):
            if command.output and not agree(command.output, printed):
                text = text[: command.start] + "\n".join(_lines(printed)) + "\n" + text[command.end :]
        return text


def agree(expected: str, printed: str) -> bool:
    """Whether a page says what was printed, up to durations, blanks, numbers (TOLERANCE), and what it leaves out."""
    parts, lines = [[]], _lines(printed)
    for line in _lines(expected):
        if line == "...":
            parts.append([])
        else:
            parts[-1].append(line)
    at = 0
    for i, part in enumerate(parts):
        places = range(at, len(lines) - len(part) + 1)
        if i == len(parts) - 1 and part:
            places = range(max(at, len(lines) - len(part)), len(lines) - len(part) + 1)
        if i == 0:
            places = places[:1]
        found = [place for place in places if all(map(_same, part, lines[place : place + len(part)]))]
        if not found:
            return False
        at = found[0] + len(part)
    return at == len(lines) or not parts[-1]


def _commands(block: str, start: int) -> Iterator[Command]:
    pieces = re.split(r"^\$ ", block, flags=re.MULTILINE)
    at = start + len(pieces[0])
    for piece in pieces[1:]:
        words = re.match(r"(?:.*\\\n)*.*\n", piece)
        assert words
        begin, at = at + 2 + words.end(), at + 2 + len(piece)
        yield Command(words[0].replace("\\\n", " ").strip(), piece[words.end() :], begin, at)


def run(command: str, folder: Path) -> tuple[int, str]:
    """Run a command in a folder: the exit code and what was printed, errors too, in the order of printing."""
    verb, *words = shlex.split(command)
    with tempfile.TemporaryDirectory() as outside:
        printed = Path(outside) / "printed"
        if verb in _CALLS and words and words[0] != "-c" and not set(command) & set("|;&<>"):
            process = _server().Process(target=_call, args=(verb, words, folder, printed))
            process.start()
            process.join()
            code = process.exitcode or 0
        else:
            with printed.open("w") as out:
                code = subprocess.run(
                    ["bash", "-c", _IN_SHELL + command], cwd=folder, stdout=out, stderr=out, env=_environment()
                ).returncode
        return code, printed.read_text()


#: `python` is the one that runs this, whatever is installed.
_IN_SHELL = f'python() {{ "{sys.executable}" "$@"; }}; '


def _environment() -> dict[str, str]:
    """That of this process, with a cache for pages alone, since plans show what other commands have timed."""
    cache = cache_folder()
    of_pages = "" if cache is None else str(cache if cache.name == "pages" else cache / "pages")
    return os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1", "HARNESS_CACHE": of_pages}


#: What verbs and sweeps import when they are first called.
_SLOW = ("torch._inductor", "hydra", "matplotlib.pyplot", "scipy.stats", "jinja2")


@lru_cache
def _server() -> ForkServerContext:
    """Processes forked from one that has loaded what takes seconds to load."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["harness.study_verbs", "harness.sweeping.pool", "harness.report.html", *_SLOW])
    with patch.dict(os.environ, OMP_NUM_THREADS="1"):
        forkserver.ensure_running()
    return context


def _call(verb: str, words: list[str], folder: Path, printed: Path) -> None:
    """In a process of its own, what a shell would do in this folder; ends with the exit code."""
    from harness.sweeping import pool

    out = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(out, stream.fileno())
        stream.reconfigure(write_through=True)
    os.environ.update(_environment())
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    # A sweep's workers come from the server that this process comes from, not from one that each sweep starts anew.
    forkserver._forkserver.ensure_running = pool.ensure_running = lambda: None
    sys.exit(_CALLS[verb](words))


def _harness(words: list[str]) -> int:
    from harness.cli import main

    return main(words)


def _python(words: list[str]) -> None:
    sys.argv = words
    sys.path.insert(0, str(Path(words[0]).resolve().parent))
    runpy.run_path(words[0], run_name="__main__")


_CALLS: dict[str, Callable[[list[str]], int | None]] = {"harness": _harness, "python": _python}


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _same(expected: str, printed: str) -> bool:
    expected, printed = (_plain(line) for line in (expected, printed))
    if expected.endswith("..."):
        expected = expected.removesuffix("...").rstrip()
        printed = " ".join(printed.split()[: len(expected.split())])
    if _NUMBER.sub("#", expected) != _NUMBER.sub("#", printed):
        return False
    return all(map(_close, _NUMBER.findall(expected), _NUMBER.findall(printed)))


def _plain(line: str) -> str:
    return " ".join(re.sub("─+", "─", _DURATION.sub("<time>", line)).split())


def _close(expected: str, printed: str) -> bool:
    a, b = (float(number.replace(",", "")) for number in (expected, printed))
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b))


if __name__ == "__main__":
    for name in sys.argv[1:] or PAGES:
        page = Page.read(Path(name))
        with tempfile.TemporaryDirectory() as empty:
            page.path.write_text(page.rewritten(Path(empty)))
