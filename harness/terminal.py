"""Where output goes: terminals of any encoding, pipes whose reader leaves, files on a full disk."""

from __future__ import annotations

import codecs
import errno
import os
import re
import sys
import unicodedata
from typing import NoReturn

from rich.console import Console

#: What a terminal shows that lacks a sign of ours; other signs that it lacks are shown by their numbers.
_IN_ASCII = {
    **dict.fromkeys("\u2013\u2014\u2212\u2500\u2501\u2578\u257a", "-"),
    "\u2026": "...",
    "\u00a0": " ",
    "\u00b7": "*",
    "\u00d7": "x",
    "\u2192": "->",
    "\u2265": ">=",
    "\u2264": "<=",
    "\u00b1": "+/-",
    "\u2248": "~",
}
#: Characters of a message, and of a word in it, that are shown.
_LONGEST, _LONGEST_WORD = 1200, 300
#: Errors of writing that are of where the output goes, and not of a file, which has a name.
_OF_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def prepare() -> None:
    """Let standard output and error show any text, whatever their encoding: nothing that is said ends a command."""
    codecs.register_error("harness", _lacking)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - closed by whoever started us
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="harness")


def _lacking(error: UnicodeError) -> tuple[str, int]:
    """Signs in place of those that an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_IN_ASCII.get(sign) or ascii(sign)[1:-1] for sign in lacking), error.end


def message(text: str) -> str:
    """What is said of a mistake, with the values in it as they can be shown.

    Control characters and half pairs of UTF-16 stand by their numbers, lest names from a file move a terminal's cursor;
    what is very long is cut in the middle, for the value of a setting can fill many screens.
    """
    signs = (
        ascii(sign)[1:-1] if unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t" else sign
        for sign in text
    )
    return _cut(re.sub(rf"\S{{{_LONGEST_WORD},}}", lambda word: _cut(word[0], _LONGEST_WORD), "".join(signs)), _LONGEST)


def _cut(text: str, longest: int) -> str:
    half = (longest - 5) // 2
    return text if len(text) <= longest else f"{text[:half]} ... {text[-half:]}"


def is_of_output(error: OSError) -> bool:
    """Whether writing to standard output has failed, as on a full disk."""
    return error.filename is None and error.errno in _OF_OUTPUT


def discard() -> None:
    """Write standard output nowhere from now on: Python would complain once more when it closes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Console(Console):
    """One that leaves a reader's early end to the command, where rich would exit with 1."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def console() -> Console:
    """Standard output, for text that is shown as it is: names may look like rich's markup or its emoji."""
    # Lines of a file or a pipe are as long as they need to be.
    return _Console(width=None if sys.stdout.isatty() else 200, markup=False, emoji=False)
