"""Every study still finds what it imports: --help is enough to tell, and trains nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SCRIPTS = sorted(
    path for path in EXPERIMENTS.glob("*/*.py") if "argparse.ArgumentParser(description" in path.read_text()
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(EXPERIMENTS)))
def test_help(script: Path, tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0 and ran.stdout.startswith("usage: "), ran.stderr
    assert list(tmp_path.iterdir()) == []
