"""Which jobs a study is made of, and which of them are still to be done."""

from __future__ import annotations

import io
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from command import TINY
from recurrent import Recurrent
from rich.console import Console
from tiny import NextSymbol, make_settings

from harness.config import compose
from harness.errors import SettingError
from harness.ladder import Job, member, rung_of_size
from harness.settings import Settings
from harness.sweeping.plan import cells, pending, recorded_cells, recorded_rung, single_job, worker_count
from harness.sweeping.run import sweep
from harness.sweeping.runs_row import run_row


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
    (transformer,) = compose("family=transformer", "task=copy", "ladder.widths=[128]", "ladder.steps=5", "seeds=3")
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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threads": 5}, "launcher.threads=5: allowed is at most 4, the cores that this process may use"),
        ({"threads": 2, "workers": 3}, "launcher.workers=3: allowed is at most 2 with launcher.threads=2"),
        ({"step": "captured"}, "launcher.step=captured: allowed is one of auto, replayed, compiled on cpu"),
    ],
)
def test_what_the_machine_does_not_have_is_refused(study: Settings, monkeypatch, changes, said: str) -> None:
    monkeypatch.setattr("harness.sweeping.plan.cores", lambda: 4)
    with pytest.raises(SettingError, match=re.escape(said)):
        worker_count(replace(study, launcher=replace(study.launcher, **changes)), "cpu")
    assert worker_count(replace(study, launcher=replace(study.launcher, threads=2)), "cpu") == 2


def test_recorded_cells_are_the_runs_of_these_settings_on_the_ladder_or_off_it(study: Settings) -> None:
    own = cells(study)[1]
    elsewhere = rung_of_size(study, 6, 1, index=7)
    assert elsewhere is not None
    off = Job(study, elsewhere, 0, (member(study, elsewhere, 0, seed=9, lr=0.2),))
    (other,) = compose(*TINY, "ladder.steps=[5,10]", "seeds=3", "optimizer.lr=[0.1,0.2]", "task.n_bits=9")
    jobs = (own, off, cells(other)[0])
    rows = [run_row(job, each, "finished") for job in jobs for each in job.members]
    found = recorded_cells(study, rows)
    assert [(cell.rung.index, cell.duration, cell.rung.shape.width) for cell in found] == [(0, 1, 4), (7, 0, 6)]
    assert found[0].members == own.members
    assert found[1].members == off.members


def test_a_size_that_cannot_be_built_is_none() -> None:
    (study,) = compose("family=transformer", "task=copy", "ladder.steps=5", "ladder.head_width=8")
    rounded = rung_of_size(study, 17, 1, index=3)
    assert rounded is not None
    assert (rounded.index, rounded.shape.width) == (3, 16)
    row = {"width": 17, "depth": 1, "heads": 2, "rung": 3}
    assert recorded_rung(study, row) is None
    built = recorded_rung(study, row | {"width": 16})
    assert built is not None
    assert (built.index, built.shape) == (3, rounded.shape)
