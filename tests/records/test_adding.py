"""Many runs at once into a folder's tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from record_rows import measurement_rows, run_row

from harness.errors import DataError
from harness.records.adding import add_runs
from harness.records.integrity import examine
from harness.records.rows import to_table
from harness.records.store import collect, load, load_runs
from harness.records.writer import PIECES, piece_path, write_run


def tables(run_id: str, steps: tuple[int, ...] = (2, 4), **changes: Any) -> tuple[pa.Table, pa.Table]:
    numbers = [{"run_id": run_id, **row} for row in measurement_rows(steps, **changes)]
    return to_table("runs", [run_row(run_id)], "test"), to_table("measurements", numbers, "test")


def test_runs_join_those_of_a_sweep_and_leave_no_pieces(tmp_path: Path) -> None:
    write_run(tmp_path, run_row("aa"), measurement_rows())
    report = add_runs(tmp_path, *tables("bb", n_eval=None))
    assert (report.n_runs, report.n_measurements, report.problems) == (2, 8, ())
    assert not piece_path(tmp_path, "bb").exists() and piece_path(tmp_path, "aa").exists()
    frame = load(tmp_path)
    assert frame.groupby("run_id")["n_eval"].agg(lambda n: n.isna().all()).to_dict() == {"aa": False, "bb": True}
    # Its whole numbers are no others for being beside missing ones.
    assert (examine(tmp_path).problems, examine(tmp_path).notes) == ([], [])


def test_what_was_there_of_a_run_is_replaced(tmp_path: Path) -> None:
    write_run(tmp_path, run_row("aa"), measurement_rows())
    collect(tmp_path)
    add_runs(tmp_path, *tables("aa", steps=(4,), value=0.5))
    assert load(tmp_path, steps="all")["value"].to_list() == [0.5, 0.5]
    collect(tmp_path)
    assert load(tmp_path, steps="all")["value"].to_list() == [0.5, 0.5], "no piece takes its place again"
    assert len(load_runs(tmp_path)) == 1


def test_nothing_is_written_where_something_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="loss of all at step 2 is nan"):
        add_runs(tmp_path / "new", *tables("aa", value=float("nan")))
    assert not (tmp_path / "new" / "runs.parquet").exists()
    add_runs(tmp_path, *tables("aa"))
    before = (tmp_path / "runs.parquet").read_bytes()
    (tmp_path / "measurements.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"measurements\.parquet: corrupt"):
        add_runs(tmp_path, *tables("bb"))
    assert (tmp_path / "runs.parquet").read_bytes() == before and not any((tmp_path / PIECES).glob("[!.]*"))
