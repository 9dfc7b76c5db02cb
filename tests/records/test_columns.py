from __future__ import annotations

import json
import pickle
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.errors import DataError
from harness.records.columns import (
    FINITE,
    ITEMS,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE,
    Limits,
    any_column,
    label_column,
    number_column,
    numbers,
    require_columns,
    truth_column,
)
from harness.records.table import read_rows

FRAME = pd.DataFrame({"N": [1e6, 2e6, 4e6], "loss": [3.25, np.nan, 2.5], "family": ["gpt", "mlp", "gpt"]})


@pytest.mark.parametrize("cell", ["n/a", "NA", "null", "1,000", "1_000", "1 000", "True", "--"])
def test_text_among_numbers_is_named_by_column_and_row(tmp_path: Path, cell: str) -> None:
    (tmp_path / "a.csv").write_text(f'N,loss\n1,2\n2,\n\n3,"{cell}"\n')
    frame = read_rows(tmp_path / "a.csv")
    with pytest.raises(DataError) as caught:
        number_column(frame, "loss")
    assert str(caught.value) == f"column loss, row 3: '{cell}': a number is wanted"
    with pytest.raises(DataError, match="row 3"):
        number_column(frame[frame["N"] > 1], "loss")


@pytest.mark.parametrize(
    "cell", [True, np.True_, "word\nword", [1, 2], {"a": 1}, np.ones((3, 3)), 10**400, 1j, pd.Timestamp(0)]
)
def test_cells_that_are_no_numbers(cell: object) -> None:
    frame = pd.DataFrame({"N": pd.Series([1, cell], dtype=object, index=["first", "second"])})
    with pytest.raises(DataError, match=r"column N, row second: .*: a number is wanted") as caught:
        number_column(frame, "N")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("dtype", [bool, "boolean", "datetime64[ns]", complex])
def test_columns_that_are_no_numbers(dtype: str) -> None:
    with pytest.raises(DataError, match="column N, row 0: "):
        number_column(pd.DataFrame({"N": pd.Series([1, 0]).astype(dtype)}), "N")


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        (["1e9", " 2 ", "", None], object),
        ([1e9, 2, np.nan, None], object),
        ([Decimal("1e9"), 2, None, pd.NA], object),
        (["1e9", "2", None, None], "category"),
        (["1e9", "2", None, None], "string"),
        ([10**9, 2, None, None], "Int64"),
        ([1e9, 2, None, None], "float32"),
    ],
)
def test_what_spells_a_number_is_one(cells: list, dtype: str) -> None:
    frame = pd.DataFrame({"N": pd.Series(cells, dtype=dtype)})
    found = number_column(frame, "N")
    np.testing.assert_array_equal(found, [1e9, 2, np.nan, np.nan])
    found[0] = 0.0
    assert number_column(frame, "N")[0] == 1e9


def test_columns_missing_or_twice() -> None:
    with pytest.raises(DataError, match="column 'los' is missing; did you mean 'loss'"):
        number_column(FRAME, "los")
    with pytest.raises(DataError, match="column 'N' is there 2 times"):
        number_column(FRAME[["N", "N"]], "N")


def test_booleans_and_text() -> None:
    rows = [{"flag": True, "half": True, "mixed": 1}, {"flag": False, "half": None, "mixed": "a"}]
    frame = pd.DataFrame([json.loads(json.dumps(row)) for row in rows])
    assert any_column(frame, "flag").dtype == bool
    assert any_column(frame, "mixed").tolist() == ["1", "a"]
    with pytest.raises(DataError, match="column half, row 1: empty"):
        any_column(frame, "half")


