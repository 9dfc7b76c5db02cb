"""What a setting may be: each range checks a value, and says in words what it allows.

A setting is a dataclass field made by `setting`: its default, its meaning and its range stand there and nowhere else.
`Checked` refuses values out of range; `harness.settings_reference` makes the list of settings of the same fields. A
dataclass of the user's own may leave all of this out: its fields are settings as they are, of any value.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from harness.errors import SettingError

#: Under these keys of a field's metadata.
MEANING, ALLOWED, IN_IDENTITY, DEFAULT_IN_IDENTITY = "meaning", "allowed", "in_identity", "default_in_identity"


#: The largest whole number that can be recorded.
LARGEST_WHOLE = 2**63 - 1
#: The most of anything that a model or an evaluation holds at once, lest a slip ask for all memory.
LARGEST_COUNT = 1_000_000


class Range(ABC):
    """The values that a setting may have."""

    @abstractmethod
    def check(self, setting: str, value: Any, owner: Any = None) -> Any:
        """The value as it is used, such as a list of one for a single number.

        Args:
            setting: full name, for the message.
            owner: the dataclass whose other settings an end of the range may follow; None leaves such ends unchecked.

        Raises:
            SettingError: it is not allowed.
        """

    @abstractmethod
    def words(self, owner: Any = None) -> str:
        """What is allowed; with an owner, ends that follow its other settings are said as numbers too."""

    def __str__(self) -> str:
        return self.words()


def setting(
    default: Any, meaning: str, allowed: Range, *, in_identity: bool = True, default_in_identity: bool = True
) -> Any:
    """A dataclass field that is a setting.

    Args:
        default: `dataclasses.MISSING` for one that must be given.
        meaning: what it does, in a phrase, with units.
        in_identity: False for one that changes no number, such as a name for the record: it is no part of a run's
            identity.
        default_in_identity: False for a setting that is added to those of recorded runs, at a default that gives their
            numbers: at this value it is left out of a run's identity, so that they keep their run_id.
    """
    about = {MEANING: meaning, ALLOWED: allowed, IN_IDENTITY: in_identity, DEFAULT_IN_IDENTITY: default_in_identity}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=about)
    return field(default=default, metadata=about)


class Checked:
    """A dataclass of settings that refuses values out of their ranges."""

    #: What stands before a setting's name on the command line; nothing at the top level.
    settings_group: ClassVar[str] = ""

    def __post_init__(self) -> None:
        # Without the owner first, so that no setting is measured by another that is itself out of range.
        for owner in (None, self):
            for one in dataclasses.fields(self):  # type: ignore[arg-type]
                if ALLOWED in one.metadata:
                    full, value = full_name(self.settings_group, one.name), getattr(self, one.name)
                    setattr(self, one.name, one.metadata[ALLOWED].check(full, value, owner))


def identity_of(settings: Any) -> dict[str, Any]:
    """The settings of a dataclass as a run's identity has them, by name: without those that are left out of it."""
    values, left_out = dataclasses.asdict(settings), defaults_outside_identity(settings)
    for one in dataclasses.fields(settings):
        if dataclasses.is_dataclass(inner := getattr(settings, one.name)):
            values[one.name] = identity_of(inner)
        elif not one.metadata.get(IN_IDENTITY, True) or (
            one.name in left_out and values[one.name] == left_out[one.name]
        ):
            del values[one.name]
    return values


def defaults_outside_identity(settings: Any) -> dict[str, Any]:
    """What the settings of a dataclass are where a run's identity does not state them, by name."""
    found: dict[str, Any] = {}
    for one in dataclasses.fields(settings):
        if dataclasses.is_dataclass(inner := getattr(settings, one.name)):
            found |= {one.name: nested} if (nested := defaults_outside_identity(inner)) else {}
        elif not one.metadata.get(DEFAULT_IN_IDENTITY, True):
            made = one.default_factory is not dataclasses.MISSING
            found[one.name] = one.default_factory() if made else one.default  # type: ignore[operator]
    return found


def full_name(group: str, name: str) -> str:
    """A setting's name as it is written on the command line."""
    return f"{group}.{name}" if group else name


# ------------------------------------------------------------------------------------------------------------ numbers


@dataclass(frozen=True)
class Following:
    """An end of a range that follows other settings of the same dataclass."""

    words: str
    of: Callable[[Any], float]


End = float | str | Following


@dataclass(frozen=True)
class Number(Range):
    """Numbers between two ends, each a number, the name of another setting or `Following`; never NaN or infinite."""

    low: End = -math.inf
    high: End = math.inf
    whole: bool = False
    above: bool = False
    below: bool = False

    def check(self, setting: str, value: Any, owner: Any = None) -> Any:
        kind = int if self.whole else (int, float)
        if not isinstance(value, kind) or isinstance(value, bool) or not self._holds(value, owner):
            raise SettingError(setting, value, self.words(owner))
        if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
            raise SettingError(setting, value, f"{self.words(owner)}, and at most {LARGEST_WHOLE:,}")
        return value

    def _holds(self, value: float, owner: Any) -> bool:
        low, high = _number(self.low, owner, -math.inf), _number(self.high, owner, math.inf)
        inside = (value > low if self.above else value >= low) and (value < high if self.below else value <= high)
        return inside and (isinstance(value, int) or math.isfinite(value))  # a whole number may be no float

    def words(self, owner: Any = None) -> str:
        return f"a {'whole number' if self.whole else 'number'}{self._span(owner)}"

    def plural(self, owner: Any = None) -> str:
        """Of several."""
        return f"{'whole numbers' if self.whole else 'numbers'}{self._span(owner)}"

    def _span(self, owner: Any) -> str:
        low, high = _said(self.low, owner), _said(self.high, owner)
        if self.high == math.inf:
            return "" if self.low == -math.inf else f" above {low}" if self.above else f" of at least {low}"
        if self.below:
            return f" {'above' if self.above else 'of at least'} {low} and below {high}"
        return f" above {low}, at most {high}" if self.above else f" from {low} to {high}"


