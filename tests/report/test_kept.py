"""An analysis is repeated only where its tables, settings or code have changed, or a part of it is gone."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from rich.console import Console

from harness import report
from harness.report import pictures
from harness.report.analyze import Analysis
from harness.report.kept import FILE, read_kept


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


def test_what_is_not_as_written_is_analysed_again(results: Path, tmp_path: Path, drawn: Callable[[], int]) -> None:
    """Verdicts that are shown are ours, whatever was done to the files since."""
    folder = shutil.copytree(results, tmp_path / "own")

    def said() -> str:
        console = Console(file=io.StringIO(), width=200)
        report.show(folder, console, bootstrap=100)
        return console.file.getvalue()  # type: ignore[attr-defined]

    first, kept, verdicts = said(), folder / FILE, folder / "verdicts.csv"
    assert said() == first and drawn() == 1
    whole = json.loads(kept.read_text())
    changes: list[tuple[Path, bytes | None]] = [
        (verdicts, verdicts.read_bytes().replace(b"smooth", b"emergent")),
        (verdicts, b"a,b\n1,2\n"),
        (folder / "report.html", b""),
        (folder / "card.tex", b""),
        (next((folder / "plots").glob("*.svg")), b""),
        (next((folder / "plots").glob("*.png")), None),
        (kept, kept.read_bytes().replace(b"smooth", b"emergent")),
        (kept, b"[]"),
        (kept, b"\xff"),
        (kept, b"[" * 100_000),
        (kept, json.dumps({"checksum": whole["checksum"]}).encode()),
        (kept, json.dumps(whole | {"n_runs": 7}).encode()),
    ]
    for i, (path, content) in enumerate(changes, start=2):
        path.unlink() if content is None else path.write_bytes(content)
        assert said() == first and drawn() == i, (path, content and content[:99])
    (folder / "plots" / "of_mine.png").touch()
    assert said() == first and drawn() == i


def test_a_foreign_record_of_another_form_is_no_result(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    for content in ({}, {"fingerprint": "k"}, {"fingerprint": "k", "files": [1]}, {"fingerprint": "k", "files": {}}):
        checksum = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        (folder / FILE).write_text(json.dumps({"checksum": checksum} | content))
        assert read_kept(folder, "k") is None


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many reports were written; each has one plot, for time."""
    count = []

    def one(analysis: Analysis) -> Iterator[pictures.Drawing]:
        count.append(1)
        yield pictures.Drawing(("one",), Figure().add_subplot(), "", "")

    monkeypatch.setattr(pictures, "OF_ALL", (one,))
    monkeypatch.setattr(pictures, "OF_STUDY", ())
    return lambda: len(count)
