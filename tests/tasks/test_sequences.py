from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import SettingError
from harness.tasks.sequences.arithmetic import EQUALS, PLUS, Addition, ModularAddition
from harness.tasks.sequences.hops import Hops
from harness.tasks.sequences.rearrangement import Copy, Reverse, Sort
from harness.tasks.sequences.recall import AssociativeRecall, Induction, Lookup


def answers(batch, row):
    return batch.targets[row][batch.scored[row]].tolist()


def prompt(batch, row):
    """What has been read when the first answer token is to be said."""
    return batch.inputs[row, : np.flatnonzero(batch.scored[row])[0] + 1].tolist()


def expected_rearrangement(task, said):
    *symbols, separator = said
    assert separator == task.n_symbols
    assert len(symbols) == task.length
    assert max(symbols) < task.n_symbols
    return {"copy": symbols, "reverse": list(reversed(symbols)), "sort": sorted(symbols)}[task.name]


def expected_modular(task, said):
    a, b, equals = said
    assert equals == task.modulus
    return [(a + b) % task.modulus]


def expected_addition(task, said):
    left, right = said[: task.n_digits], said[task.n_digits + 1 : -1]
    assert (said[task.n_digits], said[-1]) == (PLUS, EQUALS)
    total = int("".join(map(str, left))) + int("".join(map(str, right)))
    digits = [int(digit) for digit in str(total).rjust(task.n_digits + 1, "0")]
    return digits[::-1] if task.reversed_digits else digits


PROMPT_ANSWER = [
    (Copy(), expected_rearrangement),
    (Copy(length=2, n_symbols=50), expected_rearrangement),
    (Reverse(), expected_rearrangement),
    (Reverse(length=3, n_symbols=9), expected_rearrangement),
    (Sort(), expected_rearrangement),
    (Sort(length=5, n_symbols=3), expected_rearrangement),
    (ModularAddition(), expected_modular),
    (ModularAddition(modulus=7), expected_modular),
    (Addition(), expected_addition),
    (Addition(reversed_digits=True), expected_addition),
    (Addition(n_digits=1), expected_addition),
    (Addition(n_digits=18), expected_addition),
]


@pytest.mark.parametrize(("task", "expected"), PROMPT_ANSWER, ids=lambda x: repr(x) if hasattr(x, "name") else "")
def test_answers_after_a_prompt(task, expected):
    for batch in (task.train_batch(np.random.default_rng(0), 100), task.eval_batch()):
        for row in range(min(100, len(batch.inputs))):
            right = expected(task, prompt(batch, row))
            assert answers(batch, row) == right
            # The answer so far is what the model goes on reading: next-token prediction.
            assert batch.inputs[row].tolist() == prompt(batch, row) + right[:-1]
            assert batch.targets[row, :-1].tolist() == batch.inputs[row, 1:].tolist()
            assert len(right) == task.answer_length


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


@pytest.mark.parametrize(
    "task", [Hops(), Hops(n_symbols=5, max_hops=4, n_starts=5), Hops(n_symbols=3, max_hops=1, n_starts=2)]
)
def test_hops(task):
    batch = task.train_batch(np.random.default_rng(0), 200)
    for row in range(200):
        first, *said = batch.inputs[row].tolist()
        hops, pointer, starts = first - task.n_symbols + 1, said[: task.n_symbols], said[task.n_symbols :]
        assert len(set(starts)) == task.n_starts
        assert task.subtasks[batch.subtask[row]].startswith(str(hops))
        ends = starts
        for _ in range(hops):
            ends = [pointer[symbol] for symbol in ends]
        assert answers(batch, row) == ends
        visited = [0]
        while pointer[visited[-1]] != 0:
            visited.append(pointer[visited[-1]])
        assert len(visited) == task.n_symbols, "one cycle through all symbols"


def test_training_sees_every_pair_of_lookup():
    task, seen = Lookup(n_symbols=10), set()
    batch = task.train_batch(np.random.default_rng(0), 1000)
    for said in batch.inputs.tolist():
        seen |= set(itertools.pairwise(said))
    assert len(seen) == 100


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


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([Copy, Reverse, Sort]), st.integers(1, 30), st.integers(2, 60), st.sampled_from([0.05, 0.5, 0.95])
)
def test_any_settings_give_batches_or_are_refused(kind, length, n_symbols, train_fraction):
    try:
        task = kind(length=length, n_symbols=n_symbols, train_fraction=train_fraction, n_eval=20)
    except SettingError as error:
        assert "task.train_fraction" in str(error)
        assert n_symbols**length < 1000, "a large space has both sides"
        return
    batch = task.train_batch(np.random.default_rng(0), 7)
    assert batch.inputs.shape == (7, 2 * length)
    assert 0 < len(task.eval_batch().inputs) <= 20


@pytest.mark.parametrize(
    ("kind", "values", "setting"),
    [
        (Copy, {"length": 0}, "task.length=0"),
        (Sort, {"n_symbols": 1}, "task.n_symbols=1"),
        (Copy, {"train_fraction": 1.0}, "task.train_fraction=1.0: allowed is a number from 0.05 to 0.95"),
        (Copy, {"n_eval": 0}, "task.n_eval=0"),
        (Copy, {"eval_seed": -1}, "task.eval_seed=-1"),
        (Induction, {"max_period": 33}, "task.max_period=33: allowed is a whole number from 2 to 32"),
        (Induction, {"min_period": 17}, "task.min_period=17"),
        (Induction, {"n_answers_scored": 25}, "task.n_answers_scored=25: allowed is a whole number from 1 to 24"),
        (AssociativeRecall, {"n_pairs": 17}, "task.n_pairs=17"),
        (AssociativeRecall, {"n_queries": 9}, "task.n_queries=9"),
        (Lookup, {"n_answers_scored": 0}, "task.n_answers_scored=0"),
        (Hops, {"max_hops": 11}, "task.max_hops=11: allowed is a whole number from 1 to 9"),
        (Hops, {"n_symbols": 7}, "task.n_starts=8: allowed is a whole number from 1 to 7"),
        (ModularAddition, {"modulus": 4}, "task.modulus=4"),
        (Addition, {"n_digits": 19}, "task.n_digits=19: allowed is a whole number from 1 to 18"),
    ],
)
def test_settings_out_of_range(kind, values, setting):
    with pytest.raises(SettingError, match=setting):
        kind(**values)
