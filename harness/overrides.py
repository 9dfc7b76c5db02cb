"""Settings given as Python values, written as overrides in Hydra's grammar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from os import PathLike, fspath
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString

from harness.errors import SettingError, UserError

#: Overrides already written, one or several, or names and values.
Given = str | Iterable[str] | Mapping[str, Any]

#: Settings whose values are mappings, of names of the user's own.
_MAPPINGS = ("shifts", "data.reserve", "data.evaluate_on")

#: How many brackets deep a setting may be; no value that any setting has is deeper than a few.
_DEEPEST = 20


def refuse_unreadable(overrides: Iterable[str]) -> None:
    """Raise UserError for an override with brackets too deep for Hydra, or of what no table holds."""
    for override in overrides:
        if not override.startswith("results=") and any("\ud800" <= sign <= "\udfff" for sign in override):
            raise UserError(f"{override}: not text in UTF-8")  # folders may have such names, records may not
        depth = 0
        for sign in override:
            depth += (sign in "[{(") - (sign in "]})")
            if depth > _DEEPEST:
                name = override.partition("=")[0]
                raise UserError(f"{name}: brackets are nested more than {_DEEPEST} deep, and no setting's value is")


def overrides_of(*given: Given, **settings: Any) -> list[str]:
    """Overrides as Hydra parses them, in the order given, keyword arguments last.

    Args:
        given: overrides already written, e.g. ``"optimizer.lr=0.01"``, or lists of them, which are taken as they are,
            and mappings of names to values, e.g. ``{"optimizer.lr": 0.01}``.
        settings: names and values. A mapping as a value holds the settings of a group: ``optimizer={"lr": 0.01}``.

    Raises:
        SettingError: a value that no setting can have.
        UserError: what is no override, or a name that is not a string.
    """
    return [override for each in (*given, settings) for override in _of_one(each)]


def _of_one(given: Any) -> Iterator[str]:
    if isinstance(given, Mapping):
        yield from _of_mapping("", given)
        return
    for each in [given] if isinstance(given, str) or not isinstance(given, Iterable) else given:
        if not isinstance(each, str):
            raise UserError(
                f"{given!r} is no setting: allowed are strings such as 'seeds=3', lists of them, and mappings such as "
                "{'seeds': 3}"
            )
        yield each


def _of_mapping(prefix: str, values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if not isinstance(name, str):
            raise UserError(f"{prefix}{name!r} is no name of a setting: allowed are strings such as 'optimizer.lr'")
        if isinstance(value, Mapping) and prefix + name not in _MAPPINGS:
            yield from _of_mapping(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}={_written(prefix + name, value)}"


def _written(name: str, value: Any) -> str:
    """A value in Hydra's grammar. Strings are quoted, so that none is read as a number, a list or null."""
    if hasattr(value, "tolist"):  # numpy's and torch's numbers and arrays, and columns of pandas
        value = value.tolist()
    if isinstance(value, PathLike):
        value = fspath(value)
    if value is None:
        return "null"
    if isinstance(value, str):
        return QuotedString(value, Quote.single).with_quotes()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Mapping) and name in _MAPPINGS:
        return f"{{{','.join(f'{key}:{_written(name, each)}' for key, each in value.items())}}}"
    if isinstance(value, (list, tuple, range)):
        return f"[{','.join(_written(name, each) for each in value)}]"
    raise SettingError(name, repr(value), "None, a boolean, a number, a string, a path, or a list of these")
