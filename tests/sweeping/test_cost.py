"""What jobs are predicted to cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.settings import Settings
from harness.sweeping.cost import GAPS_BYTES, SETUP_S, SHARED_BYTES, CostModel, Speed, cost_model, fit_speed
from harness.sweeping.plan import cells
from harness.sweeping.trials import Trial

TRIAL = Trial(setup_s=0.5, step_s=0.5, evaluation_s=0.25, bytes=4e8)


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
    assert cost_model(tmp_path).source([job]) == "a rough model"
    assert CostModel({"mlp": Speed(1, 1)}).source([job]) == "finished runs"
    assert CostModel({"mlp": Speed(1, 1)}).with_trials([(job, TRIAL)]).source([job]) == "trials"
    assert CostModel().bytes(job) > 3e8


def test_a_job_that_was_tried_takes_what_its_trial_says(study: Settings) -> None:
    job = cells(study)[0]
    cost = CostModel().with_trials([(job, TRIAL)])
    found = cost.of(job)
    assert found.training_s == pytest.approx(5 * 0.5)
    assert found.evaluation_s == pytest.approx(2 * 0.25)
    assert cost.seconds(job) == pytest.approx(found.setup_s + found.training_s + found.evaluation_s)
    assert cost.bytes(job) == 4e8 + GAPS_BYTES
    assert CostModel().with_trials([(job, replace(TRIAL, bytes=0.0))]).bytes(job) == CostModel().bytes(job)


def test_sizes_between_those_tried_are_interpolated(study: Settings) -> None:
    sizes = {"widths": [4, 16, 64, 256, 1024], "steps": 1000}
    asked = replace(study, ladder=replace(study.ladder, **sizes))
    jobs = cells(asked)
    truth = {job.rung.index: Trial(0.3, 3e-4 + 6e-9 * job.rung.params.total, 0.1, 3e8) for job in jobs}
    cost = CostModel().with_trials((jobs[i], truth[i]) for i in (0, 2, 4))
    assert cost.sizes(jobs[1]) == {jobs[i].rung.flops_per_example for i in (0, 2, 4)}
    for job in jobs:
        assert cost.trial(job).step_s == pytest.approx(truth[job.rung.index].step_s, rel=0.1)
    other = replace(asked, optimizer=replace(asked.optimizer, kind="sgd"))
    assert cost.trial(cells(other)[1]) is None
    fewer = replace(jobs[2], members=jobs[2].members[:2])
    assert 0 < cost.trial(fewer).step_s <= truth[2].step_s, "by trials of more members"


def test_workers_share_what_they_have_loaded(study: Settings) -> None:
    jobs = cells(study)
    cost = CostModel().with_trials([(job, replace(TRIAL, bytes=SHARED_BYTES + 1e8)) for job in jobs])
    assert cost.peak_bytes(jobs, workers=3) == pytest.approx(SHARED_BYTES + 3 * (1e8 + GAPS_BYTES))
    assert cost.peak_bytes([], workers=3) == cost.wall_s([], workers=3) == 0
