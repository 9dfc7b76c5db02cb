"""Rules as settings: ``{rule: NAME, ...}`` in place of a number, checked where it is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import SettingError, nearest
from harness.ranges import ALLOWED, MEANING, Number, OneOrMore, Range
from harness.rules.base import BATCH_SIZE, LR, Rule
from harness.rules.powers import HalfLife, Power, Tokens
from harness.rules.published import DeepSeek, OlmoCore, StepLaw

RULES: dict[str, type[Rule]] = {rule.name: rule for rule in (Power, Tokens, HalfLife, StepLaw, DeepSeek, OlmoCore)}


def rule_of(setting: str, value: Mapping[str, Any]) -> Rule:
    """The rule that ``{rule: NAME, ...}`` means.

    Args:
        setting: full name of the setting that follows it.

    Raises:
        SettingError: an unknown rule or constant, one out of its range or not given though the rule has no default
            for it, or a rule that does not give this setting.
    """
    giving = [name for name, kind in RULES.items() if setting in kind.gives]
    constants = {str(name): constant for name, constant in value.items()}
    if (name := constants.pop("rule", None)) not in giving:
        raise SettingError(f"{setting}.rule", name, f"one of {', '.join(giving)}")
    kind = RULES[str(name)]
    fields = {field.name: field for field in dataclasses.fields(kind)}
    known = list(fields)
    for constant in constants:
        if constant not in known:
            allowed = f"for the rule {name}: {', '.join(known)}{nearest(constant, known)}"
            raise SettingError(f"{setting}.{constant}", constants[constant], allowed)
    for constant, field in fields.items():
        if field.default is dataclasses.MISSING and constant not in constants:
            about = field.metadata
            allowed = f"{about[ALLOWED]}: {about[MEANING]}, which the rule {name} needs"
            raise SettingError(f"{setting}.{constant}", "(not given)", allowed)
    try:
        rule = kind(**constants)
    except SettingError as error:
        raise SettingError(f"{setting}.{error.setting}", error.found, error.allowed) from None
    if rule.power_of_two and setting != BATCH_SIZE:
        raise SettingError(f"{setting}.power_of_two", True, f"false; it is for {BATCH_SIZE}")
    if isinstance(rule.times, list) and setting != LR:
        raise SettingError(f"{setting}.times", rule.times, f"one number; a list is for {LR}, whose values are members")
    return rule


@dataclass(frozen=True)
class OrRule(Range):
    """Another range, or a rule that gives values of it; a name in `words` is a value besides."""

    given: Number | OneOrMore
    names: tuple[str, ...] = ()

    def check(self, setting: str, value: Any, owner: Any = None) -> Any:
        if isinstance(value, Mapping):
            rule_of(setting, value)
            return dict(value)
        if value in self.names:
            return value
        try:
            checked = self.given.check(setting, value, owner)
        except SettingError as error:
            if error.setting != setting:  # one of a list
                raise
            raise SettingError(setting, error.found, self.words(owner)) from None
        # As a field of type float would have it, by which runs are known.
        is_whole = isinstance(self.given, OneOrMore) or self.given.whole
        return checked if is_whole else float(checked)

    def words(self, owner: Any = None) -> str:
        return ", ".join([self.given.words(owner), *self.names]) + ", or {rule: NAME, ...}"


def or_rule(given: Number | OneOrMore, *names: str) -> OrRule:
    """A range, or a rule that gives its values."""
    return OrRule(given, names)
