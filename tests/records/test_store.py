from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from record_rows import measurement_rows, run_row

from harness.errors import DataError, UserError
from harness.records.schema import RUNS
from harness.records.store import OtherVersionError, collect, finished_run_ids, load, load_runs
from harness.records.writer import PIECES, piece_path, write_run, write_table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A results folder with a finished, a diverged and a failed run."""
    folder = tmp_path / "tiny"
    write_run(folder, run_row("aa"), measurement_rows())
    diverged = measurement_rows((2,)) + measurement_rows((4,), value=float("nan"))
    write_run(folder, run_row("bb", status="diverged", error="loss is nan", rung=1), diverged)
    write_run(folder, run_row("cc", status="failed", error="killed", rung=2), [])
    return folder


def tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / f"{name}.parquet").read_bytes() for name in ("runs", "measurements")}


def other_version(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata({"schema_version": "999"})


def test_collect_counts_and_is_idempotent(folder: Path) -> None:
    report = collect(folder)
    assert (report.n_runs, report.n_measurements, report.problems) == (3, 8, ())
    assert report.by_status == {"finished": 1, "diverged": 1, "failed": 1}
    first = tables(folder)
    assert collect(folder) == report
    assert tables(folder) == first
    assert pq.read_schema(folder / "runs.parquet").equals(RUNS, check_metadata=True)


def test_collected_rows_stay_when_their_pieces_are_gone(folder: Path) -> None:
    collect(folder)
    first = tables(folder)
    for path in (folder / PIECES).iterdir():
        path.unlink()
    assert finished_run_ids(folder) == {"aa": "finished", "bb": "diverged", "cc": "failed"}
    collect(folder)
    assert tables(folder) == first
    write_run(folder, run_row("cc", rung=2), measurement_rows())
    assert finished_run_ids(folder)["cc"] == "finished"
    assert collect(folder).by_status == {"finished": 2, "diverged": 1, "failed": 0}


def test_the_order_in_which_runs_ended_does_not_matter(folder: Path, tmp_path: Path) -> None:
    collect(folder)
    later = tmp_path / "later"
    diverged = measurement_rows((2,)) + measurement_rows((4,), value=float("nan"))
    write_run(later, run_row("cc", status="failed", error="killed", rung=2), [])
    write_run(later, run_row("bb", status="diverged", error="loss is nan", rung=1), diverged)
    collect(later)
    write_run(later, run_row("aa"), measurement_rows())
    collect(later)
    assert tables(later) == tables(folder)


@pytest.mark.parametrize("table", ["runs", "measurements"])
@pytest.mark.parametrize("fault", ["empty", "corrupt", "truncated", "foreign", "missing column", "version", "type"])
def test_bad_pieces_are_named_and_the_rest_goes_on(folder: Path, fault: str, table: str) -> None:
    path = piece_path(folder, "bb", table)
    content, good = path.read_bytes(), pq.read_table(path)
    said = "corrupt or truncated"
    if fault == "empty":
        path.write_bytes(b"")
    elif fault == "corrupt":
        path.write_bytes(content[:40] + bytes(255 - byte for byte in content[40:60]) + content[60:])
    elif fault == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif fault == "foreign":
        pq.write_table(pa.table({"city": ["Ulm"]}), path)
        said = "foreign"
    elif fault == "missing column":
        pq.write_table(good.drop_columns(["run_id"]), path)
        said = "lacks column run_id"
    elif fault == "version":
        pq.write_table(other_version(good), path)
        said = "schema version 999; this harness reads version 1"
    else:
        wrong = good.set_column(0, "run_id", pa.array([1] * good.num_rows))
        pq.write_table(wrong.replace_schema_metadata(good.schema.metadata), path)
        said = "run_id is int64, not string"
    broken = path.read_bytes()
    report = collect(folder)
    assert report.n_runs == 2
    (problem,) = report.problems
    assert problem.startswith(f"{path}: ") and said in problem and "\n" not in problem
    assert path.read_bytes() == broken
    assert set(load(folder)["run_id"]) == {"aa"}


def test_foreign_files_and_leftovers_are_named(folder: Path) -> None:
    (folder / PIECES / "notes.txt").write_text("hello")
    (folder / PIECES / ".dd.runs.parquet.17.tmp").write_text("cut short")
    piece_path(folder, "aa", "runs").unlink()
    stolen = piece_path(folder, "zz", "runs")
    stolen.write_bytes(piece_path(folder, "cc", "runs").read_bytes())
    piece_path(folder, "zz", "measurements").write_bytes(piece_path(folder, "cc", "measurements").read_bytes())
    report = collect(folder)
    assert report.n_runs == 2
    assert [problem.split(": ")[1] for problem in report.problems] == [
        "foreign, not a piece of a run",
        "left by a run that was interrupted; running it again replaces it",
        "foreign, holds run cc",
    ]
    assert finished_run_ids(folder).keys() == {"bb", "cc", "zz"}


def test_non_finite_values_of_a_finished_run_are_refused(folder: Path) -> None:
    path = piece_path(folder, "aa", "measurements")
    numbers = pq.read_table(path)
    values = pa.array([np.inf, *numbers.column("value").to_pylist()[1:]])
    numbers = numbers.set_column(numbers.schema.get_field_index("value"), numbers.schema.field("value"), values)
    write_table(numbers, path)
    (problem,) = collect(folder).problems
    assert "loss of all at step 2 is inf in finished run aa" in problem
    write_table(numbers, folder / "measurements.parquet")
    write_table(pq.read_table(piece_path(folder, "aa", "runs")), folder / "runs.parquet")
    with pytest.raises(DataError, match=r"measurements\.parquet: loss of all at step 2 is inf"):
        load(folder)


def test_tables_of_another_version_are_refused_not_overwritten(folder: Path) -> None:
    collect(folder)
    pq.write_table(other_version(pq.read_table(folder / "runs.parquet")), folder / "runs.parquet")
    before = tables(folder)
    for use in (collect, load, load_runs, finished_run_ids):
        with pytest.raises(OtherVersionError, match=r"runs\.parquet: schema version 999"):
            use(folder)
    assert tables(folder) == before


def test_unreadable_tables_are_set_aside_and_made_anew(folder: Path) -> None:
    collect(folder)
    good = tables(folder)
    (folder / "runs.parquet").write_bytes(b"PAR1 not really")
    report = collect(folder)
    assert "runs.parquet: corrupt or truncated" in report.problems[0]
    assert tables(folder) == good
    assert (folder / "runs.parquet.unreadable").read_bytes() == b"PAR1 not really"
    assert (folder / "measurements.parquet.unreadable").read_bytes() == good["measurements"]
    assert collect(folder).problems == ()


def test_a_table_without_pieces_is_never_lost(folder: Path) -> None:
    collect(folder)
    for path in (folder / PIECES).iterdir():
        path.unlink()
    (folder / "runs.parquet").write_bytes(b"")
    with pytest.raises(DataError, match=r"no runs to collect; .*runs\.parquet: corrupt"):
        collect(folder)
    assert (folder / "runs.parquet").exists()


def test_empty_and_absent_folders_say_what_makes_them(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match=r"no runs to collect; `harness sweep"):
        collect(empty)
    with pytest.raises(DataError, match=r"no tables .* `harness sweep .* and `harness collect` make them"):
        load(empty)
    with pytest.raises(DataError, match=r"not collected yet; `harness collect`"):
        load(folder)
    assert finished_run_ids(tmp_path / "nowhere") == {}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    folder.rename(tmp_path / "results" / "quickstart")
    with pytest.raises(DataError, match="quickstrat: no such results folder; did you mean 'quickstart'"):
        load("quickstrat")
    collect("results/quickstart")
    assert len(load("quickstart")) == 2


def test_load_joins_measurements_to_runs(folder: Path) -> None:
    collect(folder)
    frame = load(folder)
    assert list(frame["metric"]) == ["accuracy", "loss"]
    assert set(frame["step"]) == {4} and set(frame["tokens"]) == {8} and set(frame["tokens_run"]) == {8}
    trajectory = load(folder, steps="all", statuses=("finished", "diverged"))
    assert len(trajectory) == 8 and set(trajectory["step"]) == {2, 4}
    assert trajectory.loc[trajectory["step"] == 2, "flops"].eq(500.0).all()
    assert trajectory["flops_run"].eq(1000.0).all()
    assert trajectory.groupby("status")["value"].apply(lambda v: v.isna().sum()).to_dict() == {
        "diverged": 2,
        "finished": 0,
    }
    assert load(folder, split="train").empty
    assert list(load_runs(folder)["status"]) == ["finished", "diverged", "failed"]
    pd.testing.assert_series_equal(load_runs(folder)["error"].isna(), pd.Series([True, False, False], name="error"))


def test_load_takes_a_folder_of_several(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_run(other, run_row("dd", experiment="other"), measurement_rows())
    collect(folder)
    collect(other)
    assert set(load(tmp_path)["experiment"]) == {"tiny", "other"}


@pytest.mark.parametrize(("how", "said"), [({"steps": "first"}, "steps="), ({"statuses": ("done",)}, "statuses=")])
def test_load_refuses_unknown_choices(folder: Path, how: dict, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(folder, **how)


def test_a_run_twice_in_the_table_is_refused(folder: Path) -> None:
    collect(folder)
    runs = pq.read_table(folder / "runs.parquet")
    pq.write_table(pa.concat_tables([runs, runs.slice(0, 1)]), folder / "runs.parquet")
    with pytest.raises(DataError, match="run aa has more than one row"):
        load(folder)


def test_a_full_disk_leaves_the_tables_as_they_were(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collect(folder)
    before = tables(folder)
    write_run(folder, run_row("dd"), measurement_rows())

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"measurements\.parquet cannot be written: No space left on device"):
        collect(folder)
    assert tables(folder) == before
    assert not list(folder.glob(".*"))
