"""Runs, verdicts and laws in words."""

from __future__ import annotations

import io
import re

from rich.console import Console

from harness.report.analyze import Analysis
from harness.report.tables import as_rich, failures, law_table, overview, verdict_summary, verdict_table


def test_tables_in_words(analysis: Analysis) -> None:
    seen = overview(analysis.runs).set_index("study")
    assert seen.loc["parity", ["rungs", "seeds", "runs", "finished", "failed"]].tolist() == [9, 4, 28, 27, 1]
    assert set(failures(analysis.runs)["status"]) == {"failed", "diverged"}
    rows = verdict_summary(analysis.jumps)
    assert "lookup" in set(rows["what"]) and "parity: all together" in set(rows["what"])
    assert any(re.fullmatch(r"parity: \d/3 subtasks", what) for what in rows["what"])
    assert len(verdict_table(analysis.jumps)) == len(analysis.jumps)
    laws = law_table(analysis.laws).set_index("study")
    assert laws.loc["text", "total parameters"] == "too few data"
    assert re.match(r"[\d.]+ \([\d.]+ to [\d.]+\)", laws.loc["digits", "training FLOPs"])
    assert laws.loc["lookup", "training FLOPs"] == "–" and laws.loc["lookup", "choice of law"].startswith(
        "no power law"
    )


def test_a_study_of_one_curve_is_called_by_its_subtask(analysis: Analysis) -> None:
    """As imported benchmarks are, whose subtask states the shots."""
    jumps = analysis.jumps[analysis.jumps["study"] == "parity"]
    one = jumps[jumps["subtask"] != "all"].groupby("metric").head(1)
    assert set(verdict_summary(one)["what"]) == {f"parity: {subtask}" for subtask in one["subtask"]}


def test_a_terminal_table_has_every_column_or_those_that_fit(analysis: Analysis) -> None:
    def shown(width: int, *left_out: str) -> str:
        console = Console(file=io.StringIO(), width=width)
        console.print(as_rich(verdict_summary(analysis.jumps), "Verdicts", left_out))
        return console.file.getvalue()  # type: ignore[attr-defined]

    assert "why" in shown(200) and "judged by" in shown(200)
    narrow = shown(80, "why", "metric", "judged by")
    assert "why" not in narrow and max(map(len, narrow.splitlines())) <= 80
