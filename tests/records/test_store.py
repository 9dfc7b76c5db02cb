from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from piece_files import forge_piece, with_value, write_as_earlier
from record_rows import measurement_rows, run_row

from harness.errors import DataError, RunsWarning, UserError
from harness.records import pieces, store
from harness.records.adding import add_runs
from harness.records.pieces import read_piece, recorded, set_aside
from harness.records.reading import OtherVersionError
from harness.records.rows import to_table
from harness.records.schema import RUNS, SCHEMAS
from harness.records.store import collect, finished_run_ids, load, load_runs
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


def test_a_number_that_a_table_has_twice_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path, run_row("aa"), measurement_rows())
    collect(tmp_path)
    (piece,) = tmp_path.glob("pieces/*.parquet")
    piece.unlink()
    table = pq.read_table(path := tmp_path / "measurements.parquet")
    pq.write_table(pa.concat_tables([table, table.slice(3, 1)]), path)
    with pytest.raises(DataError, match="run aa has loss of all twice at step 4"):
        load(tmp_path)


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


def spoil(path: Path, table: str, fault: str) -> str:
    """Damage a file of rows of `table` and return what is to be said of it."""
    content, good = path.read_bytes(), pq.read_table(path)
    if fault == "empty":
        path.write_bytes(b"")
    elif fault == "corrupt":
        path.write_bytes(content[:40] + bytes(255 - byte for byte in content[40:60]) + content[60:])
    elif fault == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif fault == "foreign":
        pq.write_table(pa.table({"city": ["Ulm"]}), path)
        return f"foreign, not a {table} table"
    elif fault == "missing column":
        pq.write_table(good.drop_columns(["run_id"]), path)
        return "lacks column run_id"
    elif fault == "version":
        pq.write_table(other_version(good), path)
        return "schema version 999; this harness reads version 1"
    elif fault == "unsealed":
        write_table(good.cast(SCHEMAS[table]), path)
        return "foreign, states no run"
    elif fault == "changed":
        pq.write_table(pq.ParquetFile(path).read().slice(1), path)
        return "corrupt, not as it was written"
    else:
        wrong = good.set_column(0, "run_id", pa.array([1] * good.num_rows))
        pq.write_table(wrong.replace_schema_metadata(good.schema.metadata), path)
        return "run_id is int64, not string"
    return "corrupt"


FAULTS = ["empty", "corrupt", "truncated", "foreign", "missing column", "version", "type"]


@pytest.mark.parametrize(
    ("layout", "fault"),
    [("one file", fault) for fault in (*FAULTS, "unsealed", "changed")]
    + [(table, fault) for table in ("runs", "measurements") for fault in FAULTS],
)
def test_bad_pieces_are_named_and_the_rest_goes_on(folder: Path, layout: str, fault: str) -> None:
    path = piece_path(folder, "bb") if layout == "one file" else write_as_earlier(folder, "bb")[layout]
    said = spoil(path, "measurements" if layout == "one file" else layout, fault)
    broken = path.read_bytes()
    report = collect(folder)
    assert report.n_runs == 2
    (problem,) = report.problems
    assert problem.startswith(f"{path}: ") and said in problem and "\n" not in problem
    assert path.read_bytes() == broken
    with pytest.warns(RunsWarning, match=re.escape(f"left out {path}: ")):
        assert set(load(folder)["run_id"]) == {"aa"}


def test_foreign_files_and_leftovers_are_named(folder: Path) -> None:
    (folder / PIECES / "notes.txt").write_text("hello")
    (folder / PIECES / ".dd.parquet.17.tmp").write_text("cut short")
    write_as_earlier(folder, "aa")["runs"].unlink()
    piece_path(folder, "zz").write_bytes(piece_path(folder, "cc").read_bytes())
    report = collect(folder)
    assert report.n_runs == 2
    assert [problem.split("/")[-1] for problem in report.problems] == [
        "aa.measurements.parquet: foreign, not a piece of a run",
        "notes.txt: foreign, not a piece of a run",
        "zz.parquet: foreign, holds run cc",
    ]
    assert finished_run_ids(folder).keys() == {"bb", "cc"}


