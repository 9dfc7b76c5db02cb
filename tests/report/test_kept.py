"""An analysis that is kept, and what is kept of one that drew nothing."""

from __future__ import annotations

import io
from pathlib import Path

from record_rows import measurement_rows, run_row
from rich.console import Console

from harness import report
from harness.records.store import collect
from harness.records.writer import write_run


def test_an_analysis_with_nothing_to_draw_is_shown_and_kept(tmp_path: Path) -> None:
    write_run(tmp_path, run_row("aa"), measurement_rows(metric="score", paired_metric=None))
    collect(tmp_path)
    shown = []
    for _ in range(2):
        text = io.StringIO()
        report.show(tmp_path, Console(file=text, width=200))
        shown.append(text.getvalue())
    assert shown[0] == shown[1]
    assert "report.html" in shown[0] and "plots" not in shown[0]
    assert not (tmp_path / "plots").exists()
