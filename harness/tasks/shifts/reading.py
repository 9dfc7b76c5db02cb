"""Shifts as settings, checked where they are written: ``{noisy: {noise: 0.3}, others: {groups: [anna], noise: 1}}``."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.data.steps import build_step
from harness.errors import SettingError, nearest
from harness.ranges import Range
from harness.tasks.shifts.base import Change, Place

#: Splits that every run has, by whose names no shift can go.
TAKEN = ("eval", "train")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def changes_of(setting: str, shift: Any) -> list[tuple[Place, Change]]:
    """The changes of one shift, in the order in which they are written, each with its place.

    Args:
        setting: its full name, such as ``shifts.noisy``.

    Raises:
        SettingError: no change, an unknown one, or a setting of one out of its range.
    """
    if not isinstance(shift, Mapping) or not shift:
        raise SettingError(setting, shift, "one or more changes, such as {noise: 0.3}")
    return [_change(setting, str(name), value) for name, value in shift.items()]


def _change(setting: str, name: str, value: Any) -> tuple[Place, Change]:
    from harness.data.augment import STEPS
    from harness.data.augment.base import Augmentation
    from harness.tasks.shifts import CHANGES
    from harness.tasks.shifts.inputs import Augmented

    steps = {step: kind for step, kind in STEPS.items() if not kind.mixes}
    known: dict[str, type] = {**CHANGES, **steps}
    kind, written = known.get(name), value
    if kind is None and "." not in name:
        raise SettingError(setting, name, f"one of {', '.join(known)}, or module.Class{nearest(name, known)}")
    if kind is not None and value is not None and not isinstance(value, Mapping):
        value = {dataclasses.fields(kind)[0].name: value}
    made = build_step(setting, {name: value}, known)
    place = Place(f"{setting}.{name}", written)
    if isinstance(made, Augmentation):
        return place, Augmented(made, name)
    if not isinstance(made, Change):
        raise SettingError(place.setting, name, "a Change, or a step of data.augment")
    return place, made


@dataclass(frozen=True)
class Shifts(Range):
    """Shifts by name, or null for none."""

    def check(self, setting: str, value: Any, owner: Any = None) -> Any:
        if value is None or value == {}:
            return None
        if not isinstance(value, Mapping):
            raise SettingError(setting, value, self.words())
        for name, shift in value.items():
            full = f"{setting}.{name}"
            if name in TAKEN:
                raise SettingError(full, shift, f"another name: {name} is a split of every run")
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise SettingError(full, shift, "a name of letters, digits, _ and -, that begins with a letter")
            changes_of(full, shift)
        return {name: dict(shift) for name, shift in value.items()}

    def words(self, owner: Any = None) -> str:
        return "null, or shifts by name, such as {noisy: {noise: 0.3}, longer: {length: 2}}"
