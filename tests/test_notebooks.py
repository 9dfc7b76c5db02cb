"""Notebooks are short, are stored without outputs, and run on planted runs as on those of a user."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from command import REPOSITORY
from imported import REAL, needs_real_data
from nbclient import NotebookClient
from synthetic import make_results

from harness.datasets import make_metric_pairs, make_surface

NOTEBOOKS = REPOSITORY / "notebooks"


def pictures_of(name: str) -> int:
    """Run a notebook as it is stored, and count its pictures."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    resources = {"metadata": {"path": NOTEBOOKS}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_TABLE", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_short_and_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) < 15
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


@pytest.mark.parametrize("own", [False, True])
def test_laws(own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if own:
        runs = make_surface(4, 7, compute=(1e17, 1e20), span=8, random_state=0).frame
        runs.assign(name="a column of no use here").to_csv(tmp_path / "runs.csv")
        monkeypatch.setenv("HARNESS_TABLE", str(tmp_path / "runs.csv"))
    assert pictures_of("laws") == 6


@pytest.mark.parametrize("own", [False, True])
def test_emergence(own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if own:
        make_metric_pairs(4, random_state=0).frame.to_csv(tmp_path / "scores.csv")
        monkeypatch.setenv("HARNESS_TABLE", str(tmp_path / "scores.csv"))
    assert pictures_of("emergence") == 2


def test_quickstart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_RESULTS", str(make_results(tmp_path / "tiny", ("lookup", "text"), max_seeds=3)))
    assert pictures_of("quickstart") == 4


@pytest.mark.parametrize("there", [False, pytest.param(True, marks=needs_real_data)])
def test_real_curves(there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_REAL", str(REAL if there else tmp_path / "nowhere"))
    assert pictures_of("real_curves") == (3 if there else 0)
