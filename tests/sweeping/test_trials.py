"""What a trial of a job finds out, and that several stand beside each other."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from harness.ladder import Job
from harness.settings import Settings
from harness.sweeping import trials
from harness.sweeping.plan import cells
from harness.sweeping.trials import Trial, take_trials, try_job


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "LEAST_S", 0.02)
    monkeypatch.setattr(trials, "MOST_S", 0.05)
    monkeypatch.setattr(trials, "BLOCK_S", 0.005)


def test_a_trial_measures_steps_evaluation_setup_and_memory(study: Settings) -> None:
    found = try_job(cells(study)[0])
    assert 0 < found.step_s < found.setup_s
    assert found.evaluation_s > 0
    assert found.bytes > 5e7 or found.bytes == 0, "Python and torch, where the system tells"


def test_steps_are_timed_in_blocks_until_they_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    now, taken = 0.0, 0

    def steps():
        nonlocal now, taken
        while True:
            taken += 1
            # A step takes a millisecond; the first one is slow, and once somebody else had the processor.
            now += {1: 0.1, 150: 0.5}.get(taken, 0.001)
            yield torch.zeros(())

    monkeypatch.setattr(trials, "LEAST_S", 0.2)
    monkeypatch.setattr(trials, "MOST_S", 2.0)
    monkeypatch.setattr(trials, "BLOCK_S", 0.04)
    assert trials._step_s(steps(), torch.device("cpu"), lambda: now) == pytest.approx(0.001)
    assert taken < 1000


def test_a_part_of_a_large_evaluation_set_is_timed(study: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    answers = trials.Evaluator.answers

    def noted(self, stack, inputs, targets):
        asked.append(len(inputs))
        return answers(self, stack, inputs, targets)

    monkeypatch.setattr(trials.Evaluator, "answers", noted)
    monkeypatch.setattr(trials, "EVALUATION_S", 1e-9)
    monkeypatch.setattr(trials, "examples_at_once", lambda *_: 10)
    try_job(cells(study)[0])
    assert asked == [10, 10 * trials.PARTS]


def half_a_trial(job: Job, revision: str | None) -> Trial:
    """Finds out nothing; where members are alone, not even that."""
    if len(job.members) == 1:
        raise MemoryError
    return Trial(len(job.members), 1.0, 1.0, 1.0)


def test_trials_run_side_by_side_and_leave_out_what_cannot_be_tried(study: Settings) -> None:
    job = cells(study)[0]
    jobs = [replace(job, members=job.members[:n]) for n in (3, 1, 2)]
    found = sorted((len(tried.members), trial.setup_s) for tried, trial in take_trials(jobs, 2, half_a_trial))
    assert found == [(2, 2.0), (3, 3.0)]
