"""METHOD.md lists every constant of the room with the value that the code has, why, and what others would do."""

from __future__ import annotations

import ast
import importlib
import inspect
import numbers
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness.analysis.emergence as room

METHOD = Path(room.__path__[0]) / "METHOD.md"
HEADER = "| constant | value | what it does | why this value | chosen on | at half | at twice |"
ROW = re.compile(r"^\| `(\w+\.\w+)` \| `([^`]+)` \| " + r" \| ".join([r"([^|]+)"] * 5) + r" \|$", re.MULTILINE)
#: What a value may have been chosen on; the legend above the table explains each.
CHOSEN_ON = {"C", "N", "A", "B", "P", "T"}


def is_numeric(value: object) -> bool:
    """A number, or numbers in tuples or as values of a dictionary, None among them; arrays follow from others."""
    if isinstance(value, dict):
        return bool(value) and all(is_numeric(each) for each in value.values())
    if isinstance(value, tuple | list):
        return any(each is not None for each in value) and all(each is None or is_numeric(each) for each in value)
    return isinstance(value, numbers.Number) and not isinstance(value, bool)


def assigned_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))


def constants() -> dict[str, object]:
    """Every numeric constant that a module of the room assigns, private ones too, by module.name."""
    found = {}
    for info in pkgutil.iter_modules(room.__path__):
        module = importlib.import_module(f"{room.__name__}.{info.name}")
        for name in assigned_names(ast.parse(inspect.getsource(module))):
            if is_numeric(getattr(module, name)):
                found[f"{info.name}.{name}"] = getattr(module, name)
    return found


def rows() -> dict[str, tuple[str, ...]]:
    """'module.NAME' -> the other cells of its row: value, what it does, why, chosen on, at half, at twice."""
    text = METHOD.read_text(encoding="utf-8")
    found = ROW.findall(text)
    assert text.count(HEADER) == 1, "one table of constants"
    lines = text[text.index(HEADER) :].split("\n\n")[0].splitlines()
    assert len(found) == len(lines) - 2, "every line of the table is a row of seven cells"
    assert len({name for name, *_ in found}) == len(found), "a constant is listed twice"
    return {name: tuple(cells) for name, *cells in found}


def test_every_constant_is_listed_and_every_listed_one_exists() -> None:
    assert len(constants()) > 80, "the modules were read"
    assert sorted(rows()) == sorted(constants())


@pytest.mark.parametrize("name", sorted(constants()))
def test_the_table_has_the_value_of_the_code(name: str) -> None:
    assert ast.literal_eval(rows()[name][0]) == constants()[name]


def test_every_row_says_on_what_its_value_was_chosen() -> None:
    legend = METHOD.read_text(encoding="utf-8").split(HEADER)[0]
    for code in CHOSEN_ON:
        assert f"**{code}**" in legend, f"{code} is explained"
    for name, cells in rows().items():
        assert set(cells[3].split(", ")) <= CHOSEN_ON, name
        assert all(cell.strip() for cell in cells), name


def test_constants_stand_beside_their_reason() -> None:
    """A `#:` comment above each, or above the first of those that are assigned together."""
    for info in pkgutil.iter_modules(room.__path__):
        source = inspect.getsource(importlib.import_module(f"{room.__name__}.{info.name}"))
        lines, wanted = (
            source.splitlines(),
            {name.split(".")[1] for name in constants() if name.startswith(f"{info.name}.")},
        )
        explained = False
        for node in ast.parse(source).body:
            names = set(assigned_names(ast.Module([node], [])))
            commented = lines[node.lineno - 2].startswith("#:")
            explained = commented or (explained and bool(names))
            assert explained or not names & wanted, f"{info.name}: {names & wanted}"
