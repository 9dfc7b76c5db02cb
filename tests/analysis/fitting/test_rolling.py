"""Rolling extrapolation: only larger runs are predicted, from smaller ones."""

from __future__ import annotations

import numpy as np

from harness.analysis.fitting.rolling import CUTS, rolling_cuts, rolling_extrapolation
from harness.datasets import make_surface


def test_it_judges_on_larger_runs_only() -> None:
    runs = make_surface(random_state=6).frame
    table = rolling_extrapolation(runs[["N", "D"]], runs["loss"], law="hoffmann")
    assert (table["reach"] > 1).all() and table["error"].abs().median() < 0.01
    np.testing.assert_allclose(table["error"], table["predicted"] / table["observed"] - 1)
    assert set(table["cut"]) <= set(CUTS)


def test_too_few_sizes_leave_no_rows_but_the_columns() -> None:
    runs = make_surface(random_state=6).frame.iloc[:6]
    table = rolling_extrapolation(runs[["N", "D"]], runs["loss"], law="hoffmann")
    assert table.empty and list(table.columns) == ["cut", "reach", "observed", "predicted", "error"]


def test_each_cut_sees_the_smaller_runs_and_runs_of_one_budget_stay_together() -> None:
    budgets = np.repeat(np.geomspace(1e18, 1e21, 10), 4)
    size = budgets[np.random.default_rng(7).permutation(40)]
    cuts = rolling_cuts(size[:, None])
    assert [cut for cut, _, _ in cuts] == list(CUTS)
    for cut, seen, reach in cuts:
        assert seen.sum() == 4 * round(10 * cut) and size[seen].max() < size[~seen].min()
        np.testing.assert_allclose(reach, size[~seen] / size[seen].max())


def test_cuts_that_do_not_differ_come_once() -> None:
    assert [cut for cut, _, _ in rolling_cuts(np.geomspace(1, 100, 3)[:, None])] == [0.5]
