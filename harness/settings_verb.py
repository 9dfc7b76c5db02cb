"""``harness settings [GROUP]``: every setting, or those of one group, step or rule, as YAML that can be pasted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console

from harness.choices import config_groups
from harness.errors import UserError
from harness.settings import GROUPS
from harness.settings_reference import (
    CHOSEN,
    TOP,
    Choice,
    Group,
    Row,
    choices,
    group,
    reference,
    setting_meant,
    unknown_group,
)


def run(words: Sequence[str], console: Console) -> int:
    """Print the groups that are asked for; 0.

    Raises:
        UserError: no such group, or a file or class of the user's own that cannot be used.
    """
    if flag := next((word for word in words if word.startswith("-")), None):
        raise UserError(f"{flag} is not a flag of settings (see harness settings --help)")
    listed = [_lines(word) for word in words] if words else [_all()]
    for number, lines in enumerate(listed):
        for line in ([""] if number else []) + list(lines):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def _all() -> Iterator[str]:
    for number, each in enumerate(reference()):
        if number:
            yield "---"
        yield from _of_group(each)


def _lines(word: str) -> Iterator[str]:
    """The settings of a group, what can be chosen in it, or both; those of a step or rule."""
    name = TOP if word in ("top", TOP) else word
    can_be_chosen = choices().get(name, []) if name in config_groups() else []
    if can_be_chosen:
        yield from _of_choices(name, can_be_chosen)
    if name in GROUPS or name == TOP or "=" in name:
        yield from _of_group(group(name))
    elif not can_be_chosen:
        yield from _of_part(name)


def _of_choices(config_group: str, found: Sequence[Choice]) -> Iterator[str]:
    yield f"# {config_group}=NAME chooses one of"
    wide = max(len(choice.name) for choice in found)
    for choice in found:
        yield f"#   {choice.name:<{wide}}  {choice.purpose}".rstrip()
    if config_group in CHOSEN:
        yield f"# harness settings {config_group}={found[0].name}, say, explains the settings of one."


#: What OmegaConf takes for a value that must be given.
MUST_BE_GIVEN = "???"


def _of_part(name: str) -> Iterator[str]:
    from harness.parts_reference import parts

    known = parts()
    if name not in known:
        raise unknown_group(name, known)
    if setting := setting_meant(name):
        yield f"# {setting}, a setting of this name: harness settings {setting.partition('.')[0]}"
    part = known[name]
    yield f"# {name}: {part.about}. {part.purpose}"
    yield from part.head
    for row in part.rows:
        yield part.indent + _line(row)


def _of_group(found: Group) -> Iterator[str]:
    """Its settings as YAML: of a family or task, with the line by which an experiment's file chooses it."""
    yield f"# {found.name}: {found.purpose}"
    chosen, given, choice = found.name.partition("=")
    if given:
        yield "defaults:"
        yield f"  - override /{chosen}: {choice}"
    if found.name != TOP:
        yield f"{chosen}:"
    for row in found.rows:
        # What is pasted must not undo the choices that are made under defaults.
        before = "  " if found.name != TOP else "# " if row.name in CHOSEN else ""
        yield before + _line(row)


def _line(row: Row) -> str:
    needed = "" if row.value else "must be given"
    allowed = f"[{'; '.join(filter(None, (row.allowed, row.elsewhere, needed)))}]"
    meaning = " ".join(filter(None, (row.meaning, allowed)))
    return f"{row.name.rpartition('.')[2]}: {row.value or MUST_BE_GIVEN}  # {meaning}"
