"""Answers found by following one pointer after another."""

from __future__ import annotations

import numpy as np
import pytest
from answered import answers

from harness.errors import SettingError
from harness.tasks.sequences.hops import Hops


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


@pytest.mark.parametrize(
    ("kind", "values", "setting"),
    [
        (Hops, {"max_hops": 11}, "task.max_hops=11: allowed is a whole number from 1 to 9"),
        (Hops, {"n_symbols": 7}, "task.n_starts=8: allowed is a whole number from 1 to 7"),
    ],
)
def test_settings_out_of_range(kind, values, setting):
    with pytest.raises(SettingError, match=setting):
        kind(**values)