def test_runs_in_the_two_files_of_an_earlier_harness_are_as_good(folder: Path) -> None:
    collect(folder)
    before = tables(folder)
    for path in (folder / "runs.parquet", folder / "measurements.parquet"):
        path.unlink()
    earlier = [path for run_id in ("aa", "cc") for path in write_as_earlier(folder, run_id).values()]
    collect(folder)
    assert tables(folder) == before
    assert recorded(folder).rows["aa"]["status"] == "finished"
    assert not write_run(folder, run_row("aa", status="failed"), [])
    assert write_run(folder, run_row("cc", rung=2), measurement_rows())
    assert [path.exists() for path in earlier] == [True, True, False, False]
    assert collect(folder).by_status == {"finished": 2, "diverged": 1, "failed": 0}


def test_only_new_pieces_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    piece_path(folder, "bb").write_bytes(b"")
    collect(folder)
    write_run(folder, run_row("ab", rung=3), measurement_rows())
    write_run(folder, run_row("cc", rung=2), measurement_rows())
    asked = []

    def read(at: Path, run_id: str) -> dict[str, pa.Table]:
        asked.append(run_id)
        return read_piece(at, run_id)

    monkeypatch.setattr(pieces, "read_piece", read)
    monkeypatch.setattr(pieces, "read_piece", read)
    for _ in range(2):
        assert {run: row["status"] for run, row in recorded(folder).rows.items()} == dict.fromkeys(
            ("aa", "ab", "cc"), "finished"
        )
        assert recorded(folder).bad.keys() == {"bb"}
    assert asked == ["ab", "cc"]
    report = collect(folder)
    assert (report.n_runs, len(report.problems)) == (3, 1)
    assert asked == ["ab", "cc"] * 2
    first = tables(folder)
    for path in (folder / "runs.parquet", folder / "measurements.parquet"):
        path.unlink()
    assert collect(folder) == report
    assert tables(folder) == first


