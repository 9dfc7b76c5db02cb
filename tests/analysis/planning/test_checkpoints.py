"""Checkpoints of training runs found by what their residuals have in common; separate runs left alone."""

from __future__ import annotations

import numpy as np

from harness.analysis.planning.checkpoints import find_checkpoints


def grid(runs: int = 12, values: int = 8) -> np.ndarray:
    return np.stack([np.repeat(np.arange(1.0, runs + 1), values), np.tile(np.arange(1.0, values + 1), runs)], axis=1)


def test_an_offset_of_each_run_is_found_whatever_the_order() -> None:
    found = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        places = grid()
        residual = np.repeat(rng.standard_normal(12), 8) + rng.standard_normal(96)
        order = rng.permutation(96)
        checkpoints = find_checkpoints(places[order], residual[order])
        if checkpoints is not None:
            assert (checkpoints.labels == places[order][:, 0] - 1).all()
            found += 1
    assert found >= 38  # correlation .5 of 84 neighbours, 4.6 standard errors on average: 43


def test_independent_rows_are_separate_runs() -> None:
    rng = np.random.default_rng(0)
    found = [find_checkpoints(grid(), rng.standard_t(3, 96)) is not None for _ in range(1000)]
    assert sum(found) <= 5


def test_few_values_of_d_look_like_no_checkpoints() -> None:
    rng = np.random.default_rng(1)
    assert find_checkpoints(grid(12, 4), np.repeat(rng.standard_normal(12), 4)) is None
    assert find_checkpoints(grid(1, 40), rng.standard_normal(40)) is None
    assert find_checkpoints(grid(), np.zeros(96)) is None
