"""One case run in this process, in a folder of its own, and what is wrong with how it ended."""

from __future__ import annotations

import io
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import terminal
from harness.cli import main
from harness.errors import UserError

#: Seconds of work and bytes above what the process held before that a case may take.
LONGEST_S, MOST_BYTES = 10, 2**30
#: What a message of an error may be: lines, and characters in all.
_LINES, _CHARACTERS = 3, 1500
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGING = {"os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.link", "os.symlink", "os.truncate", "os.chmod"}


@dataclass(frozen=True)
class Ran:
    """How a case ended: its exit code, what it printed, and what it returned where it is a call."""

    code: int
    out: str
    err: str
    value: Any = None


def _nothing_further(_: Ran) -> str:
    return ""


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        argv: a command of ``harness``; or, where `call` is given, what to show of it.
        files: that lie in its folder, by name.
        named: of which a message of an error must state one; any message will do where there are none.
        check: what else is wrong with how it ended, in words; '' for nothing.
        call: what is called in place of the command.
    """

    argv: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    named: tuple[str, ...] = ()
    check: Callable[[Ran], str] = _nothing_further
    call: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """What is wrong with a case, '' if nothing, and what it took: seconds, and bytes above those held before."""

    fault: str
    seconds: float
    n_bytes: int


class _TooLongError(BaseException):
    """No mistake of a user's, and none that code catches by the way."""


class Sandbox:
    """A box that holds the folder of the case alone, so that whatever appears beside it was written outside.

    Args:
        box: a folder that does not exist.
        limited: whether this process may be held to `MOST_BYTES` more than it has; it stays so.
    """

    def __init__(self, box: Path, limited: bool = True) -> None:
        self.box, self.folder, self.temporary = box.resolve(), box.resolve() / "case", box.resolve() / "tmp"
        self.limited, self._outside, self._watching = limited, list[str](), False
        for folder in (self.folder, self.temporary):
            folder.mkdir(parents=True)
        os.environ |= {"TMPDIR": str(self.temporary), "HOME": str(self.box), "COLUMNS": "200"}
        os.environ["HARNESS_CACHE"] = str(self.box / ".cache" / "harness")
        with redirect_stdout(io.TextIOWrapper(io.BytesIO())), redirect_stderr(io.TextIOWrapper(io.BytesIO())):
            terminal.prepare()  # which registers how a text is shown where an encoding lacks its signs
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watching:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str | bytes) and isinstance(flags, int) and flags & _WRITING:
                self._note(path)
        elif event in _CHANGING:
            for path in arguments[:2]:
                if isinstance(path, str | bytes):
                    self._note(path)

    def _note(self, path: str | bytes) -> None:
        absolute = os.path.abspath(os.fsdecode(path))
        if not absolute.startswith((f"{self.box}{os.sep}", "/dev/")):
            self._outside.append(absolute)

    def run(self, case: Case) -> Outcome:
        """Run a case in a fresh folder."""
        self._empty()
        for name, content in case.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        before, home = _resident("VmRSS"), Path.cwd()
        _forget_peak()
        started = time.monotonic()
        os.chdir(self.folder)
        self._watching = True
        try:
            with _limits(self.limited):
                fault = _fault(case)
        finally:
            self._watching = False
            os.chdir(home)
        seconds, n_bytes = time.monotonic() - started, max(0, _resident("VmHWM") - before)
        if not fault and n_bytes > MOST_BYTES:
            fault = f"took {n_bytes / 2**30:.1f} GiB"
        return Outcome(fault or self._written_outside(), seconds, n_bytes)

    def _empty(self) -> None:
        self._outside.clear()
        for folder in (self.folder, self.temporary):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()

    def _written_outside(self) -> str:
        beside = [path.name for path in self.box.iterdir() if path.name not in ("case", "tmp", ".cache", ".config")]
        left = [f"tmp/{path.name}" for path in self.temporary.iterdir() if not path.name.startswith("torchinductor")]
        found = [*self._outside, *beside, *left]
        return f"files outside of its folder: {', '.join(found[:3])}" if found else ""


def _fault(case: Case) -> str:
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors="harness", write_through=True) for _ in range(2))
    value, code = None, 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            if case.call is None:
                code = main([*case.argv])
            else:
                value = case.call()
    except UserError as error:
        code, _ = error.exit_code, err.write(f"harness: {terminal.message(str(error))}\n")
    except SystemExit as stop:
        return f"exits by itself: {stop.code}"
    except _TooLongError:
        return f"takes longer than {LONGEST_S} s"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return "".join(traceback.format_exception(error, limit=-12))
    printed, said = (stream.buffer.getvalue().decode("utf-8") for stream in (out, err))  # type: ignore[attr-defined]
    ran = Ran(code, printed, said, value)
    return _wrong_end(ran, case) or case.check(ran)


def _wrong_end(ran: Ran, case: Case) -> str:
    if ran.code not in (0, 1, 2):
        return f"exit code {ran.code}\n{ran.err}"
    if "Traceback (most recent call last)" in ran.out + ran.err:
        return f"shows a traceback\n{ran.err}"
    if re.search(r"\w+Warning: ", ran.err):
        return f"shows a warning of Python\n{ran.err}"
    if hidden := sorted({c for c in ran.err if unicodedata.category(c) == "Cc" and c not in "\n\t"}):
        return f"shows control characters {hidden}\n{ran.err!r}"
    if ran.code != 2:
        return ""
    lines = ran.err.strip().splitlines()
    if not lines or not lines[-1].strip():
        return "exit code 2 without a message"
    if len(lines) > _LINES or len(ran.err) > _CHARACTERS:
        return f"a message of {len(lines)} lines, {len(ran.err)} characters\n{ran.err[:3000]}"
    if case.named and not any(name in ran.err for name in case.named):
        return f"names none of {case.named}\n{ran.err}"
    return ""


@contextmanager
def _limits(limited: bool) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _TooLongError

    usual = signal.signal(signal.SIGPROF, stop)
    memory = resource.getrlimit(resource.RLIMIT_AS)
    if limited:
        resource.setrlimit(resource.RLIMIT_AS, (_resident("VmSize") + MOST_BYTES + 2**28, memory[1]))
    # Of this process's own time, for others may load the machine; again after a second, lest code take it for its own.
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, usual)
        resource.setrlimit(resource.RLIMIT_AS, memory)


def _resident(kind: str) -> int:
    found = re.search(rf"{kind}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def _forget_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
