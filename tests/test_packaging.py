"""The wheel carries its configs and works in an empty environment and an empty folder."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from command import REPOSITORY

from harness.records.store import finished_run_ids
from harness.starting.project import template_files


def test_what_is_imported_is_declared_and_no_more() -> None:
    """Each third-party module that the package imports is of a declared dependency, and each of these is imported."""
    distributions = importlib.metadata.packages_distributions()
    imported = set()
    for path in [*(REPOSITORY / "harness").rglob("*.py"), *(REPOSITORY / "hydra_plugins").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            imported |= {name.split(".")[0] for name in names}
    own = {"harness", "hydra_plugins"} | sys.stdlib_module_names
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    needed = {name.lower() for module in imported - own for name in distributions.get(module, [module])}
    declared = {line.split(">=")[0] for line in project["dependencies"]}
    of_hydra = {"omegaconf", "pyyaml"}
    # IPython is there where a notebook is.
    extras = [lines for name, lines in project["optional-dependencies"].items() if name not in ("dev", "docs")]
    extra = {line.split(">=")[0].lower() for lines in extras for line in lines} | {"ipython"}
    assert needed - of_hydra - extra == declared


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    # In its own environment the build would ask a package index for hatchling; the one here will do.
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (path,) = out.glob("*.whl")
    return path


def test_the_wheel_holds_every_config_and_data_file_and_no_test(wheel: Path) -> None:
    files = set(zipfile.ZipFile(wheel).namelist())
    configs = {path.relative_to(REPOSITORY / "conf") for path in (REPOSITORY / "conf").rglob("*.yaml")}
    assert {f"harness/conf/{path}" for path in configs} <= files
    assert "hydra_plugins/harness_launcher.py" in files
    assert {"harness/data/sources/digits.npz", "harness/report/report.html.j2", "harness/CITATION.cff"} <= files
    page = {
        path.name for path in (REPOSITORY / "harness" / "report" / "interactive").rglob("*") if path.suffix != ".pyc"
    }
    assert {name.rpartition("/")[2] for name in files if "/interactive/" in name} >= page - {"vendor", "__pycache__"}
    assert {f"harness/starting/template/{path}" for path in template_files()} <= files
    assert not any(name.startswith(("tests/", "conf/")) for name in files)


@pytest.mark.slow
def test_the_wheel_trains_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    environment, folder = tmp_path / "environment", tmp_path / "folder"
    python = environment / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    # Dependencies are those of this environment, after the wheel's own files; a .pth file in a folder that is named by
    # a .pth file does nothing, so that an editable install of the harness stays out of sight.
    (site_packages,) = environment.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)

    (folder / "conf" / "experiment").mkdir(parents=True)
    (folder / "conf" / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults: [quickstart/parity]\nname: mine\nladder: {widths: [4, 8], steps: 10}\n"
    )
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def harness(*argv: str) -> str:
        command = [str(environment / "bin" / "harness"), *argv]
        ran = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    harness("train", "experiment=quickstart/parity", "rung=0", "seed=0", "ladder.steps=20")
    assert list(finished_run_ids(folder / "results" / "quickstart").values()) == ["finished"]
    where = "import harness.cli; print(harness.cli.__file__)"
    used = subprocess.run([str(python), "-c", where], cwd=folder, env=variables, capture_output=True, text=True)
    assert used.stdout.startswith(str(environment))
    assert "mine" in harness("--help")
    assert "width" in harness("plan", "experiment=mine")
