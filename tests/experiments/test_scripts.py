"""Every study still finds what it imports: --help is enough to tell, and trains nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from worked_pages import REPOSITORY, run

EXPERIMENTS = REPOSITORY / "experiments"
SCRIPTS = sorted(
    path for path in EXPERIMENTS.glob("*/*.py") if "argparse.ArgumentParser(description" in path.read_text()
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(EXPERIMENTS)))
def test_help(script: Path, tmp_path: Path) -> None:
    code, printed = run(f"python '{script}' --help", tmp_path)
    assert code == 0 and printed.startswith("usage: "), printed
    assert list(tmp_path.iterdir()) == []
