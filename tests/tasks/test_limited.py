"""Training on finitely many examples: nested sets, epochs, and the streams of tasks without a limit."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from tiny import NextSymbol, SignOfSum

from harness.tasks.digits import Digits
from harness.tasks.text import Text

TASKS = [SignOfSum(), NextSymbol(), Digits(), Text(max_bytes=200_000, context=16)]


def by_name(task):
    return task.name


def batches(task, n, examples=None, batch_size=4, seed=0):
    return list(islice(task.train_batches(np.random.default_rng(seed), batch_size, examples), n))


@pytest.mark.parametrize("task", TASKS, ids=by_name)
def test_without_a_limit_batches_are_those_of_train_batch(task):
    rng = np.random.default_rng(0)
    for batch in batches(task, 3):
        once = task.train_batch(rng, 4)
        np.testing.assert_array_equal(batch.inputs, once.inputs)
        np.testing.assert_array_equal(batch.targets, once.targets)


@pytest.mark.parametrize("task", TASKS, ids=by_name)
def test_a_smaller_set_is_the_start_of_a_larger_one(task):
    n = min(2000, task.n_train or 2000)
    small, large = task.first_examples(n - 7), task.first_examples(n)
    assert len(small.inputs) == n - 7 and len(large.inputs) == n
    for smaller, larger in zip(small._arrays, large._arrays, strict=True):
        np.testing.assert_array_equal(smaller, larger[: n - 7])


@pytest.mark.parametrize("task", TASKS, ids=by_name)
def test_an_epoch_has_every_example_once_in_an_order_of_its_own(task):
    wanted = sorted(map(bytes, task.first_examples(10).inputs))
    drawn = np.concatenate([batch.inputs for batch in batches(task, 5, examples=10)])
    first, second = drawn[:10], drawn[10:]
    assert sorted(map(bytes, first)) == sorted(map(bytes, second)) == wanted
    assert not np.array_equal(first, second)
    another = np.concatenate([batch.inputs for batch in batches(task, 5, examples=10, seed=1)])
    assert sorted(map(bytes, another[:10])) == wanted and not np.array_equal(another, drawn)


def test_generated_blocks_differ_from_each_other_and_from_a_runs_own_stream():
    task = SignOfSum()
    found = task.first_examples(2048).inputs
    own = task.train_batch(np.random.default_rng([0, 1]), 64).inputs
    assert len(np.unique(np.concatenate([found, own]), axis=0)) == 2048 + 64


def test_training_windows_of_text_that_go_by_epochs_do_not_overlap():
    task = TASKS[-1]
    assert task.n_train == (len(task.corpus[0]) - 1) // 16
    windows = task.first_examples(task.n_train).inputs
    assert np.bincount(windows.ravel(), minlength=256).sum() == 16 * task.n_train
    whole = task.corpus[0][: 16 * task.n_train]
    np.testing.assert_array_equal(np.bincount(windows.ravel(), minlength=256), np.bincount(whole, minlength=256))
