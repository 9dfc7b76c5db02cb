"""A folder that comes from a stranger is read, and none of its code is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import REPOSITORY

from harness.config import rebuild
from harness.errors import UserError

RAN = "import pathlib, os; pathlib.Path(os.environ['RAN']).write_text(__name__)\n"

CALLBACK = "{mine: {_target_: mine.Callback}}"
CONFIGS = {
    "callbacks": {"config.yaml": f"defaults: [settings, _self_]\nhydra: {{callbacks: {CALLBACK}}}\n"},
    "dotted": {"config.yaml": "defaults: [settings, _self_]\nhydra.job.env_set: {PYTHONPATH: .}\n"},
    "package": {"family/null.yaml": "", "ladder/width.yaml": f"# @package hydra.callbacks\n{CALLBACK[1:-1]}\n"},
    "global": {"ladder/width.yaml": f"# @package _global_\nhydra: {{callbacks: {CALLBACK}}}\n"},
    "placed": {"ladder/width.yaml": "defaults: [mine@_global_.hydra.callbacks]\n", "ladder/mine.yaml": CALLBACK},
    "group": {"hydra/launcher/harness.yaml": "_target_: mine.Callback\n"},
}


class Folder:
    """A stranger's, with code under every name that might be imported."""

    def __init__(self, path: Path) -> None:
        self.path, self.mark = path / "strange", path / "ran"
        (self.path / "hydra_plugins").mkdir(parents=True)
        for name in ("hydra_plugins/evil", "mine", "wandb", "tensorboard", "sitecustomize"):
            (self.path / f"{name}.py").write_text(RAN + "class Callback: pass\n")
        # As an installed command is started: Python puts the script's folder on its path, not the working one.
        self.script = path / "bin" / "harness"
        self.script.parent.mkdir()
        self.script.write_text("from harness.cli import entry_point\nentry_point()\n")

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.path / "conf" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def harness(self, *argv: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "RAN": str(self.mark)}
        command = [sys.executable, str(self.script), *argv]
        ran = subprocess.run(command, cwd=self.path, env=environment, capture_output=True, text=True, timeout=60)
        assert "Traceback" not in ran.stderr
        return ran


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.parametrize(
    "argv",
    [
        ("analyze", "results=."),
        ("collect", "."),
        ("verify", "."),
        ("status", "experiment=quickstart"),
        ("analyze", "--multirun", "results=.,./conf"),
        ("analyze", "results=.", "--cfg", "job"),
        ("data",),
        ("--help",),
    ],
)
def test_no_code_of_a_folder_is_run(folder: Folder, argv: tuple[str, ...]) -> None:
    folder.write(
        {"family/mlp.yaml": "_target_: harness.families.mlp.Mlp\n", "task/mine.yaml": "_target_: mine.Callback"}
    )
    folder.harness(*argv)
    assert not folder.mark.exists(), folder.mark.read_text()


@pytest.mark.parametrize("files", CONFIGS.values(), ids=list(CONFIGS))
@pytest.mark.parametrize("flags", [(), ("--multirun",)])
def test_settings_of_hydra_in_a_folder_are_refused(folder: Folder, files: dict[str, str], flags: tuple[str]) -> None:
    folder.write(files)
    ran = folder.harness("analyze", *flags, "results=.")
    assert not folder.mark.exists(), folder.mark.read_text()
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1
    assert "sets something of hydra" in ran.stderr and "conf/" in ran.stderr


def test_a_class_of_the_folder_is_found_where_it_is_chosen(folder: Folder) -> None:
    folder.write({"family/own.yaml": "_target_: mine.Callback\n"})
    ran = folder.harness("plan", "family=own", "task=parity")
    assert folder.mark.read_text() == "mine"
    assert ran.returncode == 2 and "family._target_=mine.Callback is not a dataclass" in ran.stderr


def test_a_recorded_run_names_no_class_of_the_folder(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are a stranger's too: only what is asked for on the command line is imported."""
    folder.write({"family/own.yaml": "_target_: mine_alone.Family\n"})
    (folder.path / "mine_alone.py").write_text("class Family: pass\n")
    monkeypatch.chdir(folder.path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(UserError, match=r"family own: .*mine_alone.*; give experiment="):
        rebuild([], "family", {"name": "own"})
    assert "mine_alone" not in sys.modules
