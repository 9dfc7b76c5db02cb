from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import DataError
from harness.records.importers.found import Format, FoundRun, is_count, is_number

TEXT = Format("notes", ("*.md", "*.txt"), lambda path: [], lambda paths: paths[-1:])


def test_files_are_found_under_a_folder_and_chosen_among(tmp_path: Path) -> None:
    for name in ("b/2.md", "a/1.txt", "a/other.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert TEXT.find(tmp_path) == [tmp_path / "b/2.md"]
    assert TEXT.find(tmp_path / "a/other.csv") == [tmp_path / "a/other.csv"], "a file that is named is read"
    with pytest.raises(DataError, match=r"nothing to import as notes: no \*\.md or \*\.txt under it"):
        (tmp_path / "c").mkdir()
        TEXT.find(tmp_path / "c")
    with pytest.raises(DataError, match="d: no such file or folder"):
        TEXT.find(tmp_path / "d")


def test_what_counts_as_a_number_in_json() -> None:
    assert is_number(1) and is_number(0.5) and not is_number(True) and not is_number("1")
    assert is_count(0) and is_count(2**62) and not is_count(-1) and not is_count(True) and not is_count(2**63)


def test_a_run_is_labelled_by_its_file_and_part() -> None:
    assert FoundRun(Path("a.json"), "x", []).label == "a.json"
    assert FoundRun(Path("a.json"), "x", [], part="arc").label == "a.json (arc)"
