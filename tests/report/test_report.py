"""`report.show`: what `harness analyze` prints."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from one_style import check_one_style
from rich.console import Console

from harness import report


@pytest.mark.usefixtures("undrawn")
def test_the_terminal_gets_verdicts_laws_and_paths(results: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(results, tmp_path / "own")
    console = Console(file=io.StringIO(), width=80)
    report.show(folder, console, bootstrap=100)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    # The line of verdicts may be longer than the console is wide.
    assert "1 too few sizes" in " ".join(said.split())
    assert "Exponents of the loss" in said and "choice of law" in said
    assert "nan" not in said and re.search(r"\d+ curves: \d+ \w+", said)
    assert re.search(r"2 of \d+ runs did not finish", said) and f"{folder}/report.html" in said
    assert max(map(len, said.splitlines()[:10])) <= 80
    check_one_style(said)


def test_report_loads_neither_torch_nor_hydra_nor_pyplot() -> None:
    check = "import sys, harness.report; print({'torch', 'hydra', 'omegaconf', 'matplotlib.pyplot'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"