@pytest.mark.parametrize(
    ("limits", "good", "bad", "allowed"),
    [
        (FINITE, [-1e300, 0, 1e300], [np.inf, -np.inf, np.nan], "finite numbers"),
        (POSITIVE, [5e-324, 1e300], [0.0, -1.0, np.inf, np.nan], "finite numbers above 0"),
        (NOT_NEGATIVE, [0.0, 1e300], [-5e-324, np.inf, np.nan], "finite numbers of 0 or more"),
        (SHARE, [0.0, 1.0], [-1e-9, 1.000001, np.nan], "numbers from 0 to 1"),
        (ITEMS, [1, 1e18], [0.0, 0.5, 1e308, np.inf, np.nan], "numbers of items from 1 to 1e18"),
    ],
)
def test_numbers_within_limits(limits: Limits, good: list[float], bad: list[float], allowed: str) -> None:
    assert number_column(pd.DataFrame({"y": good}), "y", limits, empty=False).tolist() == good
    assert numbers(good, "y", limits).tolist() == good
    for value in bad:
        frame = pd.DataFrame({"y": [*good, value, good[0]]}, index=[*range(10, 10 + len(good)), 33, 44])
        with pytest.raises(DataError) as caught:
            number_column(frame, "y", limits, empty=False)
        assert str(caught.value) == f"column y, row 33: {float(value)}: allowed are {allowed}"
        with pytest.raises(DataError, match=f"column y, row {len(good)}: .*{allowed}"):
            numbers(frame["y"].to_numpy(), "y", limits)
    with pytest.raises(DataError, match=r"allowed are .* \(3 such rows\)"):
        numbers([bad[0]] * 3, "y", limits)


def test_empty_cells_are_allowed_where_asked_for() -> None:
    frame = pd.DataFrame({"n": [3, np.nan, 0.0]})
    assert np.isnan(number_column(frame.iloc[:2], "n", ITEMS)[1])
    with pytest.raises(DataError, match=r"column n, row 2: 0\.0: "):
        number_column(frame, "n", ITEMS)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([[1.0, 2.0]], r"column y, shape \(1, 2\): allowed are finite numbers, one a row"),
        ([[1.0], [1.0, 2.0]], "column y: "),
        ([1.0, "two"], "column y, row 1: 'two': a number is wanted"),
        ([True, False], "column y, row 0: True: a number is wanted"),
        (np.array(["2020-01-01"], "datetime64[ns]"), "column y, row 0: .*: a number is wanted"),
    ],
)
def test_arrays_that_are_no_columns_of_numbers(cells: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        numbers(cells, "y")


def test_arrays_that_spell_numbers() -> None:
    np.testing.assert_array_equal(numbers(["1e9", Decimal(2)], "y"), [1e9, 2])
    np.testing.assert_array_equal(numbers(pd.Series([1, 2], dtype="Int64"), "y"), [1, 2])


def test_truth_and_what_is_neither() -> None:
    cells = pd.Series([True, "false", 1, 0.0, "", None, " TRUE ", "Yes", "NO"], dtype=object)
    found = truth_column(pd.DataFrame({"flag": cells}), "flag")
    told = [True, False, True, False, None, None, True, True, False]
    assert [None if pd.isna(each) else bool(each) for each in found] == told
    for cell in ("maybe", 2, "nope"):
        with pytest.raises(
            DataError, match=f"column flag, row 1: {cell!r}: allowed are true or false, yes or no, 1 or 0"
        ):
            truth_column(pd.DataFrame({"flag": pd.Series([True, cell], dtype=object)}), "flag")


def test_labels() -> None:
    assert label_column(FRAME, "family").tolist() == ["gpt", "mlp", "gpt"]
    assert label_column(FRAME.astype({"N": int}), "N").tolist() == ["1000000.0", "2000000.0", "4000000.0"]
    with pytest.raises(DataError, match=r"column who, row 0: empty: a label is wanted \(2 such rows\)"):
        label_column(pd.DataFrame({"who": [None, "b", None]}), "who")


def test_required_columns() -> None:
    require_columns(FRAME, ("N", "loss"))
    with pytest.raises(DataError, match="column 'famly' is missing; did you mean 'family'"):
        require_columns(FRAME, ("N", "famly"))


def test_an_error_carries_its_place_and_can_be_given_other_names() -> None:
    with pytest.raises(DataError) as caught:
        number_column(FRAME, "family")
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.column, error.row, error.problem) == ("family", 0, "'gpt': a number is wanted")
    error.column, error.source = "kind of model", "own.csv"
    assert str(error) == "own.csv: column kind of model, row 0: 'gpt': a number is wanted"


def test_no_reader_of_files_is_loaded() -> None:
    """pandas loads the core of pyarrow wherever that is installed, but not what reads Parquet."""
    show = "import harness.records.columns, sys; print({'pyarrow.parquet', 'harness.records.store'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", show], capture_output=True, text=True).stdout == "set()\n"
