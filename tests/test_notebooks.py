"""Notebooks are short, show when run anew what they are stored with, and run on the tables of a user."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import pytest
from command import REPOSITORY
from imported import REAL, needs_real_data
from nbclient import NotebookClient
from nbformat import NotebookNode
from synthetic import make_results

from harness.datasets import make_metric_pairs, make_surface

NOTEBOOKS = REPOSITORY / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
#: Executed and stored values agree within this share: another processor's sums round otherwise, and fits end elsewhere.
TOLERANCE = 0.01
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


def stored(name: str) -> NotebookNode:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def executed(name: str) -> NotebookNode:
    notebook = stored(name)
    resources = {"metadata": {"path": NOTEBOOKS}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    return notebook


def pictures(notebook: NotebookNode) -> int:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def shown(cell: NotebookNode) -> str:
    """What a cell prints and the frames that it shows, as text; a picture only says that it is one."""
    parts = []
    for output in cell.get("outputs", []):
        if output.get("name") == "stderr":  # of fonts that a machine lacks, say
            continue
        data = output.get("data", {})
        parts.append("<picture>" if "image/png" in data else output.get("text", data.get("text/plain", "")))
    return " ".join("\n".join(parts).split())


def assert_agree(expected: str, found: str) -> None:
    assert NUMBER.sub("#", expected) == NUMBER.sub("#", found)
    values = zip(
        *([float(n.replace(",", "")) for n in NUMBER.findall(text)] for text in (expected, found)), strict=True
    )
    for a, b in values:
        assert abs(a - b) <= TOLERANCE * max(abs(a), abs(b)) + 1e-3, f"{a} is stored, {b} shown now"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HARNESS_TABLE", "HARNESS_RESULTS", "HARNESS_REAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_are_short_and_stored_with_outputs_that_a_code_host_shows(name: str) -> None:
    notebook = stored(name)
    nbformat.validate(notebook)
    assert len(notebook.cells) < 20
    assert pictures(notebook)
    assert not any(output["output_type"] == "error" for cell in notebook.cells for output in cell.get("outputs", []))
    assert (NOTEBOOKS / f"{name}.ipynb").stat().st_size < 600_000


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs_real_data if n == "real_curves" else ()) for n in NAMES])
def test_executed_values_equal_stored_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_REAL", str(REAL))
    for before, now in zip(stored(name).cells, executed(name).cells, strict=True):
        assert_agree(shown(before), shown(now))


@pytest.mark.parametrize(
    ("expected", "found"), [("alpha 0.35", "alpha 0.36"), ("smooth 1", "emergent 1"), ("1", "1 2")]
)
def test_values_that_differ_are_told(expected: str, found: str) -> None:
    assert_agree(expected, expected)
    with pytest.raises(AssertionError):
        assert_agree(expected, found)


# --------------------------------------------------------------------------------------------------------- a user's own


def test_laws_of_an_own_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = make_surface(4, 7, compute=(1e17, 1e20), span=8, random_state=0).frame
    runs.assign(name="a column of no use here").to_csv(tmp_path / "runs.csv", index=False)
    monkeypatch.setenv("HARNESS_TABLE", str(tmp_path / "runs.csv"))
    assert pictures(executed("laws")) == pictures(stored("laws"))


def test_emergence_of_an_own_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_metric_pairs(4, random_state=0).frame.to_csv(tmp_path / "scores.csv", index=False)
    monkeypatch.setenv("HARNESS_TABLE", str(tmp_path / "scores.csv"))
    assert pictures(executed("emergence")) == pictures(stored("emergence"))


def test_results_of_an_own_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_RESULTS", str(make_results(tmp_path / "tiny", ("induction", "text"), max_seeds=2)))
    assert pictures(executed("quickstart"))


def test_published_curves_say_when_their_files_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pictures(executed("real_curves")) == 0
