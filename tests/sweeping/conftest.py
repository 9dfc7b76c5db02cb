"""The study that tests of the sweep share, and its runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from command import TINY

from harness.config import compose
from harness.ladder import Job
from harness.settings import Settings
from harness.sweeping import run as verbs
from harness.sweeping.failures import Ended, JobError
from harness.sweeping.plan import cells
from harness.sweeping.worker import run_job, write_failure


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two rungs at two durations, three seeds at two learning rates; in an empty folder."""
    monkeypatch.chdir(tmp_path)
    (study,) = compose(*TINY, "ladder.steps=[5,10]", "seeds=3", "optimizer.lr=[0.1,0.2]")
    return study


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run in this process: starting a pool costs seconds, and other tests have those."""

    def run_jobs(jobs: Sequence[Job], crew: object, revision: str | None, *_: object) -> list[Ended]:
        ended = []
        for job in jobs:
            try:
                ended += run_job(job, revision)
            except JobError as error:
                ended += write_failure(job, str(error), revision)
        return ended

    monkeypatch.setattr(verbs, "run_jobs", run_jobs)


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_process: None) -> Settings:
    """The four finished runs of TINY in results/tiny, below an empty working folder."""
    monkeypatch.chdir(tmp_path)
    (study,) = compose(*TINY)
    for cell in cells(study):
        run_job(cell, "revision")
    return study
