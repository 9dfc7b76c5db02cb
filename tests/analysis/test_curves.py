"""Which rows count: last step, longest duration, best learning rate, one value a run."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.analysis.curves import make_curves, select_runs
from harness.datasets import make_induction_study
from harness.errors import DataError


@pytest.fixture
def frame() -> pd.DataFrame:
    return make_induction_study(random_state=0).assign(step=500, duration=0, lr=0.01)


def test_the_last_step_counts(frame: pd.DataFrame) -> None:
    early = frame.assign(step=250, value=0.0)
    pd.testing.assert_frame_equal(
        select_runs(pd.concat([early, frame])).reset_index(drop=True), select_runs(frame).reset_index(drop=True)
    )


def test_the_longest_duration_counts(frame: pd.DataFrame) -> None:
    longer = frame.assign(duration=1, run_id=frame["run_id"] + "-long")
    assert set(select_runs(pd.concat([frame, longer]))["duration"]) == {1}


def test_the_learning_rate_with_the_lowest_loss_counts(frame: pd.DataFrame) -> None:
    worse = frame.assign(lr=1.0, run_id=frame["run_id"] + "-lr")
    worse.loc[worse["metric"] == "loss", "value"] += 1
    both = pd.concat([frame, worse])
    assert set(select_runs(both)["lr"]) == {0.01} and len(select_runs(both)) == len(frame)
    with pytest.raises(DataError, match="differ in lr"):
        select_runs(both[both["metric"] == "accuracy"])


def test_sizes_of_one_rung_number_choose_for_themselves(frame: pd.DataFrame) -> None:
    """As when a ladder is written out anew, in a study that was refined."""
    other = frame.assign(width=20, lr=1.0, run_id=frame["run_id"] + "-wide")
    worse = other.assign(lr=2.0, run_id=frame["run_id"] + "-lr")
    worse.loc[worse["metric"] == "loss", "value"] += 1
    chosen = select_runs(pd.concat([frame.assign(width=10), other, worse]))
    assert set(zip(chosen["width"], chosen["lr"], strict=True)) == {(10, 0.01), (20, 1.0)}


def test_curves_carry_what_the_table_says(frame: pd.DataFrame) -> None:
    accuracy, loss = make_curves(select_runs(frame), "params_total")
    assert accuracy.discontinuous and accuracy.paired_metric == "loss" and accuracy.chance == 1 / 32
    assert not loss.discontinuous and not loss.higher_is_better and loss.paired_metric == ""
    assert accuracy.runs.counts.tolist() == [3] * 8


def test_failed_runs_leave_rungs_of_unequal_size(frame: pd.DataFrame) -> None:
    kept = frame[~frame["run_id"].isin(["induction-2-0", "induction-7-1", "induction-7-2"])]
    accuracy, _ = make_curves(select_runs(kept), "params_total")
    assert accuracy.runs.counts.tolist() == [3, 3, 2, 3, 3, 3, 3, 1]
