"""Two sweeps of one results folder at once: they share its runs, and one goes on where the other ends."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import TINY, run, start, wait
from rich.console import Console

from harness.ladder import Job
from harness.records.store import collect, finished_run_ids, load_runs
from harness.settings import Settings
from harness.sweeping import pool
from harness.sweeping.claims import in_training
from harness.sweeping.display import Lines
from harness.sweeping.plan import cells, pending
from harness.sweeping.pool import run_jobs
from harness.sweeping.processes import Processes
from harness.sweeping.share import Shares, joined
from harness.sweeping.worker import run_job

RESULTS = Path("results/tiny")

#: Eight jobs of one run, of a second or so each.
STUDY = (*TINY, "ladder.widths=[4]", "seeds=8", "launcher.members_together=1", "launcher.workers=1")


class Scene(Lines):
    """Lets the other sweep act when this one has nothing left but to wait."""

    def __init__(self, jobs: list[Job]) -> None:
        super().__init__(Console(quiet=True), jobs, lambda job: 1.0)
        self.said: list[str] = []
        self.act = lambda: None

    def say(self, line: str) -> None:
        self.said.append(line)
        self.act()


def test_runs_of_another_sweep_are_waited_for_and_what_it_gives_up_is_taken_over(
    study: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ASKED_AGAIN_S", 0.1)
    study.launcher.members_together = 1
    jobs = [job for cell in cells(study) for job in pending(cell, {}, "cpu")][:4]
    with joined(Path(study.results)) as mine, joined(Path(study.results)) as its:
        mine.look()
        its.look()
        assert its.take(jobs[0]).mine and its.take(jobs[1]).mine
        scene = Scene(jobs)

        def end() -> None:
            run_job(jobs[0], None)
            its.claims.release_all()

        scene.act = end
        ended = run_jobs(jobs, Processes(1), None, scene, Shares([mine]))
        assert mine.claims.mine == {}
    assert [end.elsewhere for end in ended].count(True) == 1
    assert [end.status for end in ended] == ["finished"] * 4
    (line,) = scene.said
    assert line.startswith("waits for 2 runs that another sweep (process")


@pytest.mark.parametrize("killed", [False, True], ids=["both end", "one is killed"])
def test_two_commands_share_the_runs_of_a_folder(
    killed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (*STUDY, f"ladder.steps={4000 if killed else 400}")
    sweeps = [start("sweep", *words, cwd=tmp_path) for _ in range(2)]
    if killed:
        _kill_one_in_training(sweeps)
    ran = [wait(sweep, timeout_s=120) for sweep in sweeps]
    assert sorted(each.code for each in ran) == ([-signal.SIGKILL, 0] if killed else [0, 0]), ran
    n_trained = [int(n) for each in ran for n in re.findall(r"^Trained (\d+): \d+ finished\.$", each.out, re.MULTILINE)]
    if not killed:
        assert sum(n_trained) == 8 and len(n_trained) == 2
    assert list(finished_run_ids(RESULTS).values()) == ["finished"] * 8
    assert collect(RESULTS).problems == ()
    assert load_runs(RESULTS)["run_id"].nunique() == 8
    assert "Nothing to train" in run(capsys, "sweep", *words).out
    assert not list(RESULTS.glob(".sweep/*/*"))


def _kill_one_in_training(sweeps: list[subprocess.Popen[str]], timeout_s: float = 60) -> None:
    until = time.monotonic() + timeout_s
    while len(training := [job for job in in_training(RESULTS) if job.step]) < 2:
        assert time.monotonic() < until and all(sweep.poll() is None for sweep in sweeps), "they do not train at once"
        time.sleep(0.05)
    assert len({job.run_ids for job in training}) == len(training)
    sweeps[0].kill()
