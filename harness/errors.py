"""Mistakes of the user, reported in a line or two and without a traceback; and a warning about their runs."""

from __future__ import annotations

import difflib
import inspect
import os
import warnings
from collections.abc import Iterable

#: Start of the paths of our own code.
_PACKAGE = os.path.dirname(__file__) + os.sep


class UserError(Exception):
    """Something the user can mend; the command line prints it and exits with `exit_code`."""

    exit_code = 2


class UnwritableError(UserError):
    """A file that cannot be written: no permission, a full disk, a folder that is read-only."""


class SettingError(UserError):
    """A setting out of its range.

    Args:
        setting: its full name, e.g. ``ladder.widths``.
        found: the value given.
        allowed: what would have been accepted, in words.
    """

    def __init__(self, setting: str, found: object, allowed: str) -> None:
        super().__init__(f"{setting}={found}: allowed is {allowed}")
        self.setting, self.found, self.allowed = setting, found, allowed

    def __reduce__(self) -> tuple[type[UserError], tuple[object, ...]]:
        # Errors cross process borders; what was found may not, so the message alone travels.
        return UserError, self.args


class IndivisibleError(MemoryError):
    """Memory ran out in training, and the batch of a step cannot be split."""


class LostRunsError(UserError):
    """Runs are gone that were recorded; nobody's command was wrong."""

    exit_code = 1


class Stopped(KeyboardInterrupt):
    """A signal other than Ctrl-C's asks this process to stop.

    Args:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class RunsWarning(UserWarning):
    """What a user should know of the runs in a results folder: some were left out, or differ in their settings."""


def warn_of_runs(message: str) -> None:
    """Give a `RunsWarning` that points at the line of the user's code from which ours was called."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, RunsWarning, stacklevel=level)


class DataError(UserError):
    """A table or file that cannot be used as it is.

    The message is put together when it is shown, ``source: column C, row R: problem``, so that whoever catches the
    error can state the file, or give the column the name that the user knows it by, by setting the attribute.

    Args:
        problem: what was found and what is allowed.
        column: the column at fault.
        row: the row at fault, by its index label: in a table that was read from a file, its number counted from 1.
        source: the table, file or expression that the problem is in.
    """

    def __init__(self, problem: str, *, column: str | None = None, row: object = None, source: object = None) -> None:
        super().__init__(problem)
        self.problem, self.column, self.row, self.source = problem, column, row, source

    def __str__(self) -> str:
        place = None if self.column is None or self.row is None else f"column {self.column}, row {self.row}"
        return ": ".join(str(part) for part in (self.source, place, self.problem) if part is not None)


def nearest(name: str, known: Iterable[str]) -> str:
    """'; did you mean ...?' for the known name closest to `name`, or '' where none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""
