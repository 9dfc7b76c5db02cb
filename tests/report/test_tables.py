"""Runs, verdicts and laws in words."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from harness.analysis.emergence.verdicts import Verdict
from harness.report import plots
from harness.report.analyze import Analysis
from harness.report.tables import (
    VERDICT_STYLES,
    failures,
    law_table,
    overview,
    verdict_counts,
    verdict_summary,
    verdict_table,
)
from harness.report.terminal import as_rich

#: Column of sizes.
X = "params_non_embedding"


def test_tables_in_words(analysis: Analysis) -> None:
    seen = overview(analysis.runs).set_index("study")
    assert seen.loc["parity", ["rungs", "seeds", "runs", "finished", "failed"]].tolist() == [9, 4, 28, 27, 1]
    studies = seen.drop(index="all studies")
    assert seen.loc["all studies", ["runs", "finished", "diverged"]].tolist() == [
        len(analysis.runs),
        len(analysis.runs) - 2,
        1,
    ]
    assert studies["runs"].sum() == len(analysis.runs)
    assert "all studies" not in set(overview(analysis.runs.query("study == 'text'"))["study"])
    assert set(failures(analysis.runs)["status"]) == {"failed", "diverged"}
    rows = verdict_summary(analysis.jumps, X)
    assert "lookup" in set(rows["what"]) and "parity: all together" in set(rows["what"])
    assert len(rows) == len(analysis.jumps) and "curves" not in rows
    assert len(verdict_table(analysis.jumps, X)) == len(analysis.jumps)
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
    assert set(verdict_summary(one, X)["what"]) == {f"parity: {subtask}" for subtask in one["subtask"]}


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_terminal_of_any_width_is_told_everything(analysis: Analysis, width: int) -> None:
    words = verdict_summary(analysis.jumps, X)
    console = Console(file=io.StringIO(), width=width)
    console.print(as_rich(words, "Verdicts"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= width
    told = re.sub(r"\W", "", shown)
    for cell in words[["what", "verdict", "N*", "onset"]].to_numpy().ravel():
        assert re.sub(r"\W", "", cell) in told
    for name in words.columns[1:]:
        assert name in shown
    for word in {word for why in words["why"] for word in why.split()}:
        assert re.sub(r"\W", "", word) in told


def test_what_looks_like_markup_is_text() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(as_rich(pd.DataFrame({"what": ["[red]a[/]"], "why": ["[/b]"]}), "[b]"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[red]a[/]" in shown and "[/b]" in shown


def test_along_data_what_is_too_few_are_amounts_of_data() -> None:
    rows, data = rows_of_every_verdict().head(1), "unique_examples"
    for table in (verdict_table(rows, data), verdict_summary(rows, data)):
        assert table["verdict"].item() == "too few amounts of data"
    assert verdict_counts(rows, data) == "1 too few amounts of data"
    assert verdict_counts(rows, X) == "1 too few sizes"


def rows_of_every_verdict() -> pd.DataFrame:
    """A subtask of each verdict, the last ones first; none of them has an onset on its ladder, nor the last two N*."""
    verdicts = [str(verdict) for verdict in reversed(Verdict)]
    n = len(verdicts)
    placed = np.arange(n) < n - 2
    columns = {
        "study": "own", "subtask": [f"subtask {i}" for i in range(n)], "metric": "accuracy", "continuous_metric": "",
        "verdict": verdicts, "p_adjusted": 0.01, "reason": "so it is",
        "threshold": np.where(placed, 500.0, np.nan),
        "threshold_low": 0.0, "threshold_high": np.where(placed, 900.0, np.inf),
        "onset": np.nan, "onset_low": 0.0, "onset_high": 960.0,
        "rise_width": np.nan, "rise_width_low": np.nan, "rise_width_high": np.nan, "ladder_steps": 5.0,
        "state": "undetermined", "chance": 0.0, "first_mean": 0.1, "best_mean": 0.9, "higher_is_better": True,
    }  # fmt: skip
    return pd.DataFrame(columns)


def test_every_verdict_has_a_look_of_its_own_and_its_place_in_every_list() -> None:
    order = [str(verdict) for verdict in Verdict]
    assert list(VERDICT_STYLES) == list(plots.VERDICTS) == order
    assert len(set(plots.VERDICTS.values())) == len({marker for _, marker in plots.VERDICTS.values()}) == len(order)
    page = "".join((Path(plots.__file__).parent / name).read_text() for name in ("report.html.j2", "verdicts.css"))
    for verdict in order:
        name = verdict.replace(" ", "-")
        assert f".{name} {{ color:" in page and f'<dt><span class="verdict {name}">{verdict}</span></dt>' in page
    rows = rows_of_every_verdict()
    assert verdict_counts(rows, X) == ", ".join(f"1 {verdict}" for verdict in order)
    assert verdict_summary(rows, X)["verdict"].tolist() == order


def test_a_place_off_the_ladder_is_an_interval_and_no_cell_is_nan() -> None:
    rows = rows_of_every_verdict()
    table = verdict_table(rows, X)
    assert set(table["onset"]) == {"open below, to 960"}
    assert table["N*"].tolist() == ["500 (open below, to 900)"] * 5 + ["open on both sides"] * 2
    summary = verdict_summary(rows, X)
    assert summary["N*"].tolist() == table["N*"].tolist()[::-1] and set(summary["onset"]) == {"open below, to 960"}
    for shown in (table, summary):
        assert not shown.map(lambda cell: "nan" in str(cell) or "inf" in str(cell)).any().any()


def many_subtasks() -> pd.DataFrame:
    """Sixty emergent subtasks of one study, three of them open below, one open above, and two smooth ones."""
    one = rows_of_every_verdict().query("verdict == 'emergent'")
    many = pd.concat([one] * 62, ignore_index=True)
    n = np.arange(len(many))
    many["subtask"] = [f"subtask {i}" for i in n]
    many["threshold"] = 1000.0 + 100 * n
    many["threshold_low"] = np.where(n < 3, 0.0, 900.0)
    many["threshold_high"] = np.where(n == 59, np.inf, 8000.0)
    many["p_adjusted"] = np.where(n == 7, 0.03, 0.002)
    many.loc[n >= 60, ["verdict", "best_mean", "first_mean", "state"]] = ["smooth", 0.012, 0.01, "flat"]
    return many


def test_many_subtasks_share_a_row_that_says_what_is_open_and_rows_count_as_the_head_does() -> None:
    many = many_subtasks()
    summary = verdict_summary(many, X)
    assert verdict_counts(many, X) == "60 emergent, 2 smooth"
    assert dict(zip(summary["verdict"], summary["curves"], strict=True)) == {"emergent": 60, "smooth": 2}
    emergent, smooth = summary.to_dict("records")
    assert emergent["what"] == "own: 60 of 62 subtasks"
    assert emergent["N*"] == "1,000 … 6,900; 3 open below, 1 open above"
    assert emergent["p adj."] == "up to 0.030"
    assert smooth["N*"] == "stays below 2 %"


def test_few_curves_have_a_row_each_as_many_as_the_head_counts() -> None:
    few = many_subtasks().head(12)
    summary = verdict_summary(few, X)
    assert summary["what"].tolist() == [f"own: subtask {i}" for i in range(12)]
    assert verdict_counts(few, X) == "12 emergent"


def test_a_rise_that_is_longer_than_the_ladder_is_not_a_number_of_rungs() -> None:
    rows = (
        many_subtasks()
        .head(4)
        .assign(
            rise_width=[9.0, 9.0, 2.0, 2.0], rise_width_low=[6.0, 3.0, 1.0, 1.0], rise_width_high=[20.0, 20.0, 9.0, 4.0]
        )
    )
    assert verdict_table(rows, X)["rise in rungs"].tolist() == [
        "longer than the ladder",
        "longer than the ladder (3 or more)",
        "2 (1 or more)",
        "2 (1 to 4)",
    ]


def test_reasons_call_metrics_what_the_columns_call_them() -> None:
    reason = "exact_match (p < 0.001) jumps, and so does token_accuracy (p < 0.001)"
    row = many_subtasks().head(1).assign(metric="exact_match", continuous_metric="token_accuracy", reason=reason)
    assert verdict_table(row, X)["why"].item() == reason.replace("_", " ")
