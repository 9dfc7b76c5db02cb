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
from typing import NoReturn, TextIO

import harness
from harness import commands, help_pages, terminal
from harness.errors import RunsWarning, Stopped, UserError, nearest
from harness.verbs import DATA, STUDY_VERBS, VERBS

#: Signals beside Ctrl-C's that stop a command as it does; Windows has but one of them.
_STOPPING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)]


def entry_point() -> None:
    """What the installed command calls."""
    terminal.prepare()
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code: 0, 1 for a run that failed or was lost, 2 for a mistake of the user.

    It is 128 + the signal's number after one that stops it: 130 after Ctrl-C, 143 after SIGTERM; also after SIGHUP and
    SIGUSR1, which schedulers send ahead of a time limit; and 141, without a word, where whoever reads the output has
    left. With HARNESS_DEBUG in the environment errors keep their traceback.
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
    previous = {number: signal.signal(number, _stop) for number in _STOPPING if _is_heeded(number)}
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _WarningLines(warnings.showwarning)
            return _dispatch(list(argv))
    except Stopped as stop:
        return _stopped(stop.number, str(stop))
    except KeyboardInterrupt as stop:
        return _stopped(signal.SIGINT, str(stop))
    except UserError as error:
        if os.environ.get("HARNESS_DEBUG"):
            raise
        print(f"harness: {terminal.message(str(error))}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        # A file or folder that the system refuses, wherever it was first touched: too long a name, no permission, ...
        if error.filename is None or os.environ.get("HARNESS_DEBUG"):
            raise
        path = terminal.message(os.fsdecode(error.filename))
        print(f"harness: {path}: {error.strerror}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError, ImportError) as error:
        if not _is_of_memory(error) or os.environ.get("HARNESS_DEBUG"):
            raise
        what = terminal.message(str(error).strip().partition("\n")[0] or "nothing more is left")
        print(f"harness: out of memory: {what}; smaller sizes, batches or evaluation sets take less", file=sys.stderr)
        return 2
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _is_of_memory(error: Exception) -> bool:
    """Whether memory is used up, as Python, NumPy and Arrow say it by a MemoryError, and torch in words."""
    return isinstance(error, MemoryError) or any(
        words in str(error)
        for words in ("can't allocate memory", "out of memory", "std::bad_alloc", "failed to map segment")
    )


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
            print(f"harness: {terminal.message(str(message))}", file=sys.stderr)


def _is_heeded(number: int) -> bool:
    """Whether a signal is not ignored, as nohup has SIGHUP ignored."""
    return signal.getsignal(number) != signal.SIG_IGN


def _stop(number: int, _: object) -> NoReturn:
    # Schedulers send it more than once, and a second one would break off the ending of what is begun.
    signal.signal(number, signal.SIG_IGN)
    raise Stopped(number)


def _stopped(number: int, lost: str) -> int:
    said = ": ".join(filter(None, ["stopped", lost]))
    print(f"harness: {said}; finished runs are kept, and the same command goes on from there", file=sys.stderr)
    return 128 + number


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
