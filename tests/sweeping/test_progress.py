"""Progress files of running jobs."""

from __future__ import annotations

import os
from pathlib import Path

from harness.settings import Settings
from harness.sweeping.plan import cells
from harness.sweeping.progress import Reporter, progress_path, read_progress, running
from harness.training.loop import Progress


def test_progress_files(study: Settings) -> None:
    job = cells(study)[0]
    with Reporter(job) as report:
        report(Progress(3, 5, (1.0, 2.0, float("nan"))))
        (state,) = running(Path(study.results))
        assert (state.step, state.steps, state.loss, state.pid) == (3, 5, 1.5, os.getpid())
        assert state == read_progress(progress_path(job))
        assert len(state.run_ids) == 6
    assert list(running(Path(study.results))) == []


def test_half_written_progress_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"label": "x"')
    (tmp_path / "b.json").write_text("[]")
    assert read_progress(tmp_path / "a.json") is read_progress(tmp_path / "b.json") is read_progress(tmp_path) is None
