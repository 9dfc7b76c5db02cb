"""The fuzzer runs, is the same at every run, and sees what it is there to see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command import REPOSITORY

FOLDER = REPOSITORY / "experiments" / "fuzz"


def in_its_folder(script: str, *argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(FOLDER)!r})\n{script}"
    return subprocess.run([sys.executable, "-c", code, *argv], cwd=cwd, capture_output=True, text=True, timeout=120)


def test_a_few_cases_pass(tmp_path: Path) -> None:
    kinds = [word for kind in ("expressions", "tables", "importers") for word in ("--kind", kind)]
    command = [sys.executable, str(FOLDER / "run.py"), *kinds, "--cases", "200", "--workers", "1", "--out", "failed"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1].endswith("cases, 0 failures")
    assert list(tmp_path.iterdir()) == []


FAULTY = {
    "raise": ("raise KeyError('x')", "KeyError"),
    "hang": ("while True: pass", "longer than"),
    "outside": ("open('../stray', 'w')", "outside of its folder"),
    "elsewhere": ("open(sys.argv[1], 'w')", "outside of its folder"),
    "memory": ("bytearray(2 ** 32)", "MemoryError"),
    "long": ("raise UserError('x ' * 9000 + chr(10) * 9 + 'y')", "a message of"),
    "warns": ("sys.stderr.write('DeprecationWarning: x')", "warning of Python"),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_each_fault_is_seen(fault: str, tmp_path: Path) -> None:
    doing, said = FAULTY[fault]
    script = f"""
import pathlib, sandbox
from harness.errors import UserError
sandbox.LONGEST_S = 0.2
def call():
    {doing}
print(sandbox.Sandbox(pathlib.Path("box")).run(sandbox.Case(("x",), call=call)).fault)
"""
    ran = in_its_folder(script, str(tmp_path / "elsewhere"), cwd=tmp_path)
    assert said in ran.stdout, ran.stdout + ran.stderr


def test_rows_that_are_not_accounted_for_are_seen(tmp_path: Path) -> None:
    script = """
from of_tables import _Counted
from sandbox import Ran
print([_Counted(12)(Ran(0, f"9 runs, {n} excluded", "")) for n in (3, 2)])
print(_Counted(12)(Ran(0, "4 runs in 10 rows, 1 excluded, 1 outside --where", "")) == "")
"""
    assert in_its_folder(script, cwd=tmp_path).stdout == (
        "['', '11 rows of 12 are accounted for: 9 runs, 2 excluded']\nTrue\n"
    )
