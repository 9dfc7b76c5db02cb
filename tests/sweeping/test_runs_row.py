"""Rows of the runs table."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import harness
from harness.ladder import identity_hash
from harness.records.rows import to_table
from harness.records.schema import RUNS
from harness.settings import Settings
from harness.sweeping.plan import cells
from harness.sweeping.runs_row import git_revision, recorded_identity, run_row, size_columns


def test_rows_fit_the_schema(study: Settings) -> None:
    job = cells(study)[1]
    row = run_row(job, job.members[0], "diverged", error="why", done=0.5, git_revision=git_revision())
    assert to_table("runs", [row], "test").schema == RUNS
    assert (row["steps"], row["tokens"], row["flops"]) == (10, 40, job.flops / 2)
    assert row["params_total"] == sum(row[f"params_{g}"] for g in ("embedding", "attention", "mlp", "norm", "head"))
    assert json.loads(row["config"])["notes"] == ""
    assert "harness" in json.loads(row["versions"])


def test_size_columns_are_those_of_the_row(study: Settings) -> None:
    job = cells(study)[3]
    row = run_row(job, job.members[0], "finished", wall_s=1.0)
    sizes = size_columns(job)
    assert sizes == {name: row[name] for name in sizes}
    assert {"width", "depth", "heads", "params_total", "params_non_embedding", "tokens", "flops"} <= set(sizes)
    assert size_columns(job, done=0.5)["tokens"] == sizes["tokens"] / 2


def test_the_identity_of_a_run_can_be_had_from_its_row(study: Settings) -> None:
    job = cells(study)[1]
    for member in job.members:
        config = json.loads(run_row(job, member, "finished")["config"])
        assert identity_hash(recorded_identity(config)) == member.run_id


def committed(folder: Path) -> str:
    """Make a repository of a folder; the revision of its only commit."""
    me = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for command in (("init", "-q"), ("add", "."), (*me, "commit", "-qm", "one", "--allow-empty")):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    head = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return head.stdout.strip()


def test_the_revision_is_that_of_the_checkout_that_the_harness_lies_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package := tmp_path / "clone" / "harness").mkdir(parents=True)
    (file := package / "__init__.py").touch()
    (elsewhere := tmp_path / "elsewhere").mkdir()
    committed(elsewhere)
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(harness, "__file__", str(file))
    assert git_revision() is None, "the working folder's repository is somebody else's"
    revision = committed(package.parent)
    assert git_revision() == revision
    index = package.parent / ".git" / "index"
    file.touch()  # which `git describe --dirty` would note in the index
    before = index.read_bytes()
    assert git_revision() == revision and index.read_bytes() == before
    file.write_text("changed")
    assert git_revision() == f"{revision}-dirty"


def test_a_repository_around_an_installed_harness_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package := tmp_path / ".venv" / "site-packages" / "harness").mkdir(parents=True)
    (file := package / "__init__.py").touch()
    committed(tmp_path)
    monkeypatch.setattr(harness, "__file__", str(file))
    assert git_revision() is None
