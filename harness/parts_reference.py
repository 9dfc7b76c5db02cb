"""What a setting takes by name and with settings of its own: steps of `data.prepare` and `data.augment`, and rules.

`harness settings NAME` explains each of them, read off its dataclass as the groups of `harness.settings_reference` are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from harness.data import augment, prepare
from harness.data.dataset import Kind
from harness.rules.reading import RULES
from harness.settings_reference import Group, group_of_class

STEPS: dict[str, dict[str, Any]] = {"data.prepare": dict(prepare.STEPS), "data.augment": dict(augment.STEPS)}


@dataclass(frozen=True)
class Part(Group):
    """A step or a rule; its rows are called NAME.SETTING.

    Attributes:
        about: what it is and what takes it, such as "a step of data.prepare for text".
        head: the lines of YAML before its settings, and the indentation of these.
    """

    about: str
    head: tuple[str, ...]
    indent: str


def parts() -> dict[str, Part]:
    """Every step and rule, by its name."""
    steps = [_step(setting, name, kind) for setting, known in STEPS.items() for name, kind in known.items()]
    return {part.name: part for part in [*steps, *(_rule(name, kind) for name, kind in RULES.items())]}


def _step(setting: str, name: str, kind: Any) -> Part:
    found = group_of_class(name, kind)
    of = "any data" if set(kind.kinds) == set(get_args(Kind)) else ", ".join(kind.kinds)
    group, _, own = setting.partition(".")
    head = (f"{group}:", f"  {own}:", f"    - {name}{':' if found.rows else ''}")
    return Part(name, found.purpose, found.rows, f"a step of {setting} for {of}", head, " " * 8)


def _rule(name: str, kind: Any) -> Part:
    found = group_of_class(name, kind)
    group, _, own = kind.gives[0].partition(".")
    head = (f"{group}:", f"  {own}:", f"    rule: {name}")
    return Part(name, found.purpose, found.rows, f"a rule for {', '.join(kind.gives)}", head, " " * 4)
