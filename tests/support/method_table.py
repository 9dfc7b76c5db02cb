"""The tuned constants of a room of `analysis`, and the table of its METHOD.md that lists them."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from types import ModuleType

import numpy as np

ROW = re.compile(r"^\| `(?P<name>[\w.]+)` \| `(?P<value>[^`]+)` \| (?P<does>.+) \| (?P<why>.+) \|$", re.MULTILINE)


def constants_of(room: ModuleType) -> dict[str, object]:
    """'module.NAME' -> value of every number, or tuple or array of numbers, in capitals at the top of a module."""
    folder = Path(str(room.__path__[0]))
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*.py")):
        dotted = ".".join(path.relative_to(folder).with_suffix("").parts)
        names = [name for node in ast.parse(path.read_text()).body for name in _assigned(node) if _in_capitals(name)]
        if names:
            module = importlib.import_module(f"{room.__name__}.{dotted}")
            found |= {f"{dotted}.{name}": value for name in names if _numeric(value := getattr(module, name))}
    return found


def table_of(room: ModuleType) -> dict[str, object]:
    """'module.NAME' -> value of each row of the table of constants in the room's METHOD.md."""
    text = (Path(str(room.__path__[0])) / "METHOD.md").read_text()
    known = {"linspace": np.linspace, "geomspace": np.geomspace, "__builtins__": {}}
    rows = [match.groupdict() for match in ROW.finditer(text)]
    assert len({row["name"] for row in rows}) == len(rows), "a constant is listed twice"
    return {row["name"]: eval(row["value"], known) for row in rows}


def assert_table_is_complete(room: ModuleType) -> None:
    """Every constant is listed with its value, and nothing else is."""
    constants, table = constants_of(room), table_of(room)
    assert set(table) - set(constants) == set(), "listed, but not in the code"
    assert set(constants) - set(table) == set(), "in the code, but not listed"
    for name, value in constants.items():
        np.testing.assert_allclose(table[name], value, rtol=1e-9, atol=1e-15, err_msg=name)


def _assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    flat = [each for target in targets for each in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [each.id for each in flat if isinstance(each, ast.Name)]


def _in_capitals(name: str) -> bool:
    return name.strip("_").isupper() and not name.startswith("__")


def _numeric(value: object) -> bool:
    try:
        return np.asarray(value).dtype.kind in "if"
    except ValueError:
        return False
