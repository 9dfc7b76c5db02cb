"""The split of examples into training and evaluation, on a small task of each kind."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import SettingError
from harness.tasks.sequences.arithmetic import Addition, ModularAddition
from harness.tasks.sequences.hops import Hops
from harness.tasks.sequences.rearrangement import Copy, Sort
from harness.tasks.sequences.recall import AssociativeRecall, Induction, Lookup

SMALL = [
    Copy(length=2, n_symbols=20),
    Sort(length=2, n_symbols=20),
    ModularAddition(modulus=20),
    Addition(n_digits=1),
    Induction(n_symbols=5, min_period=2, max_period=3, length=6, n_answers_scored=2),
    AssociativeRecall(n_pairs=1, n_queries=1, n_symbols=12),
    Lookup(n_symbols=20, n_answers_scored=1),
    Hops(n_symbols=5, max_hops=2, n_starts=1),
]


@pytest.mark.parametrize("task", SMALL, ids=lambda task: task.name)
def test_nothing_evaluated_is_ever_trained_on(task):
    held_out = task.eval_batch().inputs.tolist()
    evaluated = {tuple(row) for row in held_out}
    assert len(evaluated) == len(held_out) > 0
    assert len(task.eval_batch().inputs) == len(held_out)
    trained = {tuple(row) for row in task.train_batch(np.random.default_rng(0), 20_000).inputs.tolist()}
    assert not trained & evaluated
    # Two seeds train and evaluate on the two sides of the same split.
    other = type(task)(**{**vars(task), "eval_seed": 7})
    assert not trained & {tuple(row) for row in other.eval_batch().inputs.tolist()}


def test_the_split_of_a_table_has_the_size_asked_for_and_no_pattern():
    task = ModularAddition(modulus=97, train_fraction=0.3, n_eval=97**2)
    evaluated = task.eval_batch().inputs[:, :2]
    table = np.zeros((97, 97))
    table[evaluated[:, 0], evaluated[:, 1]] = 1
    # A coin of .7 for each entry: shares of the table, its rows, columns and diagonals within five deviations.
    assert abs(table.mean() - 0.7) < 5 * np.sqrt(0.21) / 97
    diagonals = np.array([[table[i, (s - i) % 97] for i in range(97)] for s in range(97)])
    for sums in (table.mean(axis=0), table.mean(axis=1), diagonals.mean(axis=1)):
        assert (abs(sums - 0.7) < 5 * np.sqrt(0.21 / 97)).all()


def test_n_eval():
    assert len(Copy(n_eval=10).eval_batch().inputs) == 10
    assert len(ModularAddition(modulus=7, n_eval=1000).eval_batch().inputs) < 49


@pytest.mark.parametrize(
    ("kind", "values", "setting"),
    [
        (Copy, {"train_fraction": 1.0}, "task.train_fraction=1.0: allowed is a number from 0.05 to 0.95"),
        (Copy, {"n_eval": 0}, "task.n_eval=0"),
        (Copy, {"eval_seed": -1}, "task.eval_seed=-1"),
    ],
)
def test_settings_out_of_range(kind, values, setting):
    with pytest.raises(SettingError, match=setting):
        kind(**values)
