"""Every setting with its default, range and meaning, for `harness settings` and the manual.

All of it is read off the dataclasses of `harness.settings`, of the families and of the tasks, and off the files of
`conf/`, those of the user's own ./conf first.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from harness.by_name import import_by_name
from harness.choices import choices as files
from harness.choices import config_groups, read_config
from harness.errors import UserError, nearest
from harness.ranges import ALLOWED, MEANING, full_name
from harness.setting_names import meant
from harness.settings import GROUPS, Settings

#: Groups whose settings depend on what is chosen, and the name of the group of settings at the top level.
CHOSEN = ("family", "task")
TOP = "top level"


@dataclass(frozen=True)
class Row:
    """One setting.

    Attributes:
        name: in full, as written on the command line, e.g. ``ladder.widths``.
        default: as written in YAML; where choices of its group differ, theirs follow in brackets.
        value, elsewhere: the two apart: ``0.01`` and ``default 0.1 with optimizer=sgd``.
        allowed: what it may be, in words.
        meaning: what it does, in a phrase; "" where a class of the user's own does not say.
    """

    name: str
    default: str
    allowed: str
    meaning: str
    value: str = ""
    elsewhere: str = ""


@dataclass(frozen=True)
class Group:
    """Settings that stand together.

    Attributes:
        name: ``top level``, the prefix of its settings (``ladder``) or a choice (``task=parity``).
        purpose: what it is for, in a sentence or two.
        rows: its settings, in the order of the dataclass.
    """

    name: str
    purpose: str
    rows: list[Row]


@dataclass(frozen=True)
class Choice:
    """What can stand after ``task=``, ``family=``, ``schedule=`` and so on: the name of a file, and what it is."""

    name: str
    purpose: str


def reference() -> list[Group]:
    """All groups: the top level, those of `Settings`, each family and each task.

    Raises:
        UserError: a file in ./conf/family or ./conf/task cannot be read, or its class not be imported.
    """
    return [group(name) for name in group_names()]


def group_names() -> list[str]:
    """The names of all groups."""
    return [TOP, *GROUPS, *(f"{chosen}={name}" for chosen in CHOSEN for name in files(chosen))]


def group(name: str) -> Group:
    """One group, by its name; loads no other family or task.

    Raises:
        UserError: there is none of this name, or as `reference`.
    """
    if name == TOP:
        rows = [_row("", f, {}) for f in dataclasses.fields(Settings) if f.name not in GROUPS]
        return Group(TOP, "What is trained, with which seeds, and where the results lie.", rows)
    if name in GROUPS:
        kind = get_type_hints(Settings)[name]
        by_choice = {f"{name}={choice}": _values(path) for choice, path in files(name).items()}
        rows = [_row(name, f, _other_defaults(f, by_choice)) for f in dataclasses.fields(kind)]
        return Group(name, _paragraph(kind), rows)
    chosen, _, choice = name.partition("=")
    path = files(chosen).get(choice) if chosen in CHOSEN else None
    if path is None:
        raise unknown_group(name)
    return _chosen(chosen, choice, path)


def group_of_class(name: str, kind: type) -> Group:
    """The settings of one dataclass, under a name."""
    return Group(name, _paragraph(kind), [_row(name, f, {}) for f in dataclasses.fields(kind)])


def setting_meant(name: str) -> str | None:
    """The one setting of a group whose name, without the group, is this; None where there is none."""
    return setting if (setting := meant(name)) and "." in setting else None


def unknown_group(name: str, others: Iterable[str] = ()) -> UserError:
    """The error of a group that is not there; of a setting, with the group that it is in.

    Args:
        others: names of what is explained besides groups.
    """
    if setting := setting_meant(name):
        inside = setting.partition(".")[0]
        return UserError(f"{name}: is no group of settings; harness settings {inside} explains {setting}")
    for chosen in config_groups():
        if name in files(chosen):
            explained = f"{chosen}={name}" if chosen in CHOSEN else chosen
            return UserError(f"{name}: no such group of settings; did you mean '{explained}'?")
    near = nearest(name, [*group_names(), *config_groups(), *others])
    known = dict.fromkeys(("top", *GROUPS, "family=NAME", "task=NAME", *config_groups()))
    return UserError(f"{name}: no such group of settings{near or '; groups are ' + ', '.join(known)}")


def choices() -> dict[str, list[Choice]]:
    """What can be chosen, by config group: the files of ./conf and of the harness's own."""
    return {name: [Choice(choice, purpose(path)) for choice, path in files(name).items()] for name in config_groups()}


def purpose(path: Path) -> str:
    """What a config says that it is: the paragraph of its comments after the commands, up to what to expect."""
    paragraph: list[str] = []
    for line in read_config(path).splitlines():
        said = line.removeprefix("#").strip()
        if not line.startswith("#") or (paragraph and not said):
            break
        if said and not said.startswith(("@package", "harness ", "python ")) and not _COST.match(said):
            paragraph.append(said)
    about, _, expected = " ".join(paragraph).partition("Expect:")
    return about.strip() or expected.strip()


#: The line that says what an experiment costs.
_COST = re.compile(r"\d+ cores?:")


def _values(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(read_config(path))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    return found if isinstance(found, dict) else {}


def _chosen(config_group: str, choice: str, path: Path) -> Group:
    """The settings of one family or task: the fields of its class, with the values of its file."""
    values = _values(path)
    target = values.get("_target_")
    if not isinstance(target, str):
        raise UserError(f"{path}: has no _target_, which names the class of this {config_group}: module.Class")
    kind = import_by_name(f"{config_group}={choice}: _target_", target)
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise UserError(f"{path}: _target_={target} is not a dataclass, whose fields would be its settings")
    own = [f for f in dataclasses.fields(kind) if (config_group, f.name) != ("task", "data")]  # which is the study's
    rows = [_row(config_group, f, {}, values.get(f.name, _MISSING)) for f in own]
    return Group(f"{config_group}={choice}", purpose(path) or _paragraph(kind), rows)


_MISSING = object()


def _row(prefix: str, field: dataclasses.Field[Any], others: Mapping[str, Any], default: Any = _MISSING) -> Row:
    if default is _MISSING:
        default = _default(field)
    value = written(default)
    elsewhere = ", ".join(f"{written(other)} with {choice}" for choice, other in others.items())
    shown = f"{value} ({elsewhere})" if elsewhere else value
    elsewhere = elsewhere and f"default {elsewhere}"
    kind = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
    allowed = str(field.metadata.get(ALLOWED, kind))
    return Row(full_name(prefix, field.name), shown, allowed, field.metadata.get(MEANING, ""), value, elsewhere)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else _MISSING


def _other_defaults(field: dataclasses.Field[Any], by_choice: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values of choices that do not have the default of the dataclass."""
    default = _default(field)
    if field.name == "kind":  # which is what is chosen
        return {}
    return {name: v[field.name] for name, v in by_choice.items() if v.get(field.name, default) != default}


def written(value: Any) -> str:
    """A value as YAML writes it; "" for a setting without a default, which must be given."""
    if value is _MISSING:
        return ""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _paragraph(kind: type) -> str:
    """The docstring of a class in one line; "" for that of `dataclass`, which gives one to a class that has none."""
    text = " ".join((kind.__doc__ or "").split())
    return "" if text.startswith(f"{kind.__name__}(") else text
