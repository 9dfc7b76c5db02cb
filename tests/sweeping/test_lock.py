"""One sweep a results folder, and what it clears away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import REPOSITORY

from harness.errors import UserError
from harness.sweeping.lock import holder, locked


def test_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with locked(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with pytest.raises(UserError, match=f"process {os.getpid()}"), locked(tmp_path):
            pass
    assert holder(tmp_path) is None
    killed = "import os, sys; from pathlib import Path; from harness.sweeping.lock import locked\n"
    killed += "with locked(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    assert subprocess.run([sys.executable, "-c", killed, str(tmp_path)], env=environment).returncode == -9
    assert holder(tmp_path) is None


def test_lock_clears_what_a_killed_sweep_left(tmp_path: Path) -> None:
    run_id, dead = "0123456789abcdef", _dead_process()
    left = [
        tmp_path / ".sweep" / f"{run_id}.json",
        tmp_path / ".sweep" / f"{run_id}.tmp",
        tmp_path / "pieces" / f".{run_id}.parquet.{dead}.harness.tmp",
        tmp_path / f".measurements.parquet.{dead}.harness.tmp",
    ]
    kept = tmp_path / "pieces" / f"{run_id}.parquet"
    for path in (*left, kept):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with locked(tmp_path):
        assert not any(path.exists() for path in left)
    assert kept.exists()


def test_lock_clears_nothing_of_the_users_own(tmp_path: Path) -> None:
    """A results folder may be a folder with other files in it, as results=. makes it."""
    dead = _dead_process()
    own = [
        tmp_path / ".thesis.tex.tmp",
        tmp_path / f".swap.{dead}.tmp",
        tmp_path / "notes" / ".draft.tmp",
        tmp_path / "other_results" / "pieces" / f".x.parquet.{dead}.harness.tmp",
        tmp_path / "pieces" / ".x.parquet.tmp",
        tmp_path / ".sweep" / "notes.json",
        # Being written at this moment, by another process.
        tmp_path / "pieces" / f".x.parquet.{os.getpid()}.harness.tmp",
    ]
    for path in own:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    with locked(tmp_path):
        pass
    assert [path.read_text() for path in own] == ["mine"] * len(own)


def _dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("link", [".sweep", ".sweep/lock"])
def test_a_folder_whose_lock_is_a_link_is_refused(tmp_path: Path, link: str) -> None:
    elsewhere, results = tmp_path / "elsewhere", tmp_path / "results"
    elsewhere.mkdir()
    (mine := elsewhere / "lock").write_text("precious")
    (results / link).parent.mkdir(parents=True)
    (results / link).symlink_to(elsewhere if link == ".sweep" else mine)
    assert holder(results) is None
    with pytest.raises(UserError, match=f"{Path(link).name} is a symbolic link"), locked(results):
        pass
    assert mine.read_text() == "precious"


def test_pieces_that_are_a_link_are_not_cleared(tmp_path: Path) -> None:
    results, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    results.mkdir()
    elsewhere.mkdir()
    (left := elsewhere / f".x.{_dead_process()}.harness.tmp").touch()
    (results / "pieces").symlink_to(elsewhere)
    with locked(results):
        pass
    assert left.exists()
