"""Files are there whole or not at all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.records.files import file_name, make_own_folder, open_own, remove_unfinished, write_whole
from harness.records.machine import MACHINE


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
    name, *_ = seen  # then the folder, with the file in it
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    living, left = tmp_path / name, tmp_path / name.replace(str(os.getpid()), str(dead.pid))
    below = tmp_path / "below" / left.name
    below.parent.mkdir()
    # Of another machine, where another process may have that number.
    fresh, old = (tmp_path / left.name.replace(MACHINE, other) for other in ("0" * 8, "1" * 8))
    earlier = tmp_path / left.name.replace(f"{MACHINE}.", "")
    for path in (living, left, below, fresh, old, earlier):
        path.touch()
    os.utime(old, (time.time() - 25 * 3600,) * 2)
    remove_unfinished(tmp_path)
    gone = [path for path in (living, left, below, fresh, old, earlier) if not path.exists()]
    assert gone == [left, old, earlier]


def test_names_of_users_make_files_of_their_own_in_their_folder() -> None:
    """Four of them, and what is added while the file is written, are no longer than a file system allows."""
    names = ["a b", "a_b", "a:b", "a.b", "", ".", "..", "../../x", "/x", "_", "\udc80", "\udc81", "表" * 99, "表" * 98]
    names += ["n" * 999, "n" * 998, "n" * 40, "$\\foo$", "a\nb", "a\0b", file_name("a b")]
    made = {name: file_name(name) for name in names}
    assert len(set(made.values())) == len(names)
    assert all(re.fullmatch(r"[\w=-]+", file) for file in made.values())
    assert made["a_b"] == "a_b" and file_name("a", "b") == "a.b" and file_name("v1.5", dots=True) == "v1.5"
    assert file_name("a_b", "c") != file_name("a", "b_c")
    longest = file_name(*["表n" * 99] * 4) + ".png"
    assert len(f".{longest}.{MACHINE}.{2**22}.harness.tmp".encode()) <= 255


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """Whoever made a folder may have put links into it, under names that we are known to open."""
    mine, folder = tmp_path / "mine", tmp_path / "folder"
    mine.write_text("precious")
    folder.mkdir()
    for name in ("lock", f".report.html.{MACHINE}.{os.getpid()}.harness.tmp"):
        (folder / name).symlink_to(mine)
    (folder / "pieces").symlink_to(tmp_path)
    for mode in ("a+", "w", "r"):
        with pytest.raises(OSError, match="lock is a symbolic link"):
            open_own(folder / "lock", mode)
        with pytest.raises(OSError, match="pieces is a symbolic link"):
            open_own(folder / "pieces" / "new", mode)
    with pytest.raises(OSError, match="pieces is a symbolic link"):
        make_own_folder(folder / "pieces")
    write_whole(folder / "report.html", b"ours")
    assert (folder / "report.html").read_bytes() == b"ours"
    assert mine.read_text() == "precious" and not (tmp_path / "new").exists()
