"""Which jobs are made, what they are predicted to cost, and how that is shown."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import REPOSITORY, TINY
from recurrent import Recurrent
from rich.console import Console
from tiny import NextSymbol, make_settings

from harness.config import compose
from harness.errors import SettingError, UserError
from harness.records.schema import RUNS
from harness.records.writer import to_table
from harness.settings import Settings
from harness.sweep.cost import SETUP_S, CostModel, Speed, cost_model, fit_speed
from harness.sweep.display import Bars, Lines, Overall, duration
from harness.sweep.lock import holder, locked
from harness.sweep.plan import cells, pending, single_job, worker_count
from harness.sweep.progress import Reporter, progress_path, read_progress, running
from harness.sweep.run import sweep
from harness.sweep.runs_row import git_revision, run_row
from harness.sweep.worker import Ended
from harness.training.loop import Progress


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    (study,) = compose(*TINY, "ladder.steps=[5,10]", "seeds=3", "optimizer.lr=[0.1,0.2]")
    return study


def test_cells_cross_rungs_with_durations_and_members(study: Settings) -> None:
    planned = cells(study)
    assert [(cell.rung.index, cell.duration) for cell in planned] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [(m.seed, m.lr) for m in planned[0].members] == [(s, lr) for lr in (0.1, 0.2) for s in (0, 1, 2)]
    ids = [m.run_id for cell in planned for m in cell.members]
    assert len(set(ids)) == 24


def test_members_share_a_job_as_the_family_and_device_like_it(study: Settings) -> None:
    cell = cells(study)[0]
    assert [len(job.members) for job in pending(cell, {}, "cpu")] == [6]
    study.launcher.members_together = 4
    assert [len(job.members) for job in pending(cell, {}, "cpu")] == [4, 2]
    (transformer,) = compose("family=transformer", "task=copy", "ladder.steps=5", "seeds=3")
    alone = cells(transformer)[0]
    assert [len(job.members) for job in pending(alone, {}, "cpu")] == [1, 1, 1]
    assert [len(job.members) for job in pending(alone, {}, "cuda")] == [3]


def test_a_family_that_vmap_cannot_run_trains_alone_and_is_named_once(tmp_path: Path) -> None:
    settings = make_settings(Recurrent(), NextSymbol(), ladder__steps=2, seeds=2, results=str(tmp_path))
    for device in ("cpu", "cuda"):
        assert [len(job.members) for cell in cells(settings) for job in pending(cell, {}, device)] == [1] * 4
    out = io.StringIO()
    assert sweep([settings], Console(file=out, width=200)) == 0
    lines = [line for line in out.getvalue().splitlines() if "vmap" in line]
    reason = "Batching rule not implemented for aten::gru.input"
    (line,) = lines
    assert line.startswith(f"main: family=recurrent trains one member at a time; vmap cannot run several: {reason}")
    assert "Trained 4: 4 finished." in out.getvalue()


def test_done_runs_are_skipped_and_failed_ones_are_not(study: Settings) -> None:
    cell = cells(study)[0]
    ids = [m.run_id for m in cell.members]
    known = dict(zip(ids, ["finished", "diverged", "failed"], strict=False))
    (job,) = pending(cell, known, "cpu")
    assert [m.run_id for m in job.members] == ids[2:]


def test_single_job(study: Settings) -> None:
    study.rung, study.seed = 1, 7
    job = single_job(study)
    assert (job.rung.index, job.steps, job.members[0].seed, job.members[0].lr) == (1, 5, 7, 0.1)
    study.rung = 2
    with pytest.raises(SettingError, match="rung=2: allowed is 0 to 1"):
        single_job(study)


def test_workers(study: Settings) -> None:
    assert worker_count(study, "cpu") == len(os.sched_getaffinity(0))
    assert worker_count(study, "cuda") == 1
    study.launcher.workers = 5
    assert worker_count(study, "cuda") == 5


def test_rows_fit_the_schema(study: Settings) -> None:
    job = cells(study)[1]
    row = run_row(job, job.members[0], "diverged", error="why", done=0.5, git_revision=git_revision())
    assert to_table("runs", [row], "test").schema == RUNS
    assert (row["steps"], row["tokens"], row["flops"]) == (10, 40, job.flops / 2)
    assert row["params_total"] == sum(row[f"params_{g}"] for g in ("embedding", "attention", "mlp", "norm", "head"))
    assert json.loads(row["config"])["notes"] == ""
    assert "harness" in json.loads(row["versions"])


def test_fitted_speed_recovers_a_planted_one() -> None:
    flops = np.array([1e6, 1e7, 1e8, 1e9])
    # Noise of 5 % on four points: an overhead known to 10 % and a speed known to 10 % are 1.5 sigma and more away.
    noise = 1 + 0.05 * np.random.default_rng(0).standard_normal(4)
    speed = fit_speed(flops, (2e-3 + flops / 1e10) * noise)
    assert speed is not None
    assert speed.overhead_s == pytest.approx(2e-3, rel=0.15)
    assert speed.flops_per_s == pytest.approx(1e10, rel=0.15)
    assert fit_speed(flops[:1], flops[:1]) is None
    assert fit_speed(flops, np.array([1.0, 0.1, 0.01, 0.001])) is None


def test_cost_of_a_job(study: Settings, tmp_path: Path) -> None:
    job = cells(study)[0]
    assert Speed(0.1, 1e9).seconds(job) == pytest.approx(SETUP_S + 5 * 0.1 + 6 * job.flops / 1e9)
    assert cost_model(tmp_path).source("mlp") == "a rough model"
    assert CostModel({"mlp": Speed(1, 1)}).source("mlp") == "finished runs"
    assert CostModel().bytes(job) > 3e8


def test_progress_files(study: Settings) -> None:
    job = cells(study)[0]
    with Reporter(job) as report:
        report(Progress(3, 5, (1.0, 2.0, float("nan"))))
        (state,) = running(Path(study.results))
        assert (state.step, state.steps, state.loss, state.pid) == (3, 5, 1.5, os.getpid())
        assert state == read_progress(progress_path(job))
        assert len(state.run_ids) == 6
    assert list(running(Path(study.results))) == []


def test_half_written_progress_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"label": "x"')
    (tmp_path / "b.json").write_text("[]")
    assert read_progress(tmp_path / "a.json") is read_progress(tmp_path / "b.json") is read_progress(tmp_path) is None


def test_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with locked(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with pytest.raises(UserError, match=f"process {os.getpid()}"), locked(tmp_path):
            pass
    assert holder(tmp_path) is None
    killed = "import os, sys; from pathlib import Path; from harness.sweep.lock import locked\n"
    killed += "with locked(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    assert subprocess.run([sys.executable, "-c", killed, str(tmp_path)], env=environment).returncode == -9
    assert holder(tmp_path) is None


def test_lock_clears_what_a_killed_sweep_left(tmp_path: Path) -> None:
    (tmp_path / ".sweep").mkdir()
    (tmp_path / "pieces").mkdir()
    left = [tmp_path / ".sweep" / "x.json", tmp_path / "pieces" / ".x.runs.parquet.9.tmp"]
    kept = tmp_path / "pieces" / "x.runs.parquet"
    for path in (*left, kept):
        path.touch()
    with locked(tmp_path):
        assert not any(path.exists() for path in left)
    assert kept.exists()


def test_lines_say_what_ended_without_control_codes(study: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    job = cells(study)[0]
    with Lines(Console(force_terminal=False), [job], lambda job: 1.0) as lines:
        lines.ended(job, [Ended("run a", "finished"), Ended("run b", "failed", "[bold]why[/bold]")])
    printed = capsys.readouterr().out
    assert "[1/1] main rung 0 (width 4, depth 1), 5 steps: 1 finished, 1 failed; 0 s left" in printed
    assert "run b failed: [bold]why[/bold]" in printed
    assert "\x1b" not in printed


def test_bars_show_rung_members_steps_and_loss(study: Settings) -> None:
    shown = io.StringIO()
    job, other = (cells(study)[i] for i in (0, 3))
    with Bars(Console(file=shown, force_terminal=True, width=150), [job, other], lambda job: 1.0) as bars:
        with Reporter(job) as report:
            report(Progress(3, 5, (1.5, 2.5)))
            bars.refresh([job, other])
        bars.ended(job, [Ended("run a", "failed", "why")])
        bars.refresh([other])
    for words in ("main rung 0 (width 4, depth 1), 6 members", "3/5", "loss 2.000", "1/2", "run a failed: why"):
        assert words in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.getvalue())


def test_overall_weighs_jobs_by_their_cost(study: Settings) -> None:
    small, large = (cells(study)[i] for i in (0, 3))
    overall = Overall([small, large], lambda job: 3.0 if job is large else 1.0)
    overall.end(large)
    assert overall.share == 0.75
    assert overall.part(small, step=2) == pytest.approx(0.25 * 2 / 5)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.7, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (np.nan, "?")]
)
def test_duration_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
