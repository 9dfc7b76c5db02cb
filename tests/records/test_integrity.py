"""Each kind of damage to a results folder is found and named, and a sound folder is left alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from record_rows import measurement_rows, run_row

from harness.records.integrity import examine
from harness.records.pieces import recorded
from harness.records.reading import OtherVersionError
from harness.records.run_settings import is_imported, parse_config
from harness.records.schema import RUNS
from harness.records.store import collect
from harness.records.writer import PIECES, piece_path, write_run, write_table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two finished runs and one that failed, collected."""
    for run_id in ("aa", "bb"):
        write_run(tmp_path, run_row(run_id), measurement_rows())
    write_run(tmp_path, run_row("cc", status="failed", error="killed", tokens=0, flops=0.0), [])
    collect(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_sound_folder_has_no_problems_and_is_not_touched(folder: Path) -> None:
    before = contents(folder)
    found = examine(folder)
    assert (found.problems, found.notes) == ([], [])
    assert sorted(run["run_id"] for run in found.runs) == ["aa", "bb", "cc"]
    assert contents(folder) == before


def test_pieces_alone_and_tables_alone_are_sound(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(folder / PIECES, other / PIECES)
    found = examine(other)
    assert found.problems == []
    assert found.notes == ["3 runs newer than the tables: `harness collect` brings them in"]
    shutil.rmtree(folder / PIECES)
    found = examine(folder)
    assert (found.problems, found.notes, len(found.runs)) == ([], [], 3)


def truncate(folder: Path) -> None:
    path = piece_path(folder, "aa")
    path.write_bytes(path.read_bytes()[:-20])


def leave_a_foreign_file(folder: Path) -> None:
    (folder / PIECES / "notes.txt").write_text("mine")


def rename_a_run(folder: Path) -> None:
    piece_path(folder, "aa").rename(piece_path(folder, "dd"))


def remove_a_table(folder: Path) -> None:
    (folder / "measurements.parquet").unlink()


def edit(folder: Path, table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    write_table(change(pq.read_table(folder / f"{table}.parquet")), folder / f"{table}.parquet")


def forge_a_value(folder: Path) -> None:
    def higher(table: pa.Table) -> pa.Table:
        return table.set_column(
            table.schema.get_field_index("value"), table.schema.field("value"), pc.add(table["value"], 1e-9)
        )

    edit(folder, "measurements", higher)


def forge_a_count(folder: Path) -> None:
    def larger(table: pa.Table) -> pa.Table:
        field = table.schema.field("params_mlp")
        return table.set_column(table.schema.get_field_index(field.name), field, pc.add(table["params_mlp"], 1))

    edit(folder, "runs", larger)


def drop_a_run(folder: Path) -> None:
    shutil.rmtree(folder / PIECES)
    edit(folder, "runs", lambda table: table.filter(pc.not_equal(table["run_id"], "aa")))


def repeat_a_run(folder: Path) -> None:
    edit(folder, "runs", lambda table: pa.concat_tables([table, table.slice(0, 1)]))


def repeat_numbers(folder: Path) -> None:
    shutil.rmtree(folder / PIECES)
    edit(folder, "measurements", lambda table: pa.concat_tables([table, table.slice(0, 2)]))


def stop_short(folder: Path) -> None:
    write_run(folder, run_row("aa", steps=400), measurement_rows())


def measure_nothing(folder: Path) -> None:
    write_run(folder, run_row("aa"), [])


def mix_two_formulas(folder: Path) -> None:
    write_run(folder, run_row("aa", flops=2e3), measurement_rows())


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (truncate, "aa.parquet: corrupt or truncated"),
        (leave_a_foreign_file, "notes.txt: foreign"),
        (rename_a_run, "dd.parquet: foreign, holds run aa"),
        (remove_a_table, "measurements.parquet: no such file"),
        (forge_a_value, "run aa: piece and table hold different measurements"),
        (forge_a_count, "run aa: piece and table differ in params_mlp"),
        (drop_a_run, "holds numbers of 1 run that the runs table lacks"),
        (repeat_a_run, "run aa has 2 rows"),
        (repeat_numbers, "run aa: 2 numbers are there twice, accuracy of all at step 2 among them"),
        (stop_short, "run aa: finished 400 steps, and was last measured at 4"),
        (measure_nothing, "run aa: finished, and has no measurements"),
        (mix_two_formulas, "run aa: tokens or flops at the last step are not those of the run"),
    ],
)
def test_damage_is_named(folder: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(folder)
    before = contents(folder)
    assert any(said in problem for problem in examine(folder).problems), examine(folder).problems
    assert all("\n" not in problem for problem in examine(folder).problems)
    assert contents(folder) == before


def test_a_run_trained_anew_is_newer_than_the_tables_and_not_wrong(folder: Path) -> None:
    write_run(folder, run_row("aa", wall_s=9.0, finished_at=datetime(2026, 1, 1, tzinfo=UTC)), measurement_rows())
    found = examine(folder)
    assert found.problems == []
    assert found.notes == ["1 run newer than the tables: `harness collect` brings them in"]
    assert {run["run_id"]: run["wall_s"] for run in found.runs}["aa"] == 9.0


def test_recorded_rows_are_the_newest_rows(folder: Path) -> None:
    write_run(folder, run_row("aa", wall_s=9.0), measurement_rows())
    piece_path(folder, "bb").write_bytes(b"")
    rows = {run["run_id"]: run["wall_s"] for run in recorded(folder).rows.values()}
    assert rows == {"aa": 9.0, "bb": 0.5, "cc": 0.5}
    assert recorded(folder / "nowhere").rows == {}


def test_tables_of_another_version_are_refused(folder: Path) -> None:
    pq.write_table(RUNS.with_metadata({"schema_version": "99"}).empty_table(), folder / "runs.parquet")
    for read in (examine, recorded):
        with pytest.raises(OtherVersionError, match="99"):
            read(folder)


@pytest.mark.parametrize(("config", "imported"), [('{"imported": {}}', True), ("{}", False), ("not JSON", False)])
def test_imported_runs_are_known_by_their_config(config: str, imported: bool) -> None:
    assert is_imported(parse_config(config)) == imported
