"""Settings given as Python values, written as overrides in Hydra's grammar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike, fspath
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString

from harness.errors import SettingError


def overrides_of(*given: str | Mapping[str, Any], **settings: Any) -> list[str]:
    """Overrides as Hydra parses them, in the order given, keyword arguments last.

    Args:
        given: overrides already written, e.g. ``"optimizer.lr=0.01"``, which are taken as they are, and mappings of
            names to values, e.g. ``{"optimizer.lr": 0.01}``.
        settings: names and values. A mapping as a value holds the settings of a group: ``optimizer={"lr": 0.01}``.

    Raises:
        SettingError: a value that no setting can have.
    """
    written: list[str] = []
    for each in (*given, settings):
        written += [each] if isinstance(each, str) else _of_mapping("", each)
    return written


def _of_mapping(prefix: str, values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
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
    if isinstance(value, (list, tuple, range)):
        return f"[{','.join(_written(name, each) for each in value)}]"
    raise SettingError(name, repr(value), "None, a boolean, a number, a string, a path, or a list of these")
