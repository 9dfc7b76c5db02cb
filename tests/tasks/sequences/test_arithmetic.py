"""Sums, worked out from the prompt with Python's integers."""

from __future__ import annotations

import pytest
from answered import check_answers

from harness.errors import SettingError
from harness.tasks.sequences.arithmetic import EQUALS, PLUS, Addition, ModularAddition


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


@pytest.mark.parametrize("task", [ModularAddition(), ModularAddition(modulus=7)], ids=repr)
def test_modular_addition(task):
    check_answers(task, expected_modular)


@pytest.mark.parametrize(
    "task", [Addition(), Addition(reversed_digits=True), Addition(n_digits=1), Addition(n_digits=18)], ids=repr
)
def test_addition(task):
    check_answers(task, expected_addition)


@pytest.mark.parametrize(
    ("kind", "values", "setting"),
    [
        (ModularAddition, {"modulus": 4}, "task.modulus=4"),
        (Addition, {"n_digits": 19}, "task.n_digits=19: allowed is a whole number from 1 to 18"),
    ],
)
def test_settings_out_of_range(kind, values, setting):
    with pytest.raises(SettingError, match=setting):
        kind(**values)
