"""`harness status --watch`: a grid of rungs and seeds that is renewed until every run has ended."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from command import TINY, run
from rich.console import Console
from tiny_results import RESULTS

from harness.config import compose
from harness.ladder import Job
from harness.records.writer import piece_path
from harness.settings import Settings
from harness.sweeping import status as verb
from harness.sweeping.plan import cells
from harness.sweeping.progress import Reporter
from harness.sweeping.share import joined
from harness.sweeping.worker import run_job, write_failure
from harness.training.loop import Progress


def shown(studies: list[Settings], width: int = 60) -> list[list[str]]:
    """The lines of one look, in words."""
    console = Console(file=io.StringIO(), width=width)
    console.print(verb.picture(studies, verb._Seen.of(studies), width))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(len(line) <= width for line in lines)
    return [line.split() for line in lines]


def test_the_grid_says_how_far_each_seed_is(trained: Settings) -> None:
    first, second = cells(trained)
    for member in (second.members[0], first.members[1]):
        piece_path(RESULTS, member.run_id).unlink()
    write_failure(Job(trained, first.rung, 0, first.members[1:]), "killed by SIGKILL", None)
    waiting = shown([trained])
    assert ["main", "0", "4", f"{first.steps}", "done", "failed"] in waiting
    assert ["main", "1", "8", f"{second.steps}", "-", "done"] in waiting
    assert {"failed:", "SIGKILL"} <= {word for line in waiting for word in line}
    job = Job(trained, second.rung, 0, second.members[:1])
    with joined(RESULTS) as share, Reporter(job) as reporter:
        share.take(job)
        reporter(Progress(job.steps // 2, job.steps, (0.5,)))
        now = shown([trained])
    assert ["main", "1", "8", f"{second.steps}", "40%", "done"] in now
    assert {"running:", "steps/s,", "left"} <= {word for line in now for word in line}


def test_a_grid_that_does_not_fit_gives_way_to_counts(trained: Settings) -> None:
    (study,) = compose(*TINY, "seeds=30")
    assert ["all", "4", "-", "-", "-", "56"] in shown([study])


def test_watching_goes_on_until_every_run_has_ended(study: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    left: Iterator[Job] = iter(cells(study))
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        run_job(next(left), None)

    console = Console(file=io.StringIO(), width=60)
    assert verb._watch([study], console, sleep) == 0
    assert slept == [verb.RENEWED_S] * len(cells(study))


def test_ctrl_c_ends_watching(study: Settings) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    assert verb._watch([study], Console(file=io.StringIO(), width=60), stop) == 0


def test_watch_is_a_flag(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    watched = run(capsys, "status", "--watch", *TINY)
    assert watched.code == 0 and "done" in watched.out
