from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import SettingError
from harness.tasks.parity import Parity


def assert_right(task, batch):
    """One example at a time, from the control bits and the subsets alone."""
    for inputs, target, subtask in zip(batch.inputs, batch.targets, batch.subtask, strict=True):
        control, bits = inputs[: task.n_subtasks], inputs[task.n_subtasks :]
        assert list(np.flatnonzero(control)) == [subtask]
        assert control[subtask] == 1
        assert set(bits) <= {0.0, 1.0}
        parity = 0
        for position in task.subsets[subtask]:
            parity ^= int(bits[position])
        assert target[0] == parity


def test_answers():
    task = Parity()
    assert_right(task, task.train_batch(np.random.default_rng(0), 500))
    assert_right(task, task.eval_batch())


@pytest.mark.parametrize("n_bits", [7, 32])
def test_batches_are_those_that_integers_of_the_generator_make(n_bits):
    task, rng = Parity(n_bits=n_bits, n_subtasks=4), np.random.default_rng([0, 1])
    for batch in itertools.islice(task.train_batches(np.random.default_rng([0, 1]), 5), 4):
        uniform, bits = rng.random(5), rng.integers(2, size=(5, n_bits), dtype=np.uint8)
        np.testing.assert_array_equal(batch.subtask, task.subtask_weight().cumsum().searchsorted(uniform, "right"))
        np.testing.assert_array_equal(batch.inputs[:, 4:], bits)
        assert_right(task, batch)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(1, 4), st.integers(1, 40), st.integers(0, 5), st.floats(0, 3))
def test_any_settings_are_right_or_refused(n_bits, k, n_subtasks, task_seed, zipf):
    values = {"n_bits": n_bits, "k": k, "n_subtasks": n_subtasks, "task_seed": task_seed, "zipf": zipf}
    if k > n_bits or n_subtasks > math.comb(n_bits, k):
        with pytest.raises(SettingError):
            Parity(**values)
        return
    task = Parity(**values)
    assert task.subsets.shape == (n_subtasks, k)
    assert len({tuple(subset) for subset in task.subsets}) == n_subtasks
    assert all(len(set(subset)) == k for subset in task.subsets)
    assert_right(task, task.train_batch(np.random.default_rng(1), 20))


def test_subtasks_come_with_their_zipf_frequencies():
    task, n = Parity(), 200_000
    subtask = task.train_batch(np.random.default_rng(0), n).subtask
    expected = np.array([i**-1.6 for i in range(1, 33)])
    expected /= expected.sum()
    np.testing.assert_allclose(task.subtask_weight(), expected)
    # Binomial counts: five standard deviations each.
    shares = np.bincount(subtask, minlength=32) / n
    assert (abs(shares - expected) < 5 * np.sqrt(expected * (1 - expected) / n)).all()


def test_bits_and_answers_are_balanced():
    batch = Parity().train_batch(np.random.default_rng(0), 100_000)
    # Standard deviation of a share of 100,000 is .0016.
    assert abs(batch.targets.mean() - 0.5) < 0.01
    assert (abs(batch.inputs[:, 32:].mean(axis=0) - 0.5) < 0.01).all()


def test_evaluation_has_equally_many_of_each_subtask():
    task = Parity(n_eval_per_subtask=7)
    assert list(np.bincount(task.eval_batch().subtask)) == [7] * 32
    assert list(task.subtasks[:2]) == ["subtask 01", "subtask 02"]
    assert Parity(n_subtasks=5).subtasks[0] == "subtask 1"


def test_task_seed_draws_the_subsets():
    assert not np.array_equal(Parity().subsets, Parity(task_seed=1).subsets)


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        ({"k": 0}, "task.k=0"),
        ({"k": 17}, "task.k=17"),
        ({"n_bits": 0}, "task.n_bits=0"),
        ({"n_subtasks": 561}, "task.n_subtasks=561: allowed is a whole number from 1 to 560"),
        ({"zipf": float("nan")}, "task.zipf=nan"),
        ({"zipf": -1.0}, "task.zipf=-1.0"),
        ({"task_seed": -1}, "task.task_seed=-1: allowed is a whole number of at least 0"),
        ({"n_eval_per_subtask": 0}, "task.n_eval_per_subtask=0"),
    ],
)
def test_settings_out_of_range(values, setting):
    with pytest.raises(SettingError, match=setting):
        Parity(**values)
