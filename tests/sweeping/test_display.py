"""What a running sweep shows."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console

from harness.settings import Settings
from harness.sweeping.display import Bars, Lines, Overall, duration
from harness.sweeping.failures import Ended
from harness.sweeping.plan import cells
from harness.sweeping.progress import Reporter
from harness.training.loop import Progress


def ended(run: str, status: str = "finished", error: str | None = None) -> Ended:
    return Ended("main", 0, run, status, error)


def test_lines_say_what_ended_without_control_codes(study: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    job = cells(study)[0]
    with Lines(Console(force_terminal=False), [job], lambda job: 1.0) as lines:
        lines.ended(job, [ended("run a"), ended("run b", "failed", "[bold]why[/bold]")])
    printed = capsys.readouterr().out
    assert "[1/1] main rung 0 (width 4, depth 1), 5 steps: 1 finished, 1 failed; 0 s left" in printed
    assert "why" not in printed, "each error is told once, at the end"
    assert "\x1b" not in printed


def test_bars_show_rung_members_steps_and_loss(study: Settings) -> None:
    shown = io.StringIO()
    job, other = (cells(study)[i] for i in (0, 3))
    with Bars(Console(file=shown, force_terminal=True, width=150), [job, other], lambda job: 1.0) as bars:
        with Reporter(job) as report:
            report(Progress(3, 5, (1.5, 2.5)))
            bars.refresh([job, other])
        bars.ended(job, [ended("run a", "failed", "why"), ended("run b")])
        bars.refresh([other])
    printed = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.getvalue())
    for words in ("main rung 0 (width 4, depth 1), 6 members", "3/5", "loss 2.000", "1/2", "1 finished, 1 failed"):
        assert words in printed
    assert "why" not in printed


def test_overall_weighs_jobs_by_their_cost(study: Settings) -> None:
    small, large = (cells(study)[i] for i in (0, 3))
    overall = Overall([small, large], lambda job: 3.0 if job is large else 1.0)
    overall.end(large)
    assert overall.share == 0.75
    assert overall.part(small, step=2) == pytest.approx(0.25 * 2 / 5)


def test_time_left_is_that_of_the_schedule_at_the_pace_so_far(study: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("harness.sweeping.display.time.monotonic", lambda: now)
    jobs = cells(study)
    keys = [job.members[0].run_id for job in jobs]
    seconds = dict(zip(keys, (40.0, 30.0, 30.0, 20.0), strict=True))
    overall = Overall(jobs, lambda job: seconds[job.members[0].run_id], workers=2)
    assert overall.time_left({}) == "1 min 0 s", "40 and 20 on one, 30 and 30 on the other"
    # Ten seconds were predicted for what took ten, then for what took thirty.
    now += 10
    assert overall.time_left({keys[0]: 0.25, keys[1]: 1 / 3}) == "50 s"
    now += 20
    assert overall.time_left({keys[0]: 0.25, keys[1]: 1 / 3}) == "1 min 40 s"
    for job in jobs:
        overall.end(job)
    assert overall.time_left({}) == "0 s"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.7, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (np.nan, "?")]
)
def test_duration_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
