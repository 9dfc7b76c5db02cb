"""A second table joined to a first."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.errors import DataError
from harness.records.second_table import join


def numbered(columns: dict[str, list]) -> pd.DataFrame:
    frame = pd.DataFrame(columns)
    return frame.set_axis(pd.RangeIndex(1, len(frame) + 1), axis="index")


SCORES = numbered({"model": ["a", "b", "a", "c"], "score": [0.1, 0.2, 0.3, 0.4]})
SIZES = numbered({"model": ["b", "a"], "params": [20.0, 10.0], "family": ["x", "y"]})


def test_rows_get_the_columns_of_their_partner_and_keep_their_numbers() -> None:
    found = join(SCORES, SIZES, "sizes.csv")
    assert found.frame["params"].to_dict() == {1: 10.0, 2: 20.0, 3: 10.0}
    assert found.frame["score"].tolist() == [0.1, 0.2, 0.3] and found.key == ("model",)
    assert found.alone.tolist() == [False, False, False, True]
    assert found.why == ("model c has no row in sizes.csv",) and found.unused == 0


def test_a_name_of_numbers_matches_text_and_other_kinds_of_numbers() -> None:
    scores, sizes = numbered({"run": [7, 8]}), numbered({"run": ["7", "8 "], "n": [1.0, 2.0]})
    assert join(scores, sizes, "s").frame["n"].tolist() == [1.0, 2.0]
    assert join(scores.astype(float), numbered({"run": [8, 7], "n": [1, 2]}), "s").frame["n"].tolist() == [2, 1]


def test_what_tells_partners_apart_is_the_key() -> None:
    """The names where they do, else all columns in common."""
    scores = numbered({"model": ["a", "a"], "step": [1, 2], "score": [0.1, 0.2]})
    by_both = join(scores, numbered({"model": ["a", "a"], "step": [2, 1], "tokens": [20, 10]}), "s")
    assert by_both.key == ("model", "step") and by_both.frame["tokens"].tolist() == [10, 20]
    by_name = join(scores, numbered({"model": ["a", "b"], "step": [np.nan, 1], "tokens": [20, 10]}), "s")
    assert by_name.key == ("model",) and by_name.unused == 1


def test_a_column_of_both_must_agree_and_is_filled() -> None:
    scores = numbered({"model": ["a", "b"], "params": [10.0, np.nan], "family": ["y", None]})
    assert join(scores, SIZES, "s").frame["params"].tolist() == [10.0, 20.0]
    with pytest.raises(DataError, match=r"column params, row 1: 11\.0, and 10\.0 in s; keep the column in one"):
        join(scores.assign(params=[11.0, 20.0]), SIZES, "s")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"name": ["a"], "params": [1]}, r"s: no column in common.*\(name, params; model, score\)"),
        ({"model": ["a", "b", "a"], "n": [1, 2, 3]}, "s: rows 1 and 3 are both of model a: allowed is one"),
        ({"model": ["A1", "B1"], "n": [1, 2]}, "s: no row in common: model a has no row in s"),
    ],
)
def test_what_cannot_be_joined_is_refused(other: dict[str, list], words: str) -> None:
    with pytest.raises(DataError, match=words):
        join(SCORES, numbered(other), "s")


def test_rows_without_a_name_are_no_partners() -> None:
    """Blank lines of a spreadsheet."""
    scores = numbered({"model": ["a", None], "score": [0.1, 0.2]})
    sizes = numbered({"model": ["a", None, None], "n": [1.0, np.nan, np.nan]})
    found = join(scores, sizes, "s")
    assert found.alone.tolist() == [False, True] and found.unused == 0
