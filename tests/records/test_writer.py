"""One run into one file: whole or not at all, refused by name, and never in place of one that ended better."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from piece_files import recorded_run
from record_rows import measurement_rows, run_row

from harness.errors import DataError, UserError
from harness.records import writer
from harness.records.pieces import read_piece
from harness.records.rows import to_table
from harness.records.schema import MEASUREMENTS
from harness.records.store import collect
from harness.records.writer import PIECES, piece_path, write_run


def files(folder: Path) -> list[str]:
    """All files below a folder but the lock that writers of pieces hold."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != ".lock"
    )


def status(folder: Path, run_id: str = "aa") -> str:
    return str(recorded_run(folder, run_id)["status"])


def test_a_run_is_one_file_that_any_reader_of_parquet_can_read(tmp_path: Path) -> None:
    run, rows = run_row("aa", flops=0.1, epochs=1 / 3, error="ä\n"), measurement_rows()
    write_run(tmp_path, run, rows[::-1])
    assert files(tmp_path) == [f"{PIECES}/aa.parquet"]
    table = pq.read_table(tmp_path / PIECES / "aa.parquet")
    assert table.schema.equals(MEASUREMENTS)
    assert [(row["metric"], row["step"]) for row in table.to_pylist()] == [
        ("accuracy", 2),
        ("accuracy", 4),
        ("loss", 2),
        ("loss", 4),
    ]
    assert set(table.column("run_id").to_pylist()) == {"aa"}
    stated = json.loads(pq.read_metadata(tmp_path / PIECES / "aa.parquet").metadata[b"harness.run"])
    assert stated == run | {"finished_at": "2025-01-02T00:00:00+00:00"}
    assert recorded_run(tmp_path, "aa") == run


def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path) -> None:
    write_run(tmp_path, run_row("aa"), measurement_rows((2,)))
    path = piece_path(tmp_path, "aa")
    content = path.read_bytes()
    for at in range(0, len(content), 13):
        path.write_bytes(content[:at] + bytes([content[at] ^ (1 << at % 8)]) + content[at + 1 :])
        with pytest.raises(DataError, match=r"aa\.parquet: "):
            read_piece(tmp_path, "aa")
    path.write_bytes(content)
    read_piece(tmp_path, "aa")


def test_a_retry_replaces_the_failure(tmp_path: Path) -> None:
    write_run(tmp_path, run_row("aa", status="failed", error="killed"), [])
    write_run(tmp_path, run_row("aa"), to_table("measurements", [{"run_id": "aa"} | measurement_rows()[0]], "test"))
    assert status(tmp_path) == "finished"


ENDS = ["failed", "diverged", "finished"]


@pytest.mark.parametrize("collected", [False, True], ids=["pieces", "tables"])
@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
def test_the_better_end_of_a_run_stays(tmp_path: Path, first: str, second: str, collected: bool) -> None:
    assert write_run(tmp_path, run_row("aa", status=first, wall_s=1.0), [])
    write_run(tmp_path, run_row("bb", status="finished"), measurement_rows())
    if collected:
        collect(tmp_path)
        piece_path(tmp_path, "aa").unlink()
    before = files(tmp_path)
    is_better_or_same = ENDS.index(second) >= ENDS.index(first)
    assert write_run(tmp_path, run_row("aa", status=second, wall_s=2.0), measurement_rows()) == is_better_or_same
    if is_better_or_same:
        assert status(tmp_path) == second
        assert recorded_run(tmp_path, "aa")["wall_s"] == 2.0
    else:
        assert files(tmp_path) == before


def test_a_run_that_finishes_while_its_failure_is_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep gives a run up; at that moment the worker of an earlier, killed sweep delivers it."""
    look, orphans = writer._recorded_statuses, []

    def look_and_be_overtaken(folder: Path, run_id: str) -> set[str]:
        found = look(folder, run_id)
        monkeypatch.setattr(writer, "_recorded_statuses", look)
        orphan = threading.Thread(target=write_run, args=(folder, run_row("aa"), measurement_rows()))
        orphan.start()
        orphan.join(timeout=0.3)
        orphans.append(orphan)
        return found

    monkeypatch.setattr(writer, "_recorded_statuses", look_and_be_overtaken)
    write_run(tmp_path, run_row("aa", status="failed", error="given up"), [])
    (orphan,) = orphans
    orphan.join()
    assert status(tmp_path) == "finished"
    assert pq.read_table(piece_path(tmp_path, "aa")).num_rows == len(measurement_rows())


def test_what_is_recorded_but_unreadable_is_replaced(tmp_path: Path) -> None:
    write_run(tmp_path, run_row("aa"), measurement_rows())
    piece_path(tmp_path, "aa").write_bytes(b"PAR1 not really")
    assert write_run(tmp_path, run_row("aa", status="failed"), [])
    assert status(tmp_path) == "failed"


@pytest.mark.parametrize(
    ("run", "numbers", "said"),
    [
        ({k: v for k, v in run_row().items() if k != "status"}, [], "lacks column status"),
        (run_row() | {"colour": "red"}, [], "unknown column colour"),
        (run_row(width=None), [], "width of runs is null"),
        (run_row(width="wide"), [], "width of runs must be int32"),
        (run_row(width=2**40), [], "width of runs must be int32"),
        (run_row(status="done"), [], "allowed is one of finished, diverged, failed"),
        (run_row(flops=float("inf")), [], "flops is inf"),
        (run_row(), measurement_rows(run_id="bb"), "measurements of another run, bb"),
        (run_row(), measurement_rows(value=float("nan")), "loss of all at step 2 is nan in finished run aa"),
        (run_row(), [{"step": 1}], "lacks column chance, discontinuous"),
        (run_row(), [*measurement_rows(), *measurement_rows()], "measured twice at one step"),
        (run_row(study="x\udc80"), [], "study of runs must be string: .*surrogates not allowed"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_name(tmp_path: Path, run: dict, numbers: list, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        write_run(tmp_path, run, numbers)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == []


def test_disk_full_is_one_line_and_leaves_no_partial_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path, run_row("aa", status="failed"), [])
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"aa\.parquet cannot be written: No space left on device"):
        write_run(tmp_path, run_row("aa"), measurement_rows())
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_a_file_size_limit_met_in_mid_file_leaves_no_partial_file(tmp_path: Path) -> None:
    """The operating system itself stops the write half-way."""
    old_limit, old_handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old_limit[1]))
    try:
        with pytest.raises(UserError, match="cannot be written: File too large"):
            write_run(tmp_path, run_row("aa"), measurement_rows())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limit)
        signal.signal(signal.SIGXFSZ, old_handler)
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="cannot be written: Not a directory"):
        write_run(tmp_path / "results", run_row("aa"), measurement_rows())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written: Permission denied"):
        write_run(tmp_path, run_row("aa"), measurement_rows())
