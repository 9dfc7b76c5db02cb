from __future__ import annotations

import gzip
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_rows import measurement_rows, run_row

from harness.errors import DataError
from harness.records.columns import any_column, number_column
from harness.records.store import load
from harness.records.table import curve_rows, read_rows
from harness.records.writer import write_run

FRAME = pd.DataFrame({"N": [1e6, 2e6, 4e6], "loss": [3.25, np.nan, 2.5], "family": ["gpt", "mlp", "gpt"]})


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(path: Path | str, *words: str) -> None:
    with pytest.raises(DataError) as caught:
        read_rows(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    for word in (str(path), *words):
        assert word in message


@pytest.mark.parametrize(
    "name", ["a.csv", "a.CSV", "a.csv.gz", "a.tsv", "a.tsv.gz", "a.jsonl", "a.jsonl.gz", "a.parquet"]
)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if "parquet" in name:
        FRAME.set_index("N").to_parquet(path)
    elif "jsonl" in name:
        FRAME.to_json(path, orient="records", lines=True)
    else:
        FRAME.to_csv(path, index=False, sep="\t" if "tsv" in name else ",")
    frame = read_rows(path)
    assert frame.index.equals(pd.RangeIndex(1, 4))
    assert set(frame.columns) == set(FRAME.columns)
    for numbers in ("N", "loss"):
        np.testing.assert_array_equal(number_column(frame, numbers), FRAME[numbers])
    assert any_column(frame, "family").tolist() == ["gpt", "mlp", "gpt"]


def test_a_results_folder_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path / "results/tiny", run_row("aa"), measurement_rows())
    monkeypatch.chdir(tmp_path)
    for path in ("tiny", "results/tiny"):
        frame = read_rows(path)
        assert frame.index[0] == 1
        pd.testing.assert_frame_equal(frame.reset_index(drop=True), load("tiny"))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz"])
def test_cells_as_text(tmp_path: Path, name: str) -> None:
    rows = pd.DataFrame({"run": ["007", "1e3", "7"], "size": ["124_000_000", "", "NaN"]})
    rows.to_csv(tmp_path / name, index=False, sep="," if name == "a.csv" else "\t")
    frame = read_rows(tmp_path / name, as_text=True)
    assert frame["run"].tolist() == ["007", "1e3", "7"]
    assert frame["size"][1] == "124_000_000" and frame["size"].isna().tolist() == [False, True, True]


def test_checkpoints_of_a_results_folder_are_read_when_asked_for(tmp_path: Path) -> None:
    write_run(tmp_path / "tiny", run_row("aa"), measurement_rows(steps=(2, 4)))
    assert set(read_rows(tmp_path / "tiny")["step"]) == {4}
    assert set(read_rows(tmp_path / "tiny", steps="all")["step"]) == {2, 4}


def test_a_results_folder_is_read_whole_and_its_curves_are_chosen_afterwards(tmp_path: Path) -> None:
    """Laws over N and D need every duration; a curve is of one."""
    for duration in range(2):
        write_run(tmp_path, run_row(f"run{duration}", duration=duration), measurement_rows())
    frame = read_rows(tmp_path)
    assert set(frame["run_id"]) == {"run0", "run1"}
    chosen, left_out = curve_rows(tmp_path, frame, frame)
    assert set(chosen["run_id"]) == {"run1"} and len(left_out) == 1
    shorter, nothing = curve_rows(tmp_path, frame[frame["duration"] == 0], frame)
    assert set(shorter["run_id"]) == {"run0"} and nothing == ()


def test_rows_of_a_users_own_table_all_make_curves(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "run_id,step,duration,lr,rung,metric,value\na,1,9,.1,0,acc,1\na,2,8,.2,0,acc,1\n")
    frame = read_rows(path)
    chosen, left_out = curve_rows(path, frame, frame)
    assert chosen is frame and left_out == ()


