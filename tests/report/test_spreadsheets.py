"""What people open in a spreadsheet runs nothing there."""

from __future__ import annotations

import csv

import pandas as pd

from harness.report.spreadsheets import for_people


def test_text_that_would_be_a_formula_is_quoted_and_numbers_are_not() -> None:
    names = ["=1+1", "+1", "-x", "@SUM(A1)", "\tx", "\rx", "main", "a=b", ""]
    table = pd.DataFrame({"study": names, "beta": [-0.1 - i / 3 for i in range(len(names))]})
    table["mixed"] = [-1.5, *names[1:]]
    rows = list(csv.DictReader(for_people(table).decode().splitlines(keepends=True)))
    assert [row["study"] for row in rows] == [f"'{name}" for name in names[:5]] + ["' x"] + ["main", "a=b", ""]
    assert [float(row["beta"]) for row in rows] == list(table["beta"])
    assert rows[0]["mixed"] == "-1.5"
