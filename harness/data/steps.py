"""Ordered lists of steps in settings: ``[duplicates, {standardise: {by: channel}}, mine.Denoise]``.

A step is a `Checked` dataclass, written as its name or as its name over its settings; ``module.Class`` names one of the
user's own. Both lists, `data.prepare` and `data.augment`, are read here.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.by_name import import_by_name
from harness.errors import SettingError, UserError, nearest
from harness.ranges import Range


@dataclass(frozen=True)
class Steps(Range):
    """A list of steps; `room` is the package whose `STEPS` names them and whose `refuse_disorder` checks their order.

    The package is not imported before a step is named.
    """

    room: str

    def check(self, setting: str, value: Any, owner: Any = None) -> Any:
        listed = list(value) if isinstance(value, list | tuple) else [value]
        self.build(setting, listed)
        return listed

    def build(self, setting: str, listed: list[Any]) -> list[Any]:
        """The steps as objects.

        Raises:
            SettingError, UserError: an unknown step or setting, a value out of its range, or steps in an order that
                makes no sense; the message begins with the place in the list, such as ``data.prepare[1]``.
        """
        if not listed:
            return []
        room = importlib.import_module(self.room)
        steps = [build_step(f"{setting}[{i}]", each, room.STEPS) for i, each in enumerate(listed)]
        room.refuse_disorder(setting, steps)
        return steps

    def words(self, owner: Any = None) -> str:
        known = ", ".join(importlib.import_module(self.room).STEPS)
        return f"a list of steps, STEP or {{STEP: {{setting: value}}}}: {known}; harness settings STEP explains each"


def name_of(step: Any, known: Mapping[str, type]) -> str:
    """The name under which a list of steps has it."""
    kind = type(step)
    return next((name for name, each in known.items() if each is kind), f"{kind.__module__}.{kind.__qualname__}")


def build_step(place: str, written: Any, known: Mapping[str, type]) -> Any:
    """One step as an object.

    Args:
        place: the setting that it is written in, for what is said of a mistake.
        written: ``NAME`` or ``{NAME: {setting: value}}``.
        known: dataclasses by name; ``module.Class`` is another.

    Raises:
        SettingError, UserError: as `Steps.build`.
    """
    name, values = _name_and_values(place, written)
    kind = known.get(name)
    if kind is None:
        if "." not in name:
            raise SettingError(place, name, f"one of {', '.join(known)}, or module.Class{nearest(name, known)}")
        kind = import_by_name(place, name)
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise UserError(f"{place}={name}: is no dataclass, whose fields would be its settings")
    fields = [f.name for f in dataclasses.fields(kind)]
    for key in values:
        if key not in fields:
            has = f"it has {', '.join(fields)}" if fields else "it has none"
            raise UserError(f"{place}: {name} has no setting {key}{nearest(str(key), fields) or f'; {has}'}")
    try:
        return kind(**values)
    except SettingError as error:
        raise SettingError(f"{place}.{name}.{error.setting}", error.found, error.allowed) from None


def _name_and_values(place: str, written: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(written, str):
        return written, {}
    if isinstance(written, Mapping) and len(written) == 1:
        ((name, values),) = written.items()
        if values is None or isinstance(values, Mapping):
            return str(name), values or {}
    raise SettingError(place, written, "a name of a step, or {name: {setting: value}}")
