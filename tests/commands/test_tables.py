"""A user's table, read and chosen from: the same for every verb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command import run
from own_tables import FIT, SURFACE, change_row, done, write_tables

#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tables()


def test_rows_left_out_are_counted_and_listed(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("surface.csv")
    frame.loc[0, "loss"] = np.nan
    pd.concat([frame, frame.tail(1)]).to_csv("surface.csv", index=False)
    choice = ("--where", "corpus == 'a'", "--exclude", "loss > 4.4", "--exclude", "N > 9e8 and D > 4e10")
    found, ran = done(capsys, "fit", *SURFACE, "--law", "hoffmann", *choice)
    high = [i + 1 for i in frame.index[(frame["corpus"] == "a") & (frame["loss"] > 4.4)]]
    assert found["excluded"] == [
        {"row": 1, "why": "loss is not a finite number"},
        *({"row": row, "why": "loss > 4.4"} for row in high),
        {"row": 25, "why": "N > 9e8 and D > 4e10"},
        {"row": 26, "why": "N > 9e8 and D > 4e10"},
    ]
    assert found["n_outside"] == 5 and found["n"] == 26 - 5 - len(found["excluded"])
    assert f"{found['n']} runs, {len(found['excluded'])} excluded, 5 outside --where" in ran.out
    assert "excluded row 25: N > 9e8 and D > 4e10" in ran.out
    found, _ = done(capsys, "fit", *SURFACE, "--law", "hoffmann")
    assert found["excluded"][-1] == {"row": 26, "why": "the same as an earlier row in every column"}


@pytest.mark.parametrize("value", ["", "nan", "inf"])
def test_a_run_without_a_finite_loss_is_left_out(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    change_row(5, loss=value)
    found, ran = done(capsys, *FIT)
    assert found["excluded"] == [{"row": 5, "why": "loss is not a finite number"}] and found["n"] == 23
    assert "23 runs, 1 excluded" in ran.out and "excluded row 5" in ran.out


def test_a_column_that_is_empty_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    pd.read_csv("sizes.csv").assign(loss=np.nan).to_csv("sizes.csv", index=False)
    assert run(capsys, *FIT).refused("sizes.csv", "no rows left", "24 excluded")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"loss": -1}, ["column loss, row 5: -1", "above 0", "loss <= 0"]),
        ({"loss": 0}, ["column loss, row 5: 0", "above 0"]),
        ({"x": -1e3}, ["column x, row 5: -1000", "above 0"]),
        ({"loss": "n/a"}, ["column loss, row 5: 'n/a'", "a number is wanted"]),
        ({"seed": ""}, ["column seed, row 5: empty", "a label is wanted"]),
    ],
)
def test_cells_that_cannot_be(cells: dict[str, Any], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    change_row(5, **cells)
    assert run(capsys, *FIT, "--group", "seed").refused(*words)


def test_tables_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    for name, content, words in (
        ("empty.csv", "x,loss\n", ["empty.csv: empty"]),
        ("nothing.csv", "", ["nothing.csv: empty"]),
        ("runs.parquet", "not one", ["runs.parquet: not readable"]),
        ("runs.jsonl", "{", ["runs.jsonl, line 1: not JSON"]),
        ("runs.xlsx", "", ["suffix '.xlsx' is not known"]),
        ("twice.csv", "x,x,loss\n1,2,3\n", ["column 'x' is there 2 times"]),
    ):
        Path(name).write_text(content)
        assert run(capsys, "fit", name, *FIT[2:]).refused(*words)
    assert run(capsys, "fit", "size.csv", *FIT[2:]).refused("size.csv: no such file", "'sizes.csv'")


@pytest.mark.parametrize(
    ("definition", "command", "words"),
    [
        ("low = 0 - x", ("--x", "low"), ["column low, row 1: -1000.0", "24 such rows", '"low <= 0" leaves out rows']),
        ("`a b` = 2", ("--law", "logistic", "--y", "a b"), ["column a b, row 1: 2.0", "0 to 1", '"`a b` > 1" leaves']),
        ("z = 0 - loss", ("--law", "sigmoid_of_loss", "--y", "z"), ["row 1: -", "0 to 1", '"z < 0" leaves out']),
    ],
)
def test_a_number_outside_its_limits_comes_with_a_way_out(
    definition: str, command: tuple[str, ...], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, *FIT, "--derive", definition, *command).refused(*words)
