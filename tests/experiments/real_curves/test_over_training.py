"""Ratios have the larger model on top; checkpoints' scatter is in units of the binomial error."""

from __future__ import annotations

import numpy as np
import over_training
import pandas as pd
import pytest
from imported import REAL, needs_real_data


@pytest.mark.parametrize(("first", "expected"), [("70m", (4.0, 2.0, 8.0)), ("12b", (0.25, 0.125, 0.5))])
def test_ratios_are_of_the_larger_model(first: str, expected: tuple[float, float, float]) -> None:
    pairs = pd.DataFrame({"first": [first], "ratio": 4.0, "low": 2.0, "high": 8.0, "p_value": 0.01})
    ratio = over_training._ratio(pairs, "70m", "onset")
    assert (ratio["onset"], ratio["onset low"], ratio["onset high"]) == expected


def test_scatter_of_independent_checkpoints_is_the_binomial_error() -> None:
    rng = np.random.default_rng(0)
    tokens, tasks = 1e9 * np.arange(1, 15), [f"task {i}" for i in range(200)]
    shares = rng.binomial(500, 0.3, (len(tasks), len(tokens))) / 500
    frame = pd.DataFrame(
        {"task": np.repeat(tasks, len(tokens)), "value": shares.ravel(), "model": "m", "metric": "acc"}
    )
    frame = frame.assign(tokens=np.tile(tokens, len(tasks)), step=np.tile(tokens, len(tasks)), n_eval=500.0)
    scatter = over_training._scatter(frame).mean()
    assert scatter["sd / binomial error"] == pytest.approx(1, abs=0.06)
    assert scatter["correlation"] == pytest.approx(-0.1, abs=0.08)


@needs_real_data
def test_checkpoints_of_one_run_scatter_less_than_independent_items_would() -> None:
    scatter = over_training.scatter_of_checkpoints(REAL)["sd / binomial error"]
    assert scatter["steps 1 to 8"] < scatter["from step 13,000"] < 0.8
