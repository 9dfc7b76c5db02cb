"""What a plan says of jobs that are to train elsewhere, asked on a machine that lacks what they train on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from command import TINY, run


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_plan_for_slurm_is_of_its_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "plan", *TINY, "launcher=slurm", "launcher.cpus_per_task=16", "launcher.gpus_per_run=8")
    assert said.code == 0 and "As a Slurm array: 1 task of 2 workers, the longest about" in said.out


@pytest.mark.skipif(torch.cuda.is_available(), reason="is of a login node without a GPU")
def test_a_plan_for_gpus_that_are_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(
        capsys,
        "plan",
        *TINY,
        "launcher=slurm",
        "training.device=auto",
        "launcher.gpus_per_node=4",
        "launcher.gpus_per_run=4",
    )
    assert said.code == 0 and "1 task of 1 worker" in said.out and "(cuda)" in said.out


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["launcher.gpus_per_run=4"], "launcher.gpus_per_run=4: allowed is at most 1: a task has 1 core"),
        (["training.device=mps"], "training.device=mps: allowed is cpu, cuda or auto with launcher=slurm"),
        (["training.device=cuda"], "launcher.gpus_per_node=None: allowed is at least 1"),
    ],
)
def test_what_tasks_lack_is_said_in_a_line(capsys: pytest.CaptureFixture[str], settings: list[str], said: str) -> None:
    told = run(capsys, "plan", *TINY, "launcher=slurm", *settings)
    assert told.code == 2 and said in told.err and told.err.count("\n") == 1
