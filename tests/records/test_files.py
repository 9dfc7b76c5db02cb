"""Files are there whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.records.files import remove_unfinished, write_whole


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "report.html", b"<html>")
    assert list(tmp_path.iterdir()) == []


def test_only_files_whose_writer_is_dead_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What a process that is killed in mid-write leaves is what this one has while it writes.
    seen: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.extend(path.name for path in tmp_path.iterdir()))
    write_whole(tmp_path / "runs.parquet", b"")
    (name,) = seen
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    living, left = tmp_path / name, tmp_path / name.replace(str(os.getpid()), str(dead.pid))
    below = tmp_path / "below" / left.name
    below.parent.mkdir()
    for path in (living, left, below):
        path.touch()
    remove_unfinished(tmp_path)
    assert [path.exists() for path in (living, left, below)] == [True, False, True]
