"""Mistakes of the user, reported in a line or two and without a traceback; and a warning about their runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend; the command line prints it and exits with 2."""


class SettingError(UserError):
    """A setting out of its range.

    Args:
        setting: its full name, e.g. ``ladder.widths``.
        found: the value given.
        allowed: what would have been accepted, in words.
    """

    def __init__(self, setting: str, found: object, allowed: str) -> None:
        super().__init__(f"{setting}={found}: allowed is {allowed}")

    def __reduce__(self) -> tuple[type[UserError], tuple[object, ...]]:
        # Errors cross process borders; what was found may not, so the message alone travels.
        return UserError, self.args


class RunsWarning(UserWarning):
    """What a user should know of the runs in a results folder: some were left out, or differ in their settings."""


class DataError(UserError):
    """A table or file that cannot be used as it is; names the file, row or column."""


def nearest(name: str, known: Iterable[str]) -> str:
    """'; did you mean ...?' for the known name closest to `name`, or '' where none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""
