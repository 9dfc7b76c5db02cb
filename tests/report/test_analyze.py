"""Every study of a results folder is analysed, or the reason why not is given."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from piece_files import forge_piece
from synthetic import make_results

from harness.errors import DataError
from harness.records.store import collect
from harness.report.analyze import Analysis, analyze


def test_verdicts_and_laws_of_planted_studies(analysis: Analysis) -> None:
    verdict = {(row.study, row.subtask): row.verdict for row in analysis.jumps.itertuples()}
    assert verdict["lookup", "all"] == "metric artefact"
    assert verdict["text", "all"] == "too few sizes"
    assert sorted(analysis.studies) == ["digits", "lookup", "parity", "text"]
    assert {study for study, _ in analysis.fits} == {"digits"}, "no power law describes a loss that jumps"
    text = analysis.laws[analysis.laws["study"] == "text"]
    assert (text["status"] == "too few data").all() and text["message"].str.contains("needs at least").all()


def test_a_study_that_cannot_be_used_does_not_stop_the_others(tmp_path: Path) -> None:
    folder = make_results(tmp_path / "mixed", ("lookup", "text"), max_seeds=2, failures=False)
    runs = pd.read_parquet(folder / "runs.parquet")
    for run_id in runs.loc[runs["study"] == "text", "run_id"]:
        forge_piece(folder, run_id, params_non_embedding=0)
    for run_id in runs.loc[runs["study"] == "lookup", "run_id"].iloc[:2]:
        forge_piece(folder, run_id, status="failed")
    collect(folder)
    analysis = analyze(folder, bootstrap=200)
    assert set(analysis.jumps["study"]) == {"lookup"}
    assert "params_non_embedding" in analysis.impossible["text"]


def test_a_column_or_folder_that_is_not_there_is_named(results: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"analysis\.x=params: no such column; did you mean .*; sizes are params_"):
        analyze(results, x="params")
    for text in ("config", "run_id", "status", "finished_at"):
        with pytest.raises(DataError, match=rf"analysis\.x={text}: is no column of numbers; sizes are params_total"):
            analyze(results, x=text)
    with pytest.raises(DataError, match=r"analysis\.x=value: no such column"):
        analyze(results, x="value")
    with pytest.raises(DataError, match="no such results folder"):
        analyze(tmp_path / "nowhere")
