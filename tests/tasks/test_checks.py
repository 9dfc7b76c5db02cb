from __future__ import annotations

import math

import pytest

from harness.errors import SettingError
from harness.tasks.checks import check_range


@pytest.mark.parametrize("value", [1, 3, 5, 1.0, 4.999])
def test_both_ends_are_allowed(value: float) -> None:
    check_range("task.k", value, 1, 5)


@pytest.mark.parametrize(
    ("value", "high", "message"),
    [
        (0, 5, "task.k=0: allowed is a whole number from 1 to 5"),
        (6, 5, "task.k=6: allowed is a whole number from 1 to 5"),
        (0.5, 5, "task.k=0.5: allowed is a number from 1 to 5"),
        (0, math.inf, "task.k=0: allowed is a whole number of at least 1"),
        (math.nan, 5, "task.k=nan: allowed is a number from 1 to 5"),
    ],
)
def test_what_is_out_of_range_is_named(value: float, high: float, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        check_range("task.k", value, 1, high)
    assert str(caught.value) == message
