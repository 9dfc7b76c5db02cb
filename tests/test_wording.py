from __future__ import annotations

import math
import subprocess
import sys

import pytest

from harness import wording


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (wording.short(801), "801"),
        (wording.short(1601), "1.6k"),
        (wording.short(999.9), "1k"),
        (wording.short(9_990), "10k"),
        (wording.short(2.5e13), "25T"),
        (wording.short(999.6e9), "1T"),
        (wording.short(997e9), "997G"),
        (wording.short(124.6e6), "125M"),
        (wording.short(9.96e6), "10M"),
        (wording.short(99.7e6), "100M"),
        (wording.short(-3.16e6), "-3.2M"),
        (wording.short(9.99e14), "1e15"),
        (wording.short(1.36e18), "1.4e18"),
        (wording.short(1.36e24, 3), "1.36e24"),
        (wording.short(996), "996"),
        (wording.short(999.7, 5), "999.7"),
        (wording.count(1.36e24), "1.36e24"),
        (wording.interval(1.36e21, 6.8e20, 2.72e21), "1.36e21 (6.8e20 to 2.72e21)"),
        (wording.short(0.25), "0.25"),
        (wording.short(math.inf), "–"),
        (wording.count(4_134), "4,130"),
        (wording.count(12_345_678), "12.3M"),
        (wording.interval(4_134, 3_301, 5_209), "4,130 (3,300 to 5,210)"),
        (wording.interval(math.nan, math.nan, math.nan), "–"),
        (wording.interval(math.nan, 0, 960), "open below, to 960"),
        (wording.interval(math.nan, 5_000, math.inf), "from 5,000, open above"),
        (wording.interval(math.nan, 0, 0), "below the first size"),
        (wording.ends(math.inf, math.inf), "beyond the last size"),
        (wording.interval(500, 0, math.inf), "500 (open on both sides)"),
        (wording.interval(500, 0, 900), "500 (open below, to 900)"),
        (wording.interval(2.1, 1.4, math.inf, 2, "x"), "2.1x (from 1.4, open above)"),
        (wording.ends(1.0, 2.0), "1 to 2"),
        (wording.ends(0.0, math.inf), "open on both sides"),
        (wording.between(-0.5, 0.25), "-0.5 to 0.25"),
        (wording.between(0.0, math.inf), "0 or more"),
        (wording.between(-math.inf, 0.125), "up to 0.125"),
        (wording.between(-math.inf, math.inf), "anywhere"),
        (wording.plain(0.05), "0.05"),
        (wording.plain(0.0002), "2e-4"),
        (wording.plain(0.0), "0"),
        (wording.estimate(0.5149, 0.4431, 0.59), "0.515 (0.443 to 0.590)"),
        (wording.estimate(0.0, 0.0, 0.5), "0.00 (0.00 to 0.50)"),
        (wording.percent(0.006), "0.6 %"),
        (wording.percent(1.66), "166 %"),
        (wording.p_value(0.0004), "< 0.001"),
        (wording.p_value(0.0124), "0.012"),
        (wording.p_equals(0.0124), "p = 0.012"),
        (wording.p_equals(0.0004), "p < 0.001"),
        (wording.p_equals(1.0), "p = 1.000"),
        (wording.p_value(math.nan), "–"),
        (wording.duration(42), "42 s"),
        (wording.duration(210), "3 min 30 s"),
        (wording.duration(7_560), "2 h 6 min"),
        (wording.duration(math.nan), "?"),
        (wording.duration(math.inf), "?"),
        (wording.confidence(0.95), "95 %"),
        (wording.confidence(0.999), "99.9 %"),
        (wording.confidence(0.57), "57 %"),
        (wording.percent(math.nan), "–"),
        (wording.counted(1, "curve"), "1 curve"),
        (wording.counted(4000, "row"), "4,000 rows"),
    ],
)
def test_numbers_as_people_write_them(said: str, wanted: str) -> None:
    assert said == wanted


def test_wording_loads_nothing() -> None:
    show = "import harness.wording, sys; print({'numpy', 'pandas'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", show], capture_output=True, text=True).stdout == "set()\n"


def test_names_are_sorted_by_the_numbers_in_them() -> None:
    names = ["lr=0.003", "lr=1e-05", "w 16", "w 8, d 10", "w 8, d 9", "none"]
    assert sorted(names, key=wording.by_numbers) == ["lr=1e-05", "lr=0.003", "none", "w 8, d 9", "w 8, d 10", "w 16"]
    assert wording.by_numbers("8") < wording.by_numbers("a8")
