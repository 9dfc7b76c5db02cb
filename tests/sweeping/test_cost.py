"""What jobs are predicted to cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.settings import Settings
from harness.sweeping.cost import SETUP_S, CostModel, Speed, cost_model, fit_speed
from harness.sweeping.plan import cells


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
