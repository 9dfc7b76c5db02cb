"""Answers found by searching the sequence, or the task's table."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from answered import answers

from harness.errors import SettingError
from harness.tasks.sequences.recall import AssociativeRecall, Induction, Lookup


@pytest.mark.parametrize("task", [Induction(), Induction(n_symbols=9, min_period=2, max_period=9, length=33)])
def test_induction(task):
    batch = task.train_batch(np.random.default_rng(0), 300)
    periods = set()
    for row in range(300):
        said = batch.inputs[row].tolist()
        for position in np.flatnonzero(batch.scored[row]):
            before = [i for i in range(position) if said[i] == said[position]]
            assert said[before[-1] + 1] == batch.targets[row, position]
        assert batch.targets[row, :-1].tolist() == said[1:]
        period = said.index(said[0], 1)
        assert len(set(said[:period])) == period
        periods.add(period)
    # 300 draws of at most 9 periods miss one with probability below 9 (8/9)^300 = 4e-15.
    assert periods == set(range(task.min_period, task.max_period + 1))
    assert batch.scored.sum(axis=1).tolist() == [24] * 300
    assert batch.scored[:, -24:].all()


@pytest.mark.parametrize("task", [AssociativeRecall(), AssociativeRecall(n_pairs=3, n_queries=3, n_symbols=5)])
def test_associative_recall(task):
    batch = task.train_batch(np.random.default_rng(0), 200)
    for row in range(200):
        said = batch.inputs[row].tolist()
        pairs = dict(zip(said[0 : 2 * task.n_pairs : 2], said[1 : 2 * task.n_pairs : 2], strict=True))
        assert len(pairs) == task.n_pairs
        assert min(pairs) >= task.n_symbols > max(pairs.values())
        asked = [said[position] for position in np.flatnonzero(batch.scored[row])]
        assert len(set(asked)) == len(asked) == task.n_queries
        assert answers(batch, row) == [pairs[key] for key in asked]
        assert batch.targets[row, :-1].tolist() == said[1:]


@pytest.mark.parametrize("task", [Lookup(), Lookup(n_symbols=5, n_answers_scored=3, task_seed=4)])
def test_lookup(task):
    batch = task.train_batch(np.random.default_rng(0), 200)
    for row in range(200):
        said = batch.inputs[row].tolist()
        assert answers(batch, row) == [task.table[a, b] for a, b in itertools.pairwise(said)]
    assert not batch.scored[:, 0].any()
    assert not np.array_equal(task.table, Lookup(n_symbols=task.n_symbols, task_seed=9).table)


def test_training_sees_every_pair_of_lookup():
    task, seen = Lookup(n_symbols=10), set()
    batch = task.train_batch(np.random.default_rng(0), 1000)
    for said in batch.inputs.tolist():
        seen |= set(itertools.pairwise(said))
    assert len(seen) == 100


@pytest.mark.parametrize(
    ("kind", "values", "setting"),
    [
        (Induction, {"max_period": 33}, "task.max_period=33: allowed is a whole number from 2 to 32"),
        (Induction, {"min_period": 17}, "task.min_period=17"),
        (Induction, {"n_answers_scored": 25}, "task.n_answers_scored=25: allowed is a whole number from 1 to 24"),
        (AssociativeRecall, {"n_pairs": 17}, "task.n_pairs=17"),
        (AssociativeRecall, {"n_queries": 9}, "task.n_queries=9"),
        (Lookup, {"n_answers_scored": 0}, "task.n_answers_scored=0"),
    ],
)
def test_settings_out_of_range(kind, values, setting):
    with pytest.raises(SettingError, match=setting):
        kind(**values)
