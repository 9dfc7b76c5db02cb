"""Symbols repeated, reversed and sorted."""

from __future__ import annotations

import numpy as np
import pytest
from answered import check_answers
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import SettingError
from harness.tasks.sequences.rearrangement import Copy, Reverse, Sort


def expected_rearrangement(task, said):
    *symbols, separator = said
    assert separator == task.n_symbols
    assert len(symbols) == task.length
    assert max(symbols) < task.n_symbols
    return {"copy": symbols, "reverse": list(reversed(symbols)), "sort": sorted(symbols)}[task.name]


@pytest.mark.parametrize(
    "task",
    [
        Copy(),
        Copy(length=2, n_symbols=50),
        Reverse(),
        Reverse(length=3, n_symbols=9),
        Sort(),
        Sort(length=5, n_symbols=3),
    ],
    ids=repr,
)
def test_answers(task):
    check_answers(task, expected_rearrangement)


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
    ],
)
def test_settings_out_of_range(kind, values, setting):
    with pytest.raises(SettingError, match=setting):
        kind(**values)