def _number(end: End, owner: Any, unknown: float) -> float:
    if isinstance(end, str | Following):
        if owner is None:
            return unknown
        return getattr(owner, end) if isinstance(end, str) else end.of(owner)
    return end


def _said(end: End, owner: Any) -> str:
    if not isinstance(end, str | Following):
        return f"{end:g}" if abs(end) < 1e5 else f"{end:,}"
    name = end if isinstance(end, str) else end.words
    return name if owner is None else f"{_number(end, owner, 0):g} ({name})"


def whole(low: End, high: End = math.inf) -> Number:
    """Whole numbers from `low` to `high`, both allowed."""
    return Number(low, high, whole=True)


def count(low: End) -> Number:
    """How many of something are held in memory: from `low` to `LARGEST_COUNT`."""
    return whole(low, LARGEST_COUNT)


def between(low: End, high: End) -> Number:
    """Numbers from `low` to `high`, both allowed."""
    return Number(low, high)


def at_least(low: End) -> Number:
    """Numbers from `low` on."""
    return Number(low)


def above(low: End) -> Number:
    """Numbers above `low`."""
    return Number(low, above=True)


# ------------------------------------------------------------------------------------------------- names, flags, times


@dataclass(frozen=True)
class OneOf(Range):
    """One of a few names."""

    names: tuple[str, ...]

    def check(self, setting: str, value: Any, owner: Any = None) -> Any:
        if value not in self.names:
            raise SettingError(setting, value, self.words())
        return value

    def words(self, owner: Any = None) -> str:
        return "one of " + ", ".join(self.names)


def one_of(*names: str) -> OneOf:
    """One of these names."""
    return OneOf(names)


class Flag(Range):
    """True or false."""

    def check(self, setting: str, value: Any, owner: Any = None) -> Any:
        if not isinstance(value, bool):
            raise SettingError(setting, value, self.words())
        return value

    def words(self, owner: Any = None) -> str:
        return "true or false"


@dataclass(frozen=True)
class Text(Range):
    """Any text for which `holds` is true."""

    said: str
    holds: Callable[[str], bool] = bool

    def check(self, setting: str, value: Any, owner: Any = None) -> Any:
        if not isinstance(value, str) or not self.holds(value):
            raise SettingError(setting, repr(value), self.said)
        return value

    def words(self, owner: Any = None) -> str:
        return self.said

    def plural(self, owner: Any = None) -> str:
        """Of several."""
        return self.said


def moment() -> Text:
    """A date or a time in the ISO format."""

    def holds(value: str) -> bool:
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return False
        return True

    return Text("a time such as 2026-01-31T12:00:00", holds)


@dataclass(frozen=True)
class Anything(Range):
    """Any value: whoever uses the setting checks it."""

    said: str

    def check(self, setting: str, value: Any, owner: Any = None) -> Any:
        return value

    def words(self, owner: Any = None) -> str:
        return self.said


# ------------------------------------------------------------------------------------------------------- lists and null


@dataclass(frozen=True)
class ListOf(Range):
    """A list, for which a single value counts as a list of one."""

    each: Number | Text
    empty: bool = False

    def check(self, setting: str, value: Any, owner: Any = None) -> Any:
        values = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        try:
            for one in values:
                self.each.check(setting, one, owner)
        except SettingError:
            raise SettingError(setting, repr(value) if isinstance(value, str) else value, self.words(owner)) from None
        if not values and not self.empty:
            raise SettingError(setting, value, f"{self.words(owner)} with something in it")
        return values

    def words(self, owner: Any = None) -> str:
        return f"a list of {self.each.plural(owner)}"


@dataclass(frozen=True)
class OneOrMore(Range):
    """A number or a list of numbers that differ from each other, kept as it was written."""

    each: Number

    def check(self, setting: str, value: Any, owner: Any = None) -> Any:
        values = number_list(setting, value)
        if len(set(values)) < len(values):
            raise SettingError(setting, value, "numbers that differ from each other")
        for i, one in enumerate(values):
            self.each.check(f"{setting}[{i}]" if isinstance(value, list | tuple) else setting, one, owner)
        return value

    def words(self, owner: Any = None) -> str:
        return f"{self.each.words(owner)}, or a list of them, each once"


def number_list(setting: str, value: Any) -> list[float]:
    """A setting that may be one number or a list of them, as a list.

    Raises:
        SettingError: empty, or something in it is not a number.
    """
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        raise SettingError(setting, value, "a number or a list of numbers")
    return values


@dataclass(frozen=True)
class OrNull(Range):
    """Another range, or nothing."""

    given: Range
    null: str

    def check(self, setting: str, value: Any, owner: Any = None) -> Any:
        if value is None:
            return None
        try:
            return self.given.check(setting, value, owner)
        except SettingError as error:
            if error.setting != setting:  # one of a list
                raise
            raise SettingError(setting, error.found, error.allowed + self._or_null) from None

    def words(self, owner: Any = None) -> str:
        return self.given.words(owner) + self._or_null

    @property
    def _or_null(self) -> str:
        return f", or null{f' for {self.null}' if self.null else ''}"


def or_null(given: Range, null: str = "") -> OrNull:
    """A range or null; `null` says what null means, after "for"."""
    return OrNull(given, null)
