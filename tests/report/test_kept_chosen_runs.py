"""An analysis is repeated where its runs, settings or names of curves are others, and only then."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from planted_runs import LEAP, write_planted
from rich.console import Console

from harness import report
from harness.config import compose
from harness.records.store import load_runs
from harness.report.kept import FILE, read_kept
from harness.settings import Settings
from harness.sweeping.asked import choose_runs

FOLDER = Path("results/leap")


pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(autouse=True)
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for lr, able_from in ((0.01, 60), (0.003, 30)):
        write_planted(study(f"optimizer.lr={lr}"), able_from)


def study(*overrides: str) -> Settings:
    (found,) = compose(*LEAP, *overrides)
    return found


def said(lr: str, by: tuple[str, ...] = ()) -> str:
    console = Console(file=io.StringIO(), width=200)
    chosen = choose_runs([study(f"optimizer.lr={lr}")], load_runs(FOLDER), by)
    report.show(FOLDER, console, chosen, by, bootstrap=100)
    return console.file.getvalue()  # type: ignore[attr-defined]


def written_ns() -> int:
    return (FOLDER / "report.html").stat().st_mtime_ns


def test_the_same_runs_are_not_analysed_again_and_others_are() -> None:
    first = said("0.01")
    at = written_ns()
    assert said("0.01") == first and written_ns() == at
    assert "study main holds runs of other settings: optimizer.lr 0.01, 0.003; 18 of 36 runs are left out" in first
    other = said("0.003")
    assert other != first and written_ns() > at
    at = written_ns()
    apart = said("0.01", ("optimizer.lr",))
    assert "main (optimizer.lr=0.003)" in apart and "left out" not in apart and written_ns() > at


def test_what_was_left_out_is_kept_too() -> None:
    first = said("0.01")
    assert "left_out" in (FOLDER / FILE).read_text()
    assert said("0.01") == first


@pytest.mark.parametrize(
    "content", ["", "[]", '{"fingerprint": "a"}', '{"fingerprint": "a", "files": {}, "words": {}}']
)
def test_a_file_that_was_cut_short_is_no_result(content: str) -> None:
    (FOLDER / FILE).write_text(content)
    assert read_kept(FOLDER, "a") is None
