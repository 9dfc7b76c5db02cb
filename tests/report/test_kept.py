"""An analysis is repeated only where its tables, settings or code have changed, or a part of it is gone."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from harness import report


@pytest.mark.usefixtures("undrawn")
def test_what_has_not_changed_is_not_analysed_again(results: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(results, tmp_path / "own")

    def said(**settings: int) -> str:
        console = Console(file=io.StringIO(), width=200)
        report.show(folder, console, **settings)
        return console.file.getvalue()  # type: ignore[attr-defined]

    first = said(bootstrap=100)
    page = (folder / "report.html").stat().st_mtime_ns
    assert said(bootstrap=100) == first
    assert (folder / "report.html").stat().st_mtime_ns == page
    assert said(bootstrap=120) and (folder / "report.html").stat().st_mtime_ns > page, "other settings"
    (folder / "report.html").unlink()
    assert said(bootstrap=120) and (folder / "report.html").exists(), "a part that is gone"
