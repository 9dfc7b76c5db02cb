"""Rows of planted curves are what `find_jumps` says of the same table."""

from __future__ import annotations

import numpy as np
import pytest
from cells import Cell, rows
from examination import as_curves, examined
from planted_slopes import Slope, plant, straight

from harness import find_jumps
from harness.analysis.curves import label_runs, make_curves
from harness.analysis.emergence.evidence import examine
from harness.datasets import draw_curves, make_jumps

T = np.arange(8.0)


def test_curves_are_those_of_the_table() -> None:
    planted = draw_curves("jump", 3, 8, 3, 0.02, np.random.default_rng(0))
    of_table = list(make_curves(label_runs(planted.frame), "params"))
    for own, other in zip(as_curves(planted, T), of_table, strict=True):
        assert np.array_equal(own.runs.sizes, other.runs.sizes) and np.array_equal(own.seed, other.seed)
        assert np.allclose(own.runs.means(own.runs.value), other.runs.means(other.runs.value))
        assert np.allclose(own.evaluation, other.evaluation)
        assert (own.study, own.task, own.discontinuous) == (other.study, other.task, other.discontinuous)


def test_a_row_says_what_find_jumps_says_of_the_curve_alone() -> None:
    planted = plant(Slope(straight, T), 1, np.random.default_rng(1), 6)
    table = examined([planted], as_curves(planted, T))
    alone = [find_jumps(curve, x="params").iloc[0] for _, curve in planted.frame.groupby("study", sort=False)]
    for row, found in zip(table.to_dict("records"), alone, strict=True):
        assert row["p"] == pytest.approx(found["p_value"]) and row["statistic"] == pytest.approx(found["statistic"])
        assert row["state"] == found["state"]
        if row["state"] == "jump":
            assert np.exp2(row["low"]) == pytest.approx(found["threshold_low"])
            assert np.exp2(row["high"]) == pytest.approx(found["threshold_high"])
    assert (table["state"] == "jump").any()
    assert np.array_equal(table["place"], planted.midpoint) and np.array_equal(table["height"], planted.height)


def test_curves_of_equal_values_are_flat() -> None:
    planted = draw_curves("flat at chance", 4, 8, 3, 0.0, np.random.default_rng(2))
    level = planted.values * 0
    table = examined([planted], as_curves(type(planted)(**vars(planted) | {"values": level}), T))
    assert (table["p"] == 1).all() and (table["state"] == "flat").all() and table["low"].isna().all()


def test_one_run_a_size_is_pooled_over_the_tasks_of_a_study() -> None:
    planted = make_jumps(8, n_sizes=8, n_seeds=1, noise=0.04, random_state=0)
    studies = [finding.curve.study for finding in examine(as_curves(planted, T, 4)) if finding]
    assert studies == ["0"] * 4 + ["1"] * 4
    found = [finding.noise.pooled for finding in examine(as_curves(planted, T, 4)) if finding]
    assert min(found) > 0 and len(rows(Cell(8, 1, "jump", 0.04), 5, 0)) == 20
