"""launcher=slurm, against a Slurm that runs: equal to a sweep here, cut off and gone on, killed and noticed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import one_node_slurm
import pandas as pd
import pytest
from command import TINY, run
from pandas.testing import assert_frame_equal

import harness
from harness.records.store import finished_run_ids
from harness.sweeping.checkpoints import interrupted
from harness.sweeping.claims import in_training
from harness.sweeping.launchers.standing import standings
from harness.sweeping.presence import read_sweeper

pytestmark = pytest.mark.skipif(not one_node_slurm.is_installed(), reason="needs slurmd (Debian: slurm-wlm, munge)")

RESULTS = Path("results/tiny")
#: Two tasks of a run each.
ARRAY = (*TINY, "launcher=slurm", "launcher.step=replayed", "ladder.widths=[4]", "launcher.members_together=1")


@pytest.fixture(scope="module", autouse=True)
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with one_node_slurm.running(tmp_path_factory.mktemp("slurm")):
        yield


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(harness.__file__).parents[1]))


def values(folder: str) -> pd.DataFrame:
    frame = harness.load(folder).sort_values(["run_id", "step", "split", "subtask", "metric"])
    return frame[["run_id", "step", "metric", "subtask", "value"]].reset_index(drop=True)


def until(condition: object, seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_an_array_gives_what_a_sweep_here_gives(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "sweep", *ARRAY, "--wait")
    assert said.code == 0
    assert "Submitted 2 runs in 1 task as Slurm job" in said.out and "2 runs: 2 finished." in said.out
    run(capsys, "sweep", *ARRAY, "launcher=local", "name=here")
    assert_frame_equal(values("results/tiny"), values("results/here"))
    assert "Nothing to train" in run(capsys, "sweep", *ARRAY).out


def test_what_is_cut_off_goes_on_and_what_is_killed_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    long = [*ARRAY, "ladder.steps=10000", "launcher.minutes=0.1"]  # so short that each run gets a task
    run(capsys, "sweep", *long)
    assert "2 runs are in the queue or in training already" in run(capsys, "sweep", *long).out
    until(lambda: len([job for job in in_training(RESULTS) if job.step]) == 2)
    assert "2 tasks: 2 running" in run(capsys, "status", str(RESULTS)).out
    (standing,) = standings(RESULTS)
    submission = standing.submission
    subprocess.run(["scancel", "--signal=USR1", f"{submission.array_id}_0"], check=True)
    (start,) = submission.starts(1)
    sweeper = read_sweeper(RESULTS, start.sweeper)
    assert sweeper is not None
    os.kill(sweeper.pid, signal.SIGKILL)
    until(lambda: [each.lost for each in standings(RESULTS) if not each.under_way])
    assert len(submission.starts(0)) >= 2, "it has queued itself again"
    assert "1 run lost" in run(capsys, "status", str(RESULTS)).out
    assert "Submitted 1 run in 1 task" in run(capsys, "sweep", *long).out
    until(lambda: not standings(RESULTS))
    assert list(finished_run_ids(RESULTS).values()) == ["finished"] * 2
    assert set(harness.load(RESULTS)["step"]) >= {10000}


def test_what_is_cancelled_is_submitted_again(capsys: pytest.CaptureFixture[str]) -> None:
    long = [*ARRAY, "ladder.steps=100000000", "launcher.minutes=1000000"]
    run(capsys, "sweep", *long)
    until(lambda: any(job.step for job in in_training(RESULTS)))
    assert "cancelled Slurm job" in run(capsys, "cancel", str(RESULTS)).out
    until(lambda: interrupted(RESULTS) and not any(each.under_way for each in standings(RESULTS)))
    assert "nothing is in the queue" in run(capsys, "cancel", str(RESULTS)).out
    assert "2 cancelled; 2 runs cancelled" in run(capsys, "status", str(RESULTS)).out
    assert "2 cancelled; 2 runs cancelled" in run(capsys, "status", *long).out
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("PATH", "")
        assert "cannot be asked: launcher=slurm: Slurm's squeue is not" in run(capsys, "status", str(RESULTS)).out
    assert "Submitted 2 runs" in run(capsys, "sweep", *long).out
    run(capsys, "cancel", str(RESULTS))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("launcher.partition=gpu", "launcher.partition=gpu: allowed is one of high, low, short"),
        ("+launcher.partition=short", "at most 5, the limit of partition short"),
        ("launcher.memory_gb=100000", "Slurm refuses the jobs: "),
        ("launcher.additional=5", "launcher.additional=5: allowed is options over values"),
        ("training.device=cuda", "launcher.gpus_per_node=None: allowed is at least 1"),
    ],
)
def test_what_slurm_would_refuse_is_said_in_a_line(capsys: pytest.CaptureFixture[str], setting: str, said: str) -> None:
    told = run(capsys, "sweep", *ARRAY, setting, *(["launcher.minutes=6"] if "short" in setting else []))
    assert told.code == 2 and said in told.err and told.err.count("\n") == 1


def test_why_a_task_never_starts_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "sweep", *ARRAY, "launcher.cpus_per_task=1000")
    until(lambda: "PartitionConfig is why" in run(capsys, "status", str(RESULTS)).out)
    run(capsys, "cancel", str(RESULTS))


def test_without_slurm(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    told = run(capsys, "sweep", *ARRAY)
    assert told.code == 2 and "Slurm's sinfo is not on this machine's PATH" in told.err


def test_other_code_is_refused_on_the_node(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "sweep", *ARRAY)
    (path,) = RESULTS.glob(".sweep/submissions/*/submission.json")
    path.write_text(path.read_text().replace(harness.__version__, "0.0.1"))
    until(lambda: not any(each.under_way for each in standings(RESULTS)))
    assert "and 0.0.1 submitted these jobs" in run(capsys, "status", str(RESULTS)).out
