"""Checkpoints on disk: what is read back, what is left alone, and a sweep that was killed."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from threading import Event

import pytest
import torch
from command import TINY, run, start
from safetensors.torch import save_file
from tiny import SignOfSum, job_of, make_settings

from harness.families.mlp import MLP
from harness.ladder import Job
from harness.records.store import load
from harness.settings import Settings
from harness.sweeping import checkpoints
from harness.sweeping.checkpoints import JobCheckpoints, checkpoint_path, interrupted
from harness.sweeping.failures import JobStopped
from harness.sweeping.plan import cells
from harness.sweeping.worker import run_job
from harness.training.state import State

STATE = State(
    7,
    {"params": torch.randn(2, 5), "loss_sum": torch.zeros(())},
    {"stopping": [[float("inf"), 0]], "loss": 0.1 + 0.2, "none": float("nan")},
)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return job_of(make_settings(MLP(), SignOfSum(), results=str(tmp_path / "own"), seeds=2))


def test_what_is_written_is_read_to_the_bit(job: Job) -> None:
    kept = JobCheckpoints(job)
    assert kept.read() is None and not kept.due
    kept.write(STATE)
    found = JobCheckpoints(job).read()
    assert found is not None and found.step == 7 and found.tensors.keys() == STATE.tensors.keys()
    for name, tensor in STATE.tensors.items():
        torch.testing.assert_close(found.tensors[name], tensor, rtol=0, atol=0)
    assert repr(found.facts) == repr(STATE.facts)
    kept.remove()
    assert JobCheckpoints(job).read() is None


def test_one_that_cannot_be_written_is_not_the_last(job: Job) -> None:
    """As on a disk that is full for a moment."""
    kept = JobCheckpoints(job)
    kept.every_s = 0.0
    checkpoint_path(job).mkdir(parents=True)
    kept.write(STATE)
    assert kept.read() is None and kept.due
    checkpoint_path(job).rmdir()
    kept.write(STATE)
    assert kept.step == STATE.step


@pytest.mark.parametrize("changed", ["seeds", "training__evaluations", "ladder__steps"])
def test_that_of_another_job_is_left_alone(job: Job, changed: str) -> None:
    JobCheckpoints(job).write(STATE)
    settings = {"results": job.settings.results, "seeds": 2} | {changed: 3}
    other = job_of(make_settings(MLP(), SignOfSum(), **settings))
    os.rename(checkpoint_path(job), checkpoint_path(job).with_name("x"))
    os.rename(checkpoint_path(job).with_name("x"), checkpoint_path(other))
    assert JobCheckpoints(other).read() is None


def test_that_of_other_code_is_left_alone(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    JobCheckpoints(job).write(STATE)
    monkeypatch.setattr(checkpoints, "digest_with", lambda *classes: "other")
    assert JobCheckpoints(job).read() is None


@pytest.mark.parametrize("damaged", [b"", b"{}", b"\xff" * 100])
def test_a_damaged_one_is_as_good_as_none(job: Job, damaged: bytes) -> None:
    JobCheckpoints(job).write(STATE)
    whole = checkpoint_path(job).read_bytes()
    flipped = bytearray(whole)
    flipped[-3] ^= 1
    for content in (damaged, whole[:-3], whole[:50], whole[: len(whole) // 2], bytes(flipped)):
        checkpoint_path(job).write_bytes(content)
        assert JobCheckpoints(job).read() is None


@pytest.mark.parametrize(
    "stated",
    ["[" * 5000, "null", '{"about": 1}', '{"about": ABOUT, "step": 1}', '{"about": ABOUT, "step": {}, "facts": {}}'],
)
def test_one_with_a_damaged_header_is_as_good_as_none(job: Job, stated: str) -> None:
    kept = JobCheckpoints(job)
    about = stated.replace("ABOUT", json.dumps(kept.about))
    kept.path.parent.mkdir(parents=True)
    save_file({"params": torch.zeros(2)}, kept.path, metadata={"harness": about})
    assert kept.read() is None and kept.step is None


def test_one_that_cannot_be_written_costs_no_run(job: Job, tmp_path: Path) -> None:
    (tmp_path / "own").write_text("a file where the folder would be")
    kept = JobCheckpoints(job)
    kept.write(STATE)
    assert not kept.due


def test_a_job_that_is_asked_to_stop_writes_one_and_is_interrupted(
    study: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job, asked = cells(study)[0], Event()
    asked.set()
    monkeypatch.setattr(checkpoints, "ASKED_TO_STOP", asked)
    with pytest.raises(JobStopped):
        run_job(job, None)
    assert JobCheckpoints(job).step == 1
    assert interrupted(Path(job.settings.results)) == {member.run_id for member in job.members}
    shown = run(capsys, "status", *TINY, "ladder.steps=[5,10]", "seeds=3", "optimizer.lr=[0.1,0.2]").out
    assert re.search(r"interrupted +pending *$", shown, re.MULTILINE)
    assert re.search(r"main +0 +4 +1 +5 +- +- +- +- +6 +- *$", shown, re.MULTILINE)
    job.settings.training.checkpoint_s = None
    JobCheckpoints(job).remove()
    with pytest.raises(JobStopped):
        run_job(job, None)
    assert JobCheckpoints(job).step is None


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_ends_with_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*TINY, "ladder.widths=[8]", "ladder.steps=6000", "training.checkpoint_s=0.05"]
    process = start("sweep", *words, "name=killed", cwd=tmp_path)
    folder = tmp_path / "results" / "killed" / ".sweep" / "checkpoints"
    deadline = time.monotonic() + 60
    while not list(folder.glob("*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(folder.glob("*.safetensors"))
    again = run(capsys, "sweep", *words, "name=killed")
    assert again.code == 0 and "1 job goes on from its checkpoint" in again.out
    assert not folder.exists()
    assert run(capsys, "sweep", *words, "name=whole").code == 0
    columns = ["run_id", "step", "metric", "subtask", "split", "value"]
    killed, whole = (
        load(tmp_path / "results" / name, steps="all")[columns].sort_values(columns[:-1]).reset_index(drop=True)
        for name in ("killed", "whole")
    )
    assert killed.equals(whole)