def test_tables_that_are_written_meanwhile_are_not_lost(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are imported while a collect has read the tables as they were before."""
    collect(folder)
    merge = store._merge

    def merge_and_be_overtaken(folder: Path) -> store._Merged:
        merged = merge(folder)
        monkeypatch.setattr(store, "_merge", merge)
        numbers = [{"run_id": "dd", **row} for row in measurement_rows()]
        add_runs(folder, to_table("runs", [run_row("dd")], "test"), to_table("measurements", numbers, "test"))
        return merged

    write_run(folder, run_row("ee"), measurement_rows())
    monkeypatch.setattr(store, "_merge", merge_and_be_overtaken)
    assert collect(folder).n_runs == 5
    assert set(load_runs(folder)["run_id"]) == {"aa", "bb", "cc", "dd", "ee"}


def test_a_piece_that_was_replaced_since_it_was_judged_is_not_set_aside(folder: Path) -> None:
    for run_id in ("bb", "cc"):
        piece_path(folder, run_id).write_bytes(b"")
    bad = recorded(folder).bad
    write_run(folder, run_row("bb"), measurement_rows())
    (line,) = set_aside(folder, bad)
    assert "cc.parquet: corrupt" in line
    assert recorded(folder).rows.keys() == {"aa", "bb"}
    assert set_aside(folder, {"aa": "wrong"}, mistaken=lambda run: run["run_id"] == "aa")
    assert recorded(folder).rows.keys() == {"bb"}


def test_non_finite_values_of_a_finished_run_are_refused(folder: Path) -> None:
    forge_piece(folder, "aa", lambda numbers: with_value(numbers, float("inf")))
    (problem,) = collect(folder).problems
    assert "accuracy of all at step 2 is inf in finished run aa" in problem
    write_table(pq.read_table(piece_path(folder, "aa")).cast(SCHEMAS["measurements"]), folder / "measurements.parquet")
    write_table(to_table("runs", [run_row("aa")], "test"), folder / "runs.parquet")
    with pytest.raises(DataError, match=r"measurements\.parquet: accuracy of all at step 2 is inf"):
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
    with pytest.raises(DataError, match=r"no runs; `harness sweep experiment=NAME` makes them"):
        load(empty)
    assert finished_run_ids(tmp_path / "nowhere") == {}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    folder.rename(tmp_path / "results" / "quickstart")
    with pytest.raises(DataError, match="quickstrat: no such results folder; did you mean 'quickstart'"):
        load("quickstrat")
    assert len(load("quickstart")) == 2


def test_load_of_one_subtask_is_those_rows_of_all(tmp_path: Path) -> None:
    rows = [row for name in ("all", "copy") for row in measurement_rows(subtask=name)]
    write_run(tmp_path, run_row(), rows)
    everything, of_task = load(tmp_path, steps="all"), load(tmp_path, steps="all", subtask="all")
    assert set(everything["subtask"]) == {"all", "copy"}
    alone = everything[everything["subtask"] == "all"].reset_index(drop=True)
    pd.testing.assert_frame_equal(of_task, alone)


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


# ------------------------------------------------------------------------------- pieces that are newer than the tables


def test_a_folder_that_was_never_collected_is_collected_at_once(folder: Path) -> None:
    assert set(load(folder)["run_id"]) == {"aa"}
    first = tables(folder)
    collect(folder)
    assert tables(folder) == first


def test_runs_that_ended_since_the_tables_were_made_are_in_them_at_once(folder: Path) -> None:
    collect(folder)
    write_run(folder, run_row("dd", seed=1), measurement_rows())
    assert set(load(folder)["run_id"]) == {"aa", "dd"}
    assert pq.read_table(folder / "runs.parquet").num_rows == 4
    assert len(load_runs(folder)) == 4


def age(path: Path, seconds: float) -> None:
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - int(1e9 * seconds)))


@pytest.mark.parametrize("copied", [False, True])
def test_a_failed_run_that_finished_since_takes_the_place_of_the_failure(folder: Path, copied: bool) -> None:
    collect(folder)
    write_run(folder, run_row("cc", rung=2), measurement_rows())
    if copied:
        # From another machine, with the date it had there.
        age(piece_path(folder, "cc"), 3600)
    assert set(load(folder)["run_id"]) == {"aa", "cc"}
    assert set(load_runs(folder)["status"]) == {"finished", "diverged"}


def test_a_finished_run_that_was_trained_anew_takes_the_place_of_the_old(folder: Path) -> None:
    collect(folder)
    for path in (*folder.glob("*.parquet"), *(folder / PIECES).iterdir()):
        age(path, 3600)
    write_run(folder, run_row("aa"), measurement_rows(value=0.125))
    assert set(load(folder)["value"]) == {0.125}


def test_tables_that_hold_every_piece_are_left_alone(folder: Path) -> None:
    collect(folder)
    for path in (folder / PIECES).iterdir():
        age(path, 1)
    before = [path.stat().st_mtime_ns for path in folder.glob("*.parquet")]
    load(folder)
    load_runs(folder)
    assert [path.stat().st_mtime_ns for path in folder.glob("*.parquet")] == before


def test_a_folder_that_cannot_be_written_is_read_beside_its_tables(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(folder)
    before = tables(folder)
    write_run(folder, run_row("dd", seed=1), measurement_rows())

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "replace", read_only)
    assert set(load(folder)["run_id"]) == {"aa", "dd"}
    assert len(load_runs(folder)) == 4
    assert tables(folder) == before


def test_unreadable_tables_are_left_to_collect(folder: Path) -> None:
    collect(folder)
    (folder / "runs.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match=r"runs\.parquet: corrupt"):
        load(folder)
    assert not list(folder.glob("*.unreadable"))


# ------------------------------------------------------------------------------------------ settings that vary


def test_settings_that_vary_are_columns_and_are_listed(folder: Path) -> None:
    for run_id, n_bits, lr in (("dd", 12, 0.01), ("ee", 3, 0.01), ("ff", 3, 0.1)):
        config = {"task": {"n_bits": n_bits, "k": 2}, "learning_rates": [0.1, 0.01]}
        write_run(folder, run_row(run_id, study="bits", lr=lr, config=json.dumps(config)), measurement_rows())
    with pytest.warns(RunsWarning) as told:
        frame = load(folder)
    assert frame.attrs["varying"] == ["task.n_bits"]
    assert frame.groupby("run_id")["task.n_bits"].first().dropna().to_dict() == {"dd": 12, "ee": 3}
    assert "task.k" not in frame
    # The two learning rates of 3 bits compete with each other, and not with the run of 12 bits.
    assert frame.attrs["left_out"] == ["2 of 3 runs of bits are kept, those with the best learning rate of each size"]
    messages = [str(each.message) for each in told]
    assert f"{folder}: study bits holds runs of several settings: task.n_bits 3, 12" in messages
    assert load(folder, runs="all").attrs == {"varying": ["task.n_bits"], "left_out": []}


@pytest.mark.parametrize(
    ("how", "said"),
    [({"steps": "first"}, "steps="), ({"statuses": ("done",)}, "statuses="), ({"runs": "best"}, "runs=")],
)
def test_load_refuses_unknown_choices(folder: Path, how: dict, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(folder, **how)


def test_a_run_twice_in_the_table_is_once_where_it_has_a_piece(folder: Path) -> None:
    collect(folder)
    runs = pq.read_table(folder / "runs.parquet")
    pq.write_table(pa.concat_tables([runs, runs.slice(0, 1)]), folder / "runs.parquet")
    assert len(load_runs(folder)) == 3, "the run's piece takes the place of both rows"


def test_a_run_twice_is_not_collected_where_no_piece_has_it(folder: Path) -> None:
    collect(folder)
    for path in (folder / PIECES).iterdir():
        path.unlink()
    runs = pq.read_table(folder / "runs.parquet")
    pq.write_table(pa.concat_tables([runs, runs.slice(0, 1)]), folder / "runs.parquet")
    before = tables(folder)
    with pytest.raises(DataError, match="run aa has more than one row"):
        collect(folder)
    assert tables(folder) == before


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


def test_tables_written_before_n_eval_could_be_missing_are_read(folder: Path) -> None:
    collect(folder)
    path = folder / "measurements.parquet"
    table = pq.read_table(path)
    at = table.schema.get_field_index("n_eval")
    write_table(table.cast(table.schema.set(at, table.schema.field(at).with_nullable(False))), path)
    assert set(load(folder)["n_eval"]) == {64}


def test_nothing_is_read_or_written_again_where_nothing_has_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / PIECES / "notes.txt").write_text("mine")
    piece_path(folder, "bb").write_bytes(b"")
    first = collect(folder)
    written = {path: path.stat().st_mtime_ns for path in folder.glob("*.*")}
    with monkeypatch.context() as patched:
        patched.setattr(pieces, "read_piece", None)
        assert collect(folder) == first
        assert finished_run_ids(folder) == {"aa": "finished", "cc": "failed"}
        assert recorded(folder).bad.keys() == {"bb"}
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.*")} == written
    write_run(folder, run_row("bb"), measurement_rows())
    assert collect(folder).by_status == {"finished": 2, "diverged": 0, "failed": 1}
    (folder / "measurements.parquet").unlink()
    assert "made anew from the pieces" in collect(folder).problems[-1]
    assert collect(folder).n_measurements == 8


def test_measurements_are_in_order_whatever_order_they_were_written_in(folder: Path) -> None:
    rows = measurement_rows((4, 2)) + measurement_rows((2, 4), split="train", subtask="b")
    write_run(folder, run_row("aa"), rows[::-1])
    collect(folder)
    found = pq.read_table(folder / "measurements.parquet").to_pandas()
    assert found.equals(found.sort_values(["run_id", "split", "metric", "subtask", "step"], ignore_index=True))
