"""The published tables are read whole, and say what is a pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from imported import REAL, needs_real_data
from published import BENCHMARKS
from reading import read_benchmarks, read_difficulty_groups, read_opt, read_pythia

from harness.errors import DataError


@needs_real_data
def test_opt_has_eight_sizes_of_65_tasks() -> None:
    frame = read_opt(REAL)
    assert frame["params_total"].nunique() == 8 and frame["task"].nunique() == 65
    assert frame.loc[frame["paired_metric"] == "ppl", ["task", "metric"]].drop_duplicates().to_numpy().tolist() == [
        ["lambada_openai", "acc"]
    ]


@needs_real_data
def test_pythia_has_27_checkpoints_of_seven_models() -> None:
    frame = read_pythia(REAL)
    assert set(frame["model"]) == {"70m", "160m", "410m", "1.4b", "2.8b", "6.9b", "12b"}
    assert (frame.groupby("model")["step"].nunique() == 27).all() and frame["task"].nunique() == 87
    assert (frame["tokens"] == frame["step"] * 2_097_152).all()


@needs_real_data
def test_accuracy_and_brier_score_are_of_the_same_models() -> None:
    frame = read_benchmarks(REAL)
    assert set(frame["task"]) == set(BENCHMARKS)
    for _, rows in frame.groupby("task"):
        models = {metric: set(part["run_id"]) for metric, part in rows.groupby("metric")}
        assert models["accuracy"] == models["brier"] and len(models["brier"]) > 55
    of_mmlu = frame[(frame["task"] == "mmlu") & (frame["metric"] == "accuracy")]
    assert set(of_mmlu["n_eval"]) == {14042} and set(of_mmlu["paired_metric"]) == {"brier"}


@needs_real_data
def test_ten_groups_the_easiest_first() -> None:
    frame = read_difficulty_groups(REAL)
    of_arc = frame[frame["task"] == "arc"].groupby("subtask")["value"].mean()
    assert len(of_arc) == 10 and np.all(np.diff(of_arc) > 0)


def test_absent_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lm_eval_opt: no such folder"):
        read_opt(tmp_path)


def test_models_without_flops_or_accuracy_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "question_groups"
    folder.mkdir()
    models = pd.DataFrame(
        {"Model": ["a", "b", "c"], "Model Family": "f", "FLOPs (1E21)": [1.0, np.nan, 2.0], "acc": [0.3, 0.4, np.nan]}
        | {"brier": 0.5, "0_7_brier": 0.2, "7_20_brier": 0.8, "7_20_san": 0.9}
    )
    for task in BENCHMARKS:
        models.to_csv(folder / f"{task}.csv")
    frame = read_benchmarks(tmp_path)
    assert set(frame["run_id"]) == {"a"} and set(frame["flops"]) == {1e21}
    assert set(frame["n_eval"].dropna()) == {20}
