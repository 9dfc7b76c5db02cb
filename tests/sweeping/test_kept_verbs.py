"""What the verbs say of checkpoints that stay, and the frame of `harness.checkpoints`."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path

import pytest
from command import TINY, loaded_after, run
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from tiny_results import RESULTS

import harness
from harness.errors import RunsWarning, UserError
from harness.records.kept import kept_files
from harness.settings import Settings

ALL, LAST = (f"training.keep={keep}" for keep in ("all", "last"))


@pytest.fixture
def kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_process: None, capsys: pytest.CaptureFixture[str]
) -> Path:
    """The four finished runs of TINY in results/tiny, with the checkpoints of all evaluations."""
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "sweep", *TINY, ALL).code == 0
    return RESULTS / "checkpoints"


def test_runs_without_what_is_asked_for_are_named_and_trained_again(
    trained: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "finished runs have" not in run(capsys, "sweep", *TINY).out
    told = "4 finished runs lack the checkpoints asked for (training.keep=last); `harness redo redo.which=unkept"
    for verb in ("sweep", "plan"):
        assert told in run(capsys, verb, *TINY, LAST).out
    assert not RESULTS.joinpath("checkpoints").exists()
    redone = run(capsys, "redo", *TINY, LAST, "redo.which=unkept", "--yes")
    assert redone.code == 0 and "Trained 4: 4 finished." in redone.out
    assert told not in run(capsys, "sweep", *TINY, LAST).out
    next(path for *_, path in kept_files(RESULTS)).unlink()
    assert "1 finished run lacks the checkpoints" in run(capsys, "sweep", *TINY, LAST).out
    assert "1 runs to train anew" in run(capsys, "redo", *TINY, LAST, "redo.which=unkept").out


def test_a_plan_shows_what_checkpoints_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*TINY, "ladder.widths=[256]", "launcher.workers=1", "training.evaluations=1", "training.checkpoint_s=60"]
    # Two members, each with two averages beside its parameters; twice, for the last good one stays meanwhile.
    planned = run(capsys, "plan", *words, LAST)
    params = harness.plan(words)["params_total"].item()
    size = 2 * 3 * 4 * params
    told = f"Checkpoints: at most {2 * size / 1000:.0f} kB while it trains, {size / 1000:.0f} kB kept"
    assert f"{told} (training.keep=last)." in planned.out
    frame = harness.plan(words, training={"keep": "all", "evaluations": 3, "evaluate": "even"})
    assert frame[["checkpoint_bytes", "kept_bytes"]].iloc[0].tolist() == [2 * size, 3 * size]
    assert "at most 0 B while it trains, 0 B kept" in run(capsys, "plan", *words, "training.checkpoint_s=null").out


def test_a_disk_that_cannot_hold_them_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_process: None, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5_000))
    with pytest.warns(RunsWarning, match=r"checkpoints may take \d+ kB, and 5 kB are free on its disk"):
        harness.sweep(*TINY, LAST)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**12))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        harness.sweep(*TINY, LAST, study="another")


def test_verify_names_files_that_are_not_those_of_their_runs(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing is wrong" in run(capsys, "verify", *TINY).out
    files = {run_id: path for run_id, step, path in kept_files(RESULTS) if step == 5}
    first, second, third, fourth = files
    os.truncate(files[first], files[first].stat().st_size - 1)
    shutil.copy(files[third], files[second])
    shutil.move(kept / fourth, kept / ("0" * 16))
    stranger = kept / "notes.txt"
    stranger.write_text("a user's")
    verified = run(capsys, "verify", "--fix", *TINY)
    assert verified.code == 1
    assert f"{files[first]}: cannot be read" in verified.out
    assert f"{files[second]}: foreign, holds step 5 of run {third}" in verified.out
    moved = kept / ("0" * 16) / "step-5.safetensors"
    assert f"{moved}: foreign, holds step 5 of run {fourth}" in verified.out
    lacking = "note: results/tiny/checkpoints: 3 finished runs whose last checkpoints were to stay have none"
    assert lacking in verified.out
    assert {path.name for path in (RESULTS / "set_aside").iterdir()} >= {
        f"{run_id}.step-5.safetensors" for run_id in (first, second, "0" * 16)
    }
    assert stranger.exists()
    again = run(capsys, "verify", *TINY)
    assert again.code == 0 and lacking in again.out


def test_a_flipped_bit_is_no_number(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, path = next(kept_files(RESULTS))
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    assert f"{path}: corrupt, not as it was written" in run(capsys, "verify", *TINY).out
    with pytest.raises(UserError, match="corrupt, not as it was written"):
        harness.load_model(path)


def test_files_of_runs_that_are_not_recorded_are_noted(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = next(run_id for run_id, *_ in kept_files(RESULTS))
    for piece in RESULTS.glob(f"pieces/{run_id}*"):
        piece.unlink()
    verified = run(capsys, "verify", *TINY)
    assert verified.code == 0
    assert "note: results/tiny/checkpoints: 2 checkpoints of runs that are not recorded" in verified.out
    with pytest.warns(RunsWarning, match="2 checkpoints left out"):
        assert len(harness.checkpoints(RESULTS)) == 6


def test_the_frame_has_a_row_a_file_beside_its_run(kept: Path) -> None:
    frame = harness.checkpoints("tiny")
    assert len(frame) == 8 and set(frame["step"]) == {1, 5}
    at_the_end = frame[frame["step"] == 5]
    runs = harness.load(RESULTS).drop_duplicates("run_id").set_index("run_id").loc[at_the_end["run_id"]]
    for column in ("seed", "width", "params_total", "tokens"):
        assert at_the_end[column].tolist() == runs[column].tolist()
    assert frame["bytes"].tolist() == [Path(path).stat().st_size for path in frame["path"]]


def test_no_checkpoints_and_no_torch(trained: Settings) -> None:
    frame = harness.checkpoints(RESULTS)
    assert frame.empty and {"run_id", "step", "path", "bytes", "seed"} <= set(frame.columns)
    assert "torch" not in loaded_after(["--help"])


def test_what_is_no_checkpoint_is_refused_in_a_line(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "no.safetensors").write_bytes(b"\x80\x04 a pickle, say")
    with pytest.raises(UserError, match=r"no\.safetensors: cannot be read"):
        harness.load_model(tmp_path / "no.safetensors")
    with pytest.raises(UserError, match=r"gone\.safetensors: cannot be read"):
        harness.load_model(tmp_path / "gone.safetensors")
    path = Path(harness.checkpoints(RESULTS)["path"].iloc[0])
    with safe_open(path, framework="np") as file:
        about = json.loads(file.metadata()["harness"])
    for shape, told in [
        ({"width": 10**12, "depth": 1}, "its tensors are not those of family=mlp"),
        ("x", "its header"),
    ]:
        header = {"harness": json.dumps(about | {"settings": about["settings"] | {"shape": shape}})}
        save_file(load_file(path), tmp_path / "other.safetensors", metadata=header)
        with pytest.raises(UserError, match=rf"other\.safetensors: {told}"):
            harness.load_model(tmp_path / "other.safetensors")


def test_links_and_pipes_are_not_followed(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_id, _, path = next(kept_files(RESULTS))
    (kept / run_id / "step-2.safetensors").symlink_to(path.resolve())
    os.mkfifo(kept / run_id / "step-3.safetensors")
    assert "nothing is wrong" in run(capsys, "verify", *TINY).out
    assert len(harness.checkpoints(RESULTS)) == 8
