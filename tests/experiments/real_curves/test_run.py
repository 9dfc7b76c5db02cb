"""The study says so and does nothing where the published files are absent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from command import REPOSITORY

STUDY = REPOSITORY / "experiments" / "real_curves"


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})


def test_without_data_it_skips(tmp_path: Path) -> None:
    elsewhere = shutil.copytree(STUDY, tmp_path / "repository" / "experiments" / "real_curves")
    done = run(elsewhere / "run.py")
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.startswith("nothing to do: the published files are not at")
    assert str(tmp_path / "shared" / "data" / "real") in done.stdout and done.stdout.count("\n") == 1


def test_a_folder_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    done = run(STUDY / "run.py", "opt", "--data", str(tmp_path / "nowhere"))
    assert done.returncode == 1 and "nowhere/lm_eval_opt: no such folder" in done.stderr
    assert "Traceback" not in done.stderr