def test_spreadsheets_byte_order_mark_and_spaces(tmp_path: Path) -> None:
    frame = read_rows(written(tmp_path, "a.csv", "\ufeffN , loss\n\n1, 2\n3,\n"))
    assert list(frame.columns) == ["N", "loss"]
    np.testing.assert_array_equal(number_column(frame, "loss"), [2, np.nan])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.txt", "N\n1\n", ["'.txt'", ".csv", ".parquet", "results folder"]),
        ("a", "N\n1\n", ["suffix ''"]),
        ("a.parquet.gz", "", ["'.gz'"]),
        ("a.csv", "", ["empty"]),
        ("a.csv", "\n\n", ["empty"]),
        ("a.csv", "N,loss\n", ["empty"]),
        ("a.jsonl", "\n", ["empty"]),
        ("a.jsonl", "{}\n", ["empty"]),
        ("a.csv", "N,loss,N\n1,2,3\n", ["column 'N' is there 2 times"]),
        ("a.csv", "N,loss,N \n1,2,3\n", ["column 'N' is there 2 times"]),
        ("a.jsonl", '{"N": 1, "N": 2}\n', ["line 1", "column 'N' is there 2 times"]),
        ("a.csv", "N,loss\n1,2,3\n", ["more cells", "2"]),
        ("a.csv", "N,loss\n1,2\n1,2,3\n", ["not readable", "line 3"]),
        ("a.csv", b"N\n\xff\xfe\n", ["not readable"]),
        ("a.csv.gz", "N\n1\n", ["not readable"]),
        ("a.csv.gz", gzip.compress(b"N\n" + bytes(range(48, 58)) * 99, mtime=0)[:30], ["not readable"]),
        ("a.jsonl.gz", "{}", ["not readable"]),
        ("a.jsonl", '{"N": 1}\n{"N": \n', ["line 2", "not JSON"]),
        ("a.jsonl", '{"N": 1}\n3\n', ["line 2", "object"]),
        ("a.jsonl", "[" * 100_000, ["not readable"]),
        ("a.jsonl", '{"N": 1}\n{"N": ["\\udcff"]}\n', ["line 2", "surrogates not allowed"]),
        ("a.parquet", "no", ["not readable"]),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, text: str | bytes, words: list[str]) -> None:
    refused(written(tmp_path, name, text), *words)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    written(tmp_path, "sweep.csv", "N\n1\n")
    refused(tmp_path / "swep.csv", "no such file", "'sweep.csv'")
    refused(tmp_path / "nowhere/sweep.csv", "no such file")
    refused("x" * 5000, "not readable")


@given(st.lists(st.floats(allow_subnormal=False) | st.integers(-(2**62), 2**62), min_size=1))
def test_numbers_survive_a_csv(tmp_path_factory: pytest.TempPathFactory, numbers: list[float]) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_text("i,x\n" + "".join(f"{i},{number!r}\n" for i, number in enumerate(numbers)))
    # Not to the last bit: pandas before 3.1 reads some decimals a bit off.
    np.testing.assert_allclose(number_column(read_rows(path), "x"), np.array(numbers, float), rtol=1e-15)


@given(st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.csv.gz"]), st.binary() | st.text().map(str.encode))
def test_any_bytes_are_rows_or_one_line(tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes) -> None:
    path = written(tmp_path_factory.mktemp("bytes"), name, content)
    with warnings.catch_warnings(action="error"):
        try:
            assert len(read_rows(path))
        except DataError as error:
            assert len(str(error).splitlines()) == 1


def test_rows_longer_than_the_header_are_refused_though_their_first_cells_look_like_an_index(tmp_path: Path) -> None:
    """Trap: pandas took evenly spaced first cells for the index, and every column moved by one."""
    rows = "".join(f"{k}000,{k},{k}\n" for k in range(1, 9))
    with pytest.raises(DataError, match="rows have more cells than the header's 2"):
        read_rows(written(tmp_path, "a.csv", f"N,loss\n{rows}"))
