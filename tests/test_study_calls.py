"""harness.sweep and harness.plan, called from Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command import REPOSITORY, TINY, run
from pandas.testing import assert_frame_equal

import harness
from harness.errors import RunsWarning, UserError
from harness.ladder import Job
from harness.records.store import finished_run_ids
from harness.sweeping import run as verbs
from harness.sweeping.failures import Ended, JobError
from harness.sweeping.progress import running
from harness.sweeping.worker import run_job, write_failure

RESULTS = Path("results/tiny")
#: What `TINY` says, as a Python caller would.
STUDY: dict[str, Any] = {
    "name": "tiny",
    "family": "mlp",
    "task": "parity",
    "seeds": 2,
    "ladder": {"widths": [4, 8], "steps": 5, "batch_size": 8},
    "task.n_subtasks": 4,
    "task.n_eval_per_subtask": 16,
    "training": {"evaluations": 2, "device": "cpu"},
}


class InThisProcess:
    """Trains jobs here, for starting a pool costs seconds; those of the width `failing` fail."""

    failing = 0

    def __call__(
        self, jobs: Sequence[Job], workers: int, revision: str | None, *_: object, **__: object
    ) -> list[Ended]:
        ended = []
        for job in jobs:
            try:
                if job.rung.shape.width == self.failing:
                    raise JobError("no luck today")
                ended += run_job(job, revision)
            except JobError as error:
                ended += write_failure(job, str(error), revision)
        return ended


@pytest.fixture(autouse=True)
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InThisProcess:
    monkeypatch.chdir(tmp_path)
    pool = InThisProcess()
    monkeypatch.setattr(verbs, "run_jobs", pool)
    return pool


def test_sweep_gives_what_load_gives(capsys: pytest.CaptureFixture[str]) -> None:
    frame = harness.sweep(STUDY)
    assert frame.attrs["results"] == str(RESULTS)
    assert_frame_equal(frame, harness.load(RESULTS), check_like=True)
    assert "Nothing to train" in run(capsys, "sweep", *TINY).out, "the same runs as of the command line"


@pytest.mark.filterwarnings("error")
def test_a_second_call_trains_nothing_and_only_its_own_runs_are_in_the_frame(pool: InThisProcess) -> None:
    first = harness.sweep(STUDY)
    harness.sweep(STUDY, study="another")
    pool.failing = 4
    assert_frame_equal(harness.sweep(*TINY), first)
    assert set(harness.sweep(*TINY, seeds=1)["seed"]) == {0, 1}, "seeds of an earlier sweep are of the same curve"


def test_nothing_is_written_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    harness.sweep(STUDY)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Trained 4: 4 finished." in printed.err


def test_runs_that_failed_are_warned_of_and_tried_again(pool: InThisProcess) -> None:
    pool.failing = 8
    with pytest.warns(RunsWarning, match="not in the frame: failed: 2 runs of main, rung 1: no luck today") as told:
        frame = harness.sweep(STUDY)
    assert [warning.filename for warning in told] == [__file__]
    assert set(frame["width"]) == {4}
    pool.failing = 0
    assert set(harness.sweep(STUDY)["width"]) == {4, 8}


def test_warnings_of_runs_left_out_point_at_the_callers_line() -> None:
    with pytest.warns(RunsWarning, match="are left out: shorter") as told:
        harness.sweep(STUDY, {"ladder.steps": [2, 3]})
    assert [warning.filename for warning in told] == [__file__]


def test_where_nothing_finishes_the_error_says_why(pool: InThisProcess) -> None:
    pool.failing = 8
    with pytest.raises(UserError, match="no run has finished: failed: 2 runs of main, rung 0: no luck today"):
        harness.sweep(STUDY, {"ladder.widths": [8]})


@pytest.mark.parametrize(
    ("call", "command"),
    [
        ({"lr": 0.1}, "lr=0.1"),
        ({"experiment": "quickstrt"}, "experiment=quickstrt"),
        ({"optimizer.lr": -1}, "optimizer.lr=-1"),
        ({"ladder": {"width": [1]}}, "ladder.width=[1]"),
        ({"task.k": 99}, "task.k=99"),
    ],
)
@pytest.mark.parametrize("verb", ["sweep", "plan"])
def test_mistakes_are_told_as_on_the_command_line(
    verb: str, call: dict[str, Any], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError) as raised:
        getattr(harness, verb)(STUDY, call)
    assert run(capsys, verb, *TINY, command).err == f"harness: {raised.value}\n"
    assert raised.value.__suppress_context__ or raised.value.__context__ is None, "a notebook shows every frame"


def test_names_with_any_characters() -> None:
    name = "a b, c=d 'e'"
    assert set(harness.sweep(STUDY, name=name)["experiment"]) == {name}
    assert len(finished_run_ids(Path("results", name))) == 4


def test_plan_has_a_row_a_rung() -> None:
    rungs = harness.plan(STUDY, {"ladder.steps": [5, 10]})
    assert rungs[["width", "steps", "runs", "runs_to_do"]].to_numpy().tolist() == [
        *([4, 5, 2, 2], [4, 10, 2, 2]),
        *([8, 5, 2, 2], [8, 10, 2, 2]),
    ]
    assert not Path("results").exists()
    frame = harness.sweep(STUDY)
    rungs = harness.plan(STUDY)
    assert rungs["runs_to_do"].tolist() == [0, 0]
    of_runs = frame.drop_duplicates("rung").set_index("rung")
    for column in ("family", "task", "params_total", "params_mlp", "params_non_embedding"):
        assert (rungs.set_index("rung")[column] == of_runs[column]).all()
    assert (rungs.set_index("rung")["flops"] == of_runs["flops_run"]).all()
    assert (rungs[["predicted_s", "predicted_bytes"]] > 0).all(axis=None)
    assert rungs.attrs["results"] == str(RESULTS) and rungs.attrs["device"] == "cpu"


def test_calls_from_several_threads() -> None:
    with ThreadPoolExecutor(4) as threads:
        plans = list(threads.map(lambda seeds: harness.plan(STUDY, seeds=seeds), range(1, 5)))
    assert [set(rungs["runs"]) for rungs in plans] == [{1}, {2}, {3}, {4}]


def test_own_configs_and_classes_are_found_in_the_current_folder() -> None:
    Path("conf/task").mkdir(parents=True)
    Path("conf/task/own_parity.yaml").write_text(
        "_target_: own_parity.OwnParity\nn_subtasks: 4\nn_eval_per_subtask: 9\n"
    )
    Path("own_parity.py").write_text(
        "from dataclasses import dataclass\nfrom harness.tasks.parity import Parity\n"
        "@dataclass\nclass OwnParity(Parity):\n    name = 'own parity'\n"
    )
    assert set(harness.plan(STUDY, task="own_parity")["task"]) == {"own parity"}


def test_a_module_that_calls_while_it_is_imported_is_told_so() -> None:
    Path("calls_itself.py").write_text(
        "import harness\nfrom harness.tasks.parity import Parity\n"
        "class Own(Parity): pass\n"
        "harness.sweep('family=mlp', 'task=parity', 'task._target_=calls_itself.Own')\n"
    )
    with pytest.raises(UserError, match=r'calls_itself.*if __name__ == "__main__"'):
        harness.plan(STUDY, {"task._target_": "calls_itself.Own"})
    assert len(harness.plan(STUDY)) == 2, "the next call is made as usual"


def test_classes_of_the_script_itself_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.tasks.parity import Parity

    own = type("Own", (Parity,), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "Own", own, raising=False)
    with pytest.raises(UserError, match=r"task\._target_=__main__\.Own: .* file of its own"):
        harness.sweep(STUDY, {"task._target_": "__main__.Own"})


SCRIPT = """
import harness
frame = harness.sweep({study!r}, {{"ladder.steps": {steps}, "ladder.widths": [4], "launcher.workers": 2}})
frame.to_parquet("frame.parquet")
"""


def test_a_script_without_a_main_guard_is_interrupted_and_goes_on(tmp_path: Path) -> None:
    def start(steps: object) -> subprocess.Popen[str]:
        Path("script.py").write_text(SCRIPT.format(study=STUDY, steps=steps))
        return subprocess.Popen(
            [sys.executable, "script.py"],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    # One duration ends at once, the other would take hours.
    script = start([5, 100_000_000])
    started = time.monotonic()
    while not (training := [job for job in running(RESULTS) if job.step]) or len(finished_run_ids(RESULTS)) < 2:
        assert time.monotonic() - started < 60 and script.poll() is None
        time.sleep(0.1)
    os.killpg(script.pid, signal.SIGINT)
    _, err = script.communicate(timeout=30)
    said = (
        "stopped: 2 runs in training have written their checkpoints; "
        "finished runs are kept, and the same call goes on from there"
    )
    assert err.rstrip().endswith(f"KeyboardInterrupt: {said}")
    assert "freeze_support" not in err
    for job in training:
        with pytest.raises(ProcessLookupError):
            os.kill(job.pid, 0)
    assert list(finished_run_ids(RESULTS).values()) == ["finished", "finished"]
    _, err = (again := start([5, 10])).communicate(timeout=60)
    assert again.returncode == 0, err
    assert "Trained 2: 2 finished." in err
    assert set(pd.read_parquet("frame.parquet")["step"]) == {10}
