"""Data that changed since runs were recorded are told before anything is trained beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import run

TABLE = (
    "family=mlp",
    "task=table",
    "data.source=path:t.csv",
    "ladder.widths=[2]",
    "ladder.steps=2",
    "seeds=1",
    "name=t",
)


def write_table(rows: int) -> None:
    Path("t.csv").write_text("x,label\n" + "".join(f"{i},{i % 2}\n" for i in range(rows)))


def test_a_changed_file_is_told_by_plan_and_by_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(100)
    first = run(capsys, "sweep", *TABLE)
    assert first.code == 0 and "saw other data" not in first.err
    assert "saw other data" not in run(capsys, "plan", *TABLE).err
    write_table(90)
    for verb in ("plan", "sweep"):
        told = run(capsys, verb, *TABLE)
        assert told.code == 0 and "1 of 1 runs of main saw other data than now (data_sha256 " in told.err
        assert "unless name=NAME gives them another folder, or study=NAME another curve" in told.err


def test_runs_that_saw_different_data_are_told_by_verify_as_by_collect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(100)
    run(capsys, "sweep", *TABLE)
    assert run(capsys, "verify", "results/t").code == 0
    write_table(90)
    assert run(capsys, "sweep", *TABLE, "seeds=2").code == 0
    verified, collected = run(capsys, "verify", "results/t"), run(capsys, "collect", "results/t")
    assert verified.code == 1 and "results/t: 1 thing is wrong" in verified.out
    (line,) = [line for line in verified.out.splitlines() if "runs of one curve saw different data" in line]
    assert line in collected.out
