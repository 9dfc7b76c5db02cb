"""What the report writes, and where."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from record_rows import measurement_rows, run_row
from rich.console import Console

from harness import report
from harness.records.store import collect
from harness.records.writer import write_run
from harness.report.analyze import analyze
from harness.report.html import write_report

#: A name that climbs out of a folder, and one that starts at the root.
METRICS, SUBTASKS = ("../../escaped", "/escaped"), ("../../../escaped too", "all")


def test_no_name_leaves_the_folder_of_plots(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "results"
    rng = np.random.default_rng(0)
    for size in range(8):
        counts = {"params_total": 20 * 2**size + 20, "params_non_embedding": 20 * 2**size}
        for seed in range(3):
            share = 0.9 * (size > 4) + rng.uniform(0, 0.05)
            (row,) = [row for row in measurement_rows((4,), value=share) if row["metric"] == "accuracy"]
            named = [{"metric": metric, "subtask": subtask} for metric in METRICS for subtask in SUBTASKS]
            run = run_row(f"r{size}s{seed}", study="../study", rung=size, seed=seed, **counts)
            write_run(folder, run, [row | {"paired_metric": None} | names for names in named])
    collect(folder)
    assert all(path.exists() for path in write_report(analyze(folder)))
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.is_relative_to(folder) for path in written)
    pictures = [path for path in written if path.suffix in (".png", ".svg")]
    assert all(path.parent == folder / "plots" for path in pictures)
    assert sum("escaped" in path.name for path in pictures) >= 2 * len(METRICS)


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
