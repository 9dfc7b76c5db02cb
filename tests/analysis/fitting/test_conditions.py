"""Two conditions in one table: error rate, what is found, and the column that tells them apart."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.fitting.conditions import find_conditions, told_apart_by
from harness.analysis.runs import Runs, gather_runs


def table(rng: np.random.Generator, factor: float, seeds: int = 1, places: int = 20, noise: float = 0.01) -> Runs:
    """Runs at each place under two conditions, y a factor apart, each with some seeds; those of the upper one last."""
    x = np.tile(np.geomspace(1, 1e3, places), 2 * seeds)
    upper = np.repeat([0, 1], places * seeds)
    return gather_runs(x, -0.3 * np.log(x) + np.log(factor) * upper + noise * rng.standard_normal(len(x)))


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_runs_that_differ_by_noise_alone_are_one_condition(seeds: int) -> None:
    rng = np.random.default_rng(0)
    assert sum(find_conditions(table(rng, 1.0, seeds)) is not None for _ in range(300)) <= 2


@pytest.mark.parametrize(("seeds", "factor"), [(1, 1.1), (2, 1.1), (5, 1.1)])
def test_two_conditions_are_found_with_their_factor(seeds: int, factor: float) -> None:
    found = find_conditions(table(np.random.default_rng(1), factor, seeds))
    assert found is not None and found.n_places == 20 and found.p_value < 1e-3
    assert found.factor == pytest.approx(factor, rel=0.015)
    np.testing.assert_array_equal(found.upper, np.repeat([0.0, 1.0], 20 * seeds))


def test_places_without_a_second_run_are_not_judged() -> None:
    rng = np.random.default_rng(2)
    whole = table(rng, 1.2)
    few = gather_runs(whole.sizes[whole.rung][:24], whole.value[:24])
    assert find_conditions(few) is None, "4 places of 20"
    some = gather_runs(whole.sizes[whole.rung][:35], whole.value[:35])
    found = find_conditions(some)
    assert found is not None and found.n_places == 15 and np.isnan(found.upper).sum() == 5


def test_the_column_that_tells_them_apart() -> None:
    found = find_conditions(table(np.random.default_rng(3), 1.1, 2))
    assert found is not None
    corpus, seed = np.repeat(["web", "books"], 40), np.tile(np.repeat([0, 1], 20), 2)
    assert told_apart_by(found, {"seed": seed, "corpus": corpus, "row": np.arange(80)}) == ("corpus", "books", "web")
    assert told_apart_by(found, {"seed": seed}) is None
