"""README's examples, as written: its files are laid out in an empty folder and its commands are run there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import harness

README = (Path(__file__).parent.parent / "README.md").read_text()
#: (language, file's name, content), header lines and all, as a reader pastes them.
BLOCKS = [
    (language, re.findall(r"^# (\S+\.\w+)$", text, flags=re.MULTILINE)[0], text)
    for language, text in re.findall(r"```(python|yaml)\n(.*?)```", README, flags=re.DOTALL)
]
COMMANDS = re.findall(r"^\$ harness (.*)$", README, flags=re.MULTILINE)
CUSTOM = [c for c in COMMANDS if "majority" in c or "ranks" in c]
TABLE_VERBS = ("fit", "forecast", "allocate", "gain")
CURVE_VERBS = ("emergence", "compare", "screen")


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
        "laws.py",
        "majority.py",
        "conf/task/majority.yaml",
        "low_rank.py",
        "conf/family/low_rank.yaml",
        "conf/experiment/ranks.yaml",
    }
    assert len(CUSTOM) == 4


@pytest.mark.parametrize("name", sorted({name for _, name, _ in BLOCKS} - {"own_results.py", "laws.py"}))
def test_adding_something_simple_takes_under_25_lines(folder, name):
    lines = (folder / name).read_text().splitlines()
    assert sum(bool(line.strip()) and line != f"# {name}" for line in lines) < 25


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


@pytest.fixture
def runs(folder, monkeypatch):
    rng = np.random.default_rng(0)
    flops = np.repeat(np.geomspace(1e18, 1e21, 5), 8)
    n = np.sqrt(flops / 120) * np.tile(np.geomspace(0.2, 5, 8), 5)
    parts = []
    for corpus, worse in (("web", 1.0), ("books", 1.03)):
        loss = 1.8 + worse * (480 * n**-0.35 + 2100 * (flops / 6 / n) ** -0.37)
        loss *= np.exp(0.005 * rng.standard_normal(40))
        accuracy = 0.25 + 0.7 / (1 + np.exp((loss - 2.5) / 0.3))
        columns = {"N": n, "D": flops / 6 / n, "loss": loss, "accuracy": accuracy, "corpus": corpus}
        parts.append(pd.DataFrame(columns))
    pd.concat(parts).to_csv(folder / "runs.csv", index=False)
    monkeypatch.chdir(folder)
    return folder / "runs.csv"


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.split()[0] in TABLE_VERBS])
def test_laws_of_any_table(command, runs, capsys):
    from harness import cli

    words = shlex.split(command)
    if "--derive" in words:
        pd.read_csv(runs).assign(C=lambda r: 6 * r["N"] * r["D"]).rename(columns={"N": "params"}).drop(
            columns="D"
        ).to_csv(runs, index=False)
    assert cli.main(words) == 0, capsys.readouterr().err


def test_laws_from_python(folder, runs):
    done = run(folder, sys.executable, "laws.py")
    assert done.returncode == 0, done.stderr
    assert "converged" in done.stdout


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.split()[0] in CURVE_VERBS])
def test_jumps_of_any_table(command, folder, monkeypatch, capsys):
    from harness import cli

    rng = np.random.default_rng(0)
    size, seed = (axis.ravel() for axis in np.indices((8, 3)))
    metrics = {
        "accuracy": np.where(size < 4, 0.2, 0.9) + 0.01 * rng.standard_normal(24),
        "loss": np.where(size < 4, 2.0, 0.3) + 0.01 * rng.standard_normal(24),
    }
    about = {"seed": seed} | dict.fromkeys(("params", "params_non_embedding", "flops"), 1e3 * 2.0**size)
    parts = [pd.DataFrame(about | {"metric": name, "score": score, "value": score}) for name, score in metrics.items()]
    monkeypatch.chdir(folder)
    long = pd.concat(parts)
    long.to_csv("others.csv", index=False)
    accuracy = long[long["metric"] == "accuracy"]
    accuracy.rename(columns={"value": "acc"}).drop(columns="metric").assign(acc_stderr=0.01).to_csv(
        "evals.csv", index=False
    )
    model = np.char.add("m", size.astype(str))
    of_tasks = {f"{name}_accuracy_{i}": metrics["accuracy"] for i in "ab" for name in ("acc", "brier")}
    pd.DataFrame({"model": model, "seed": seed} | of_tasks).to_csv("wide.csv", index=False)
    sizes = pd.DataFrame({"model": model, "params": about["params"], "family": "ours"})
    sizes.drop_duplicates().to_csv("sizes.csv", index=False)
    harness.datasets.make_recipes(random_state=0).frame.rename(columns={"value": "acc_a"}).drop(
        columns=["task", "metric"], errors="ignore"
    ).to_csv("recipes.csv", index=False)
    words = shlex.split(command.replace("results/quickstart", "others.csv"))
    assert cli.main(words) == 0, capsys.readouterr().err
    assert "acc" in capsys.readouterr().out


ELSEWHERE = (*TABLE_VERBS, *CURVE_VERBS, "import")
OTHERS = [c for c in COMMANDS if c not in CUSTOM and "-sc" not in c and c.split()[0] not in ELSEWHERE]


@pytest.mark.parametrize("command", OTHERS)
def test_commands_of_the_quickstart_compose(command, capsys, monkeypatch):
    from harness import cli
    from harness.config import compose

    verb, *overrides = command.split()
    if "--cfg" in overrides:
        assert cli.main([verb, *overrides]) == 0
        return
    overrides = [o for o in overrides if not o.startswith("--") and "," not in o.split("[")[0]]
    assert compose(*overrides)
