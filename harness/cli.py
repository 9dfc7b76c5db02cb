"""The command ``harness VERB [SETTING=VALUE ...] [FLAG ...]``: verbs, flags, completion, and errors in a line or two.

Verbs that take a table and flags (fit, forecast, ...) are those of `harness.commands`; those that take settings are in
`study_verbs`. Every mistake of the user ends with exit code 2.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TextIO

import harness
from harness import commands, help_pages, terminal
from harness.errors import RunsWarning, UserError, nearest
from harness.verbs import DATA, STUDY_VERBS, VERBS


def entry_point() -> None:
    """What the installed command calls."""
    terminal.prepare()
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code: 0, 1 for a run that failed, 2 for a mistake of the user.

    It is 130 after Ctrl-C, 143 after SIGTERM, and 141, without a word, where whoever reads the output has left. With
    HARNESS_DEBUG in the environment errors keep their traceback.
    """
    try:
        code = _run(argv)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        terminal.discard()
        return 128 + signal.SIGPIPE
    except OSError as error:
        if not terminal.is_of_output(error):
            raise
        terminal.discard()
        print(f"harness: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 2


def _run(argv: Sequence[str]) -> int:
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _WarningLines(warnings.showwarning)
            return _dispatch(list(argv))
    except _Terminated:
        return _stopped(128 + signal.SIGTERM)
    except KeyboardInterrupt:
        return _stopped(128 + signal.SIGINT)
    except UserError as error:
        if os.environ.get("HARNESS_DEBUG"):
            raise
        print(f"harness: {error}", file=sys.stderr)
        return 2
    finally:
        signal.signal(signal.SIGTERM, previous)


class _WarningLines:
    """Warnings about the user's runs in a line each and once, without the code that they came from; others as usual."""

    def __init__(self, usual: Callable[..., None]) -> None:
        self.usual, self.shown = usual, set[str]()

    def __call__(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not issubclass(category, RunsWarning):
            self.usual(message, category, filename, lineno, file, line)
        elif str(message) not in self.shown:
            self.shown.add(str(message))
            print(f"harness: {message}", file=sys.stderr)


class _Terminated(BaseException):
    """SIGTERM came."""


def _terminate(*_: object) -> None:
    raise _Terminated


def _stopped(code: int) -> int:
    print("harness: stopped; finished runs are kept, and the same command goes on from there", file=sys.stderr)
    return code


def _dispatch(argv: list[str]) -> int:
    if argv == ["--version"]:
        print(f"harness {harness.__version__}")
        return 0
    verb, rest = _split(argv)
    if verb is None and {"--help", "-h"} & set(rest):
        print(help_pages.overview())
        return 0
    helped = STUDY_VERBS | {"data": DATA}
    if (verb in helped or verb == "settings") and {"--help", "-h"} & set(rest):
        print(help_pages.of_verb(verb, helped[verb]) if verb in helped else help_pages.of_settings())
        return 0
    if verb == "settings":
        from harness import settings_verb

        return settings_verb.run(rest, terminal.console())
    if verb == "data":
        from harness import data_verb

        return data_verb.run(rest, terminal.console())
    if verb in commands.VERBS:
        return commands.run(verb, rest, terminal.console())
    from harness import study_verbs  # with all of Hydra, which verbs on tables need not wait for

    return study_verbs.run(verb, rest, terminal.console())


def _split(argv: list[str]) -> tuple[str | None, list[str]]:
    """The verb, None where only flags are given, and what follows it."""
    if not argv:
        return None, ["--help"]
    word, *rest = argv
    if word in VERBS:
        return word, rest
    if word.startswith("-"):
        return None, argv
    if "=" in word:
        raise UserError(f"a verb comes before {word}: one of {', '.join(VERBS)}")
    raise UserError(f"{word} is not a verb{nearest(word, VERBS)} (verbs: {', '.join(VERBS)}; see harness --help)")
