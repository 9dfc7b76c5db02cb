"""Whatever somebody has put where a sweep keeps its own files, it trains every run, and waits for nothing for ever."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from command import TINY, run
from tiny_results import RESULTS

from harness.errors import UserError
from harness.records import writer
from harness.records.store import finished_run_ids
from harness.records.writer import alone, piece_path
from harness.settings import Settings
from harness.sweeping import presence
from harness.sweeping.checkpoints import checkpoint_path
from harness.sweeping.failures import death
from harness.sweeping.plan import cells, pending
from harness.sweeping.progress import progress_path
from harness.sweeping.share import joined

HEARTBEAT = '{"id": "f", "host": "h", "machine": "m", "pid": Infinity, "started": 1, "beat": "0"}'


def folder(path: Path) -> None:
    path.mkdir(parents=True)


def text(content: str | bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def pipe(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("place", "spoil"),
    [
        ("claims/ID.1", pipe),
        ("claims/ID.1", folder),
        ("claims/ID.1", text(b"\xff" * 64)),
        ("claims/ID.01", text("f" * 16)),
        ("sweeps/ffffffffffffffff.json", pipe),
        ("sweeps/ffffffffffffffff.json", text(HEARTBEAT)),
        ("sweeps/ffffffffffffffff.json", text("[" * 100_000)),
        ("ID.json", pipe),
        ("ID.json", folder),
        ("checkpoints/ID.safetensors", pipe),
        ("checkpoints/ID.safetensors", folder),
    ],
)
def test_a_spoilt_file_of_a_sweep_costs_no_run(
    trained: Settings,
    place: str,
    spoil: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence, "GONE_S", 0.0)
    gone = cells(trained)[0].members[0].run_id
    piece_path(RESULTS, gone).unlink()
    spoil(RESULTS / ".sweep" / place.replace("ID", gone))
    assert run(capsys, "status", *TINY).code == 0
    swept = run(capsys, "sweep", *TINY)
    assert (swept.code, swept.err) == (0, "") and "Trained 1: 1 finished." in swept.out
    assert list(finished_run_ids(RESULTS).values()) == ["finished"] * 4


def test_the_places_of_these_files(trained: Settings) -> None:
    (job,) = pending(cells(trained)[0], {}, "cpu")
    run_id = job.members[0].run_id
    assert progress_path(job) == RESULTS / ".sweep" / f"{run_id}.json"
    assert checkpoint_path(job) == RESULTS / ".sweep" / "checkpoints" / f"{run_id}.safetensors"


def test_a_file_where_a_folder_is_wanted_is_named(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    text("hi")(RESULTS / ".sweep" / "claims")
    with joined(RESULTS) as share, pytest.raises(UserError, match="claims is no folder"):
        share.take(cells(trained)[0])
    text("hi")(RESULTS / ".sweep" / "sweeps")
    assert run(capsys, "sweep", *TINY).refused("results/tiny", "sweeps is no folder")


@pytest.mark.parametrize(
    "spoil", [pipe, folder, lambda path: path.symlink_to("nowhere"), lambda path: path.symlink_to(path.name)]
)
def test_one_piece_that_is_none_hides_no_other(
    trained: Settings, spoil: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(stranger := RESULTS / "pieces" / "zz.parquet")
    assert "4 runs, 0 of them to do" in run(capsys, "plan", *TINY).out
    assert f"{stranger}: " in run(capsys, "verify", *TINY).out
    collected = run(capsys, "collect", "results/tiny")
    assert "4 runs (4 finished)" in collected.out and str(stranger) in collected.out
    assert "Nothing to train" in run(capsys, "sweep", *TINY).out
    assert not os.path.lexists(stranger)


@pytest.mark.parametrize("name", ["runs.parquet", "collected.json"])
def test_a_pipe_for_a_table_is_not_waited_for(trained: Settings, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    pipe(RESULTS / name)
    assert run(capsys, "status", *TINY).code == 0
    assert run(capsys, "collect", "results/tiny").code in (0, 2)


def test_pieces_are_set_aside_through_no_link(
    trained: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (RESULTS / "set_aside").symlink_to(elsewhere)
    text("no piece")(RESULTS / "pieces" / f"{'0' * 16}.parquet")
    assert run(capsys, "sweep", *TINY).refused("set_aside is a symbolic link")
    assert list(elsewhere.iterdir()) == []


def test_a_frozen_process_that_holds_a_folder_is_not_waited_for_forever(
    trained: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_LOCKED_S", 0.1)
    with alone(RESULTS / "pieces"), alone(RESULTS / "pieces"):
        pass


def test_death_by_a_signal_without_a_name() -> None:
    died = subprocess.run(["sh", "-c", "kill -37 $$"])
    assert death(died.returncode) == "killed by signal 37"
    assert death(-9) == "killed by SIGKILL"
