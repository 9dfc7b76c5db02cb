"""The table of constants in METHOD.md is that of the code."""

from __future__ import annotations

from method_table import assert_table_is_complete

from harness.analysis import planning


def test_every_constant_is_listed_with_its_value() -> None:
    assert_table_is_complete(planning)
