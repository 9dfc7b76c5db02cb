"""Which runs of our own records make a curve: the longest duration, the best learning rate of each size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from record_rows import measurement_rows, run_row

from harness.errors import DataError, RunsWarning
from harness.records.comparable import best_learning_rates, comparable, final_losses
from harness.records.store import load
from harness.records.writer import write_run


def write(folder: Path, run_id: str, loss: float = 1.0, metric: str | None = None, **about: Any) -> None:
    """A finished run of two evaluations, the first of them worse."""
    rows = [row for row in measurement_rows() if metric in (None, row["metric"])]
    for row in rows:
        if row["metric"] == "loss":
            row["value"] = loss + (row["step"] < 4)
    write_run(folder, run_row(run_id, **about), rows)


def ladder(**asked: Any) -> str:
    return json.dumps({"ladder": asked})


def loaded(folder: Path) -> set[str]:
    return set(load(folder)["run_id"])


def test_the_last_step_counts(tmp_path: Path) -> None:
    write(tmp_path, "aa", loss=0.5)
    frame = load(tmp_path)
    assert set(frame["step"]) == {4} and frame.loc[frame["metric"] == "loss", "value"].tolist() == [0.5]
    assert set(load(tmp_path, steps="all")["step"]) == {2, 4}


def test_the_longest_duration_of_a_study_counts_and_the_others_are_counted(tmp_path: Path) -> None:
    for study, steps in (("main", [10, 30, 20]), ("other", [10])):
        for duration, _ in enumerate(steps):
            write(tmp_path, f"{study}{duration}", study=study, duration=duration, config=ladder(steps=steps))
    with pytest.warns(RunsWarning, match=r"2 of 3 runs of main are left out: shorter.*\(runs='all' keeps them\)"):
        frame = load(tmp_path)
    # 30 steps stand second in the list.
    assert set(frame["run_id"]) == {"main1", "other0"}
    assert frame.attrs["left_out"] == [
        "2 of 3 runs of main are left out: shorter than the longest duration of their study"
    ]
    everything = load(tmp_path, runs="all")
    assert set(everything["run_id"]) == {"main0", "main1", "main2", "other0"}
    assert everything.attrs["left_out"] == []


def test_durations_of_two_sweeps_are_compared_by_what_was_asked_for(tmp_path: Path) -> None:
    """Each sweep asked for one duration, so that both of them are its first."""
    write(tmp_path, "short", config=ladder(flops=1e6))
    write(tmp_path, "long", config=ladder(flops=4e6))
    with pytest.warns(RunsWarning):
        assert loaded(tmp_path) == {"long"}


def test_the_learning_rate_of_the_lowest_mean_loss_counts_at_each_size(tmp_path: Path) -> None:
    losses = {
        ("small", 0.01): (1.0, 1.2),
        ("small", 0.1): (0.9, 1.4),
        ("large", 0.01): (0.8, 0.8),
        ("large", 0.1): (0.5, 0.6),
    }
    for (size, lr), of_seeds in losses.items():
        for seed, loss in enumerate(of_seeds):
            about = {"lr": lr, "seed": seed, "params_total": 50 if size == "small" else 500}
            write(tmp_path, f"{size}-{lr}-{seed}", loss, **about)
    with pytest.warns(
        RunsWarning, match="4 of 8 runs of main are kept, those with the best learning rate of each size"
    ):
        frame = load(tmp_path)
    assert set(frame["run_id"]) == {"small-0.01-0", "small-0.01-1", "large-0.1-0", "large-0.1-1"}
    # The last evaluation chooses, whichever rows are asked for.
    with pytest.warns(RunsWarning):
        assert set(load(tmp_path, steps="all")["run_id"]) == set(frame["run_id"])


def test_without_a_loss_no_learning_rate_is_chosen(tmp_path: Path) -> None:
    for lr in (0.01, 0.1):
        write(tmp_path, f"{lr}", metric="accuracy", lr=lr)
    with pytest.raises(DataError, match="differ in lr"):
        load(tmp_path)
    assert len(load(tmp_path, runs="all")) == 2


def test_the_longest_duration_comes_before_the_best_learning_rate(tmp_path: Path) -> None:
    for duration, lr, loss in ((0, 0.01, 0.1), (1, 0.01, 2.0), (1, 0.1, 1.0)):
        write(tmp_path, f"{duration}-{lr}", loss, duration=duration, lr=lr, config=ladder(steps=[10, 20]))
    with pytest.warns(RunsWarning):
        assert loaded(tmp_path) == {"1-0.1"}


def test_imported_runs_are_kept_whatever_their_learning_rate(tmp_path: Path) -> None:
    config = json.dumps({"imported": {"kind": "wandb", "file": "a.csv", "run": "a"}})
    for run_id, lr, loss in (("aa", 0.01, 1.0), ("bb", 0.02, 2.0)):
        write(tmp_path, run_id, loss, lr=lr, config=config, width=0, depth=0)
    assert loaded(tmp_path) == {"aa", "bb"}


def test_a_diverged_run_says_nothing_for_its_learning_rate(tmp_path: Path) -> None:
    write(tmp_path, "good", 1.0, lr=0.01)
    write(tmp_path, "also", 0.9, lr=0.1)
    rows = [row | {"value": float("nan")} for row in measurement_rows()]
    write_run(tmp_path, run_row("lost", lr=1.0, status="diverged"), rows)
    with pytest.warns(RunsWarning):
        frame = load(tmp_path, statuses=("finished", "diverged"))
    assert set(frame["run_id"]) == {"also"}


def test_frames_keep_their_order_and_index(tmp_path: Path) -> None:
    for run_id, lr, loss in (("aa", 0.1, 2.0), ("bb", 0.01, 1.0), ("cc", 0.01, 1.0)):
        write(tmp_path, run_id, loss, lr=lr, seed=ord(run_id[0]))
    frame = load(tmp_path, runs="all")
    shuffled = frame.sample(frac=1.0, random_state=0)
    kept, told = comparable(shuffled)
    pd.testing.assert_frame_equal(kept, shuffled[shuffled["run_id"] != "aa"])
    assert len(told) == 1
    assert comparable(frame[frame["lr"] == 0.1])[1] == ()


def test_losses_of_rows_that_were_not_chosen_still_choose(tmp_path: Path) -> None:
    for lr, loss in ((0.01, 2.0), (0.1, 1.0)):
        write(tmp_path, f"{lr}", loss, lr=lr)
    frame = load(tmp_path, runs="all")
    accuracy = frame[frame["metric"] == "accuracy"]
    assert set(comparable(accuracy, final_losses(frame))[0]["lr"]) == {0.1}


def test_a_learning_rate_is_chosen_within_columns_that_hold_curves_apart() -> None:
    runs = pd.DataFrame(
        [
            run_row(f"{i}", lr=lr, tokens=tokens)
            for i, (lr, tokens) in enumerate([(0.01, 10), (0.1, 10), (0.01, 20), (0.1, 20)])
        ]
    ).set_index("run_id")
    losses = pd.Series([1.0, 2.0, 4.0, 3.0], index=runs.index)
    np.testing.assert_array_equal(best_learning_rates(runs, losses, ["tokens"]), [True, False, False, True])
    np.testing.assert_array_equal(best_learning_rates(runs, losses), [True, False, True, False])
