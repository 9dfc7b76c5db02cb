"""What holds for every verb on tables."""

from __future__ import annotations

import subprocess
import sys

import pytest
from command import run

from harness import commands


@pytest.mark.parametrize("verb", commands.VERBS)
def test_help_of_a_verb(verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run(capsys, verb, "--help")
    assert (
        shown.code == 0 and shown.out.startswith(f"usage: harness {verb} ") and commands.VERBS[verb].about in shown.out
    )
    assert shown.out.count(f"\n  harness {verb} ") == len(commands.VERBS[verb].examples) > 0
    assert f"  {verb} " in run(capsys, "--help").out
    monkeypatch.setenv("COMP_LINE", f"harness {verb[:3]}")
    assert verb in run(capsys, "-sc", "query=bash").out.split()


@pytest.mark.parametrize("verb", commands.VERBS)
def test_help_loads_nothing_heavy(verb: str) -> None:
    script = (
        "import sys; from harness import commands; "
        f"code = commands.run({verb!r}, ['--help'], None); "
        "heavy = {'numpy', 'pandas', 'scipy', 'pyarrow', 'matplotlib', 'torch', 'hydra'}; "
        "print(code, heavy & set(sys.modules), file=sys.stderr)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stderr == "0 set()\n"
