"""What is asked in a sequence and what is answered, read off a batch."""

from __future__ import annotations

import numpy as np


def answers(batch, row):
    return batch.targets[row][batch.scored[row]].tolist()


def prompt(batch, row):
    """The tokens before the first answer token."""
    return batch.inputs[row, : np.flatnonzero(batch.scored[row])[0] + 1].tolist()


def check_answers(task, expected):
    """Answers are those that `expected(task, prompt)` gives, and each is predicted from the prompt and those before."""
    for batch in (task.train_batch(np.random.default_rng(0), 100), task.eval_batch()):
        for row in range(min(100, len(batch.inputs))):
            right = expected(task, prompt(batch, row))
            assert answers(batch, row) == right
            assert batch.inputs[row].tolist() == prompt(batch, row) + right[:-1]
            assert batch.targets[row, :-1].tolist() == batch.inputs[row, 1:].tolist()
            assert len(right) == task.answer_length
