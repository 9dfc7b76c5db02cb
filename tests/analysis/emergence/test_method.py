"""METHOD.md lists every constant of the room with the value that the code has."""

from __future__ import annotations

import ast
import importlib
import inspect
import numbers
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import harness.analysis.emergence as room

METHOD = Path(room.__path__[0]) / "METHOD.md"
ROW = re.compile(r"^\| `(\w+\.\w+)` \| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def is_numeric(value: object) -> bool:
    """A number, or numbers in tuples, None among them."""
    if isinstance(value, tuple | list):
        return any(each is not None for each in value) and all(each is None or is_numeric(each) for each in value)
    return isinstance(value, numbers.Number | np.ndarray) and not isinstance(value, bool)


def assigned_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))


def constants() -> dict[str, object]:
    """Every numeric constant that a module of the room assigns, by module.name."""
    found = {}
    for info in pkgutil.iter_modules(room.__path__):
        module = importlib.import_module(f"{room.__name__}.{info.name}")
        for name in assigned_names(ast.parse(inspect.getsource(module))):
            if is_numeric(getattr(module, name)):
                found[f"{info.name}.{name}"] = getattr(module, name)
    return found


def listed() -> dict[str, object]:
    rows = ROW.findall(METHOD.read_text(encoding="utf-8"))
    names = [name for name, *_ in rows]
    assert len(names) == len(set(names)), "a constant is listed twice"
    return {name: ast.literal_eval(value) for name, value, *_ in rows}


def test_every_constant_is_listed_and_every_listed_one_exists() -> None:
    assert len(constants()) > 60, "the modules were read"
    assert sorted(listed()) == sorted(constants())


@pytest.mark.parametrize("name", sorted(constants()))
def test_the_table_has_the_value_of_the_code(name: str) -> None:
    assert listed()[name] == constants()[name]


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
