"""From a frame to curves: every row of it, one value a run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness import compare_thresholds, exponents, find_jumps, known_scores, thresholds
from harness.analysis.curves import label_runs, make_curves, with_defaults
from harness.analysis.emergence.refinement import Candidate, propose
from harness.datasets import make_induction_study
from harness.errors import DataError


@pytest.fixture
def frame() -> pd.DataFrame:
    return make_induction_study(random_state=0)


N_SIZES, N_SEEDS = 8, 3


@pytest.fixture
def own() -> pd.DataFrame:
    """A user's table of 24 runs and two metrics, with columns that mean other things than in our records."""
    frame = make_induction_study(random_state=0)
    seconds = np.linspace(1.0, 90.0, len(frame))
    return frame.assign(
        duration=seconds, lr=0.01 / (1 + frame["rung"] + frame["seed"]), rung=0, step=np.arange(len(frame))
    )


def test_every_row_of_a_users_table_counts(own: pd.DataFrame) -> None:
    labelled = label_runs(own)
    pd.testing.assert_frame_equal(labelled[own.columns], own)
    for curve in make_curves(labelled, "params_total"):
        assert curve.runs.counts.tolist() == [N_SEEDS] * N_SIZES


def test_no_function_drops_rows_for_the_name_of_a_column(own: pd.DataFrame) -> None:
    """Against the same table without those columns, of which each function takes every row."""
    x = "params_non_embedding"
    plain = own.drop(columns=["duration", "lr", "rung", "step"])
    (jump,) = find_jumps(own, x).to_dict("records")
    assert jump["n_runs"] == N_SIZES * N_SEEDS and jump["n_rungs"] == N_SIZES and jump["verdict"] == "emergent"
    (law,) = exponents(own, (x,)).to_dict("records")
    assert law["n_runs"] == N_SIZES * N_SEEDS and law["n_sizes"] == N_SIZES
    pd.testing.assert_frame_equal(find_jumps(own, x), find_jumps(plain, x))
    pd.testing.assert_frame_equal(exponents(own, (x,)), exponents(plain, (x,)))
    pd.testing.assert_frame_equal(thresholds(own, x), thresholds(plain, x))
    pd.testing.assert_frame_equal(compare_thresholds(own, x).table, compare_thresholds(plain, x).table)
    pd.testing.assert_frame_equal(known_scores(own, x, breaks=False), known_scores(plain, x, breaks=False))
    intervals = thresholds(plain, x)
    candidates = [Candidate(x=size, flops=1.0, seeds=4) for size in (3600.0, 5000.0, 7000.0)]
    found, wanted = (propose(each, x, intervals, candidates, 1.05, 100.0) for each in (own, plain))
    assert found == wanted and wanted


@pytest.mark.parametrize("column", ["study", "task", "subtask", "metric"])
def test_an_empty_label_is_named_where_it_would_lose_its_row(own: pd.DataFrame, column: str) -> None:
    own.loc[7, column] = None
    with pytest.raises(DataError, match=f"column {column}, row 7: empty"):
        find_jumps(own, "params_total")


def test_curves_carry_what_the_table_says(frame: pd.DataFrame) -> None:
    accuracy, loss = make_curves(label_runs(frame), "params_total")
    assert accuracy.discontinuous and accuracy.paired_metric == "loss" and accuracy.chance == 1 / 32
    assert not loss.discontinuous and not loss.higher_is_better and loss.paired_metric == ""
    assert accuracy.runs.counts.tolist() == [3] * 8


def test_failed_runs_leave_rungs_of_unequal_size(frame: pd.DataFrame) -> None:
    kept = frame[~frame["run_id"].isin(["induction-2-0", "induction-7-1", "induction-7-2"])]
    accuracy, _ = make_curves(label_runs(kept), "params_total")
    assert accuracy.runs.counts.tolist() == [3, 3, 2, 3, 3, 3, 3, 1]


@pytest.mark.parametrize("column", ["higher_is_better", "discontinuous"])
def test_a_metric_means_one_thing(frame: pd.DataFrame, column: str) -> None:
    accuracy = frame[frame["metric"] == "accuracy"].copy()
    accuracy[column] = [True] * (len(accuracy) - 1) + [False]
    with pytest.raises(DataError, match=f"column {column}, row .*False: other rows of metric accuracy have True"):
        list(make_curves(label_runs(accuracy), "params_total"))


def test_chance_is_a_finite_number(frame: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="column chance"):
        list(make_curves(label_runs(frame.assign(chance=np.inf)), "params_total"))


# --------------------------------------------------------------------------------------------- noise of the test items


def test_items_of_a_share_follow_from_its_standard_error() -> None:
    """n = p (1 - p) / se^2 + 1; a share of 0 or 1 has an error of 0 and the items of the others."""
    share = np.random.default_rng(0).binomial(500, [0.0, 0.3, 0.5, 1.0]) / 500
    error = np.sqrt(share * (1 - share) / 499)
    table = pd.DataFrame({"params": [1.0, 2.0, 4.0, 8.0], "metric": "accuracy", "value": share, "stderr": error})
    assert with_defaults(table)["n_eval"].tolist() == pytest.approx([500.0] * 4)
    (by_error,), (by_items,) = (
        make_curves(label_runs(each), "params") for each in (table, table.assign(n_eval=500).drop(columns="stderr"))
    )
    assert by_error.evaluation == pytest.approx(by_items.evaluation) and (by_error.evaluation > 0).all()
    stated = with_defaults(table.assign(n_eval=[7, 7, 7, np.nan]))["n_eval"]
    assert stated.tolist() == pytest.approx([7, 7, 7, 500]), "what is stated stays"


def test_a_score_that_is_no_share_has_the_variance_of_its_standard_error() -> None:
    """Errors of 0.01 at 0.2 and at 0.5 are not those of one number of items."""
    table = pd.DataFrame({"params": [1.0, 2.0], "metric": "f1", "value": [0.2, 0.5], "stderr": [0.01, 0.02]})
    assert with_defaults(table)["n_eval"].isna().all()
    (curve,) = make_curves(label_runs(table), "params")
    assert curve.evaluation == pytest.approx([1e-4, 4e-4])


def test_a_standard_error_below_zero_is_named() -> None:
    table = pd.DataFrame({"params": [1.0, 2.0], "metric": "f1", "value": 0.5, "stderr": [0.1, -0.1]})
    with pytest.raises(DataError, match=r"column stderr, row 1: -0\.1"):
        with_defaults(table)
