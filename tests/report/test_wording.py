from __future__ import annotations

import math

import pytest

from harness.report import wording


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (wording.short(801), "801"),
        (wording.short(1601), "1.6k"),
        (wording.short(999.9), "1k"),
        (wording.short(9_990), "10k"),
        (wording.short(2.5e13), "25T"),
        (wording.short(0.25), "0.25"),
        (wording.short(math.inf), "–"),
        (wording.count(4_134), "4,130"),
        (wording.count(12_345_678), "12.3M"),
        (wording.interval(4_134, 3_301, 5_209), "4,130 (3,300 to 5,210)"),
        (wording.interval(math.nan, 1, 2), "–"),
        (wording.interval(500, 0, math.inf), "500 (0 to ∞)"),
        (wording.plain(0.05), "0.05"),
        (wording.plain(0.0002), "2e-4"),
        (wording.plain(0.0), "0"),
        (wording.estimate(0.5149, 0.4431, 0.59), "0.515 (0.443 to 0.590)"),
        (wording.estimate(0.0, 0.0, 0.5), "0.00 (0.00 to 0.50)"),
        (wording.percent(0.006), "0.6 %"),
        (wording.percent(1.66), "166 %"),
        (wording.p_value(0.0004), "<0.001"),
        (wording.p_value(math.nan), "–"),
        (wording.duration(42), "42 s"),
        (wording.duration(210), "3.5 min"),
        (wording.duration(7_560), "2.1 h"),
        (wording.curve_name({"study": "parity", "subtask": "all"}), "parity"),
        (wording.curve_name({"study": "parity", "subtask": "subtask 02"}), "parity: subtask 02"),
    ],
)
def test_numbers_as_people_write_them(said: str, wanted: str) -> None:
    assert said == wanted
