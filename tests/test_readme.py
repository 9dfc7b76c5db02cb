"""README's examples, as written: its files are laid out in an empty folder and its commands are run there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"```(python|yaml)\n# (\S+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = re.findall(r"^\$ harness (.*)$", README, flags=re.MULTILINE)
CUSTOM = [c for c in COMMANDS if "majority" in c or "ranks" in c]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    for _, name, text in BLOCKS:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def run(folder, *command):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_the_examples_are_found():
    assert {name for _, name, _ in BLOCKS} == {
        "own_results.py",
        "majority.py",
        "conf/task/majority.yaml",
        "low_rank.py",
        "conf/family/low_rank.yaml",
        "conf/experiment/ranks.yaml",
    }
    assert len(CUSTOM) == 4


@pytest.mark.parametrize("name", sorted({name for _, name, _ in BLOCKS} - {"own_results.py"}))
def test_adding_something_simple_takes_under_25_lines(folder, name):
    assert sum(bool(line.strip()) for line in (folder / name).read_text().splitlines()) < 25


@pytest.mark.slow
def test_own_task_family_and_experiment(folder):
    # In one test, for `analyze` needs what `sweep` made.
    for command in CUSTOM:
        done = run(folder, str(Path(sys.executable).parent / "harness"), *command.split())
        assert done.returncode == 0, f"harness {command}\n{done.stdout}\n{done.stderr}"
    assert (folder / "results" / "ranks" / "report.html").exists()
    assert (folder / "results" / "majority").is_dir()


def test_own_table_without_training(folder):
    rng = np.random.default_rng(0)
    rows = []
    for params in (1e3, 2e3, 4e3, 8e3, 16e3, 32e3):
        for seed in range(4):
            learnt = params >= 8e3
            rows += [
                {"params": params, "seed": seed, "metric": "loss", "value": 1 + 30 / params**0.5 + rng.normal(0, 0.01)},
                {"params": params, "seed": seed, "metric": "accuracy", "value": 0.95 if learnt else 0.05},
            ]
    pd.DataFrame(rows).to_csv(folder / "own_results.csv", index=False)
    done = run(folder, sys.executable, "own_results.py")
    assert done.returncode == 0, done.stderr
    assert "converged" in done.stdout
    assert "accuracy" in done.stdout


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in CUSTOM and "-sc" not in c])
def test_commands_of_the_quickstart_compose(command, capsys, monkeypatch):
    from harness import cli

    verb, *overrides = command.split()
    if "--cfg" in overrides:
        assert cli.main([verb, *overrides]) == 0
        return
    overrides = [o for o in overrides if not o.startswith("--") and "," not in o.split("[")[0]]
    assert cli.compose(*overrides)
