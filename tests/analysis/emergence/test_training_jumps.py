"""Jumps within training, on planted runs: what is smooth is not taken for a jump, and what is sharp is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from harness import jumps_in_training
from harness.errors import DataError

STEPS = 25.0 * np.arange(1, 41)


def planted(n: int, factor: float, chance: float = 0.1, wander: float = 0.02, seed: int = 0) -> pd.DataFrame:
    """Runs that rise by a factor of training from 10 to 90 %, each at a step of its own, to a height of its own."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        middle, height = np.log(rng.uniform(150, 800)), rng.uniform(0.5, 1.0)
        y = chance + (height - chance) * expit((np.log(STEPS) - middle) / (np.log(factor) / (2 * np.log(9))))
        off = np.zeros(len(STEPS))
        for k in range(1, len(STEPS)):
            off[k] = 0.9 * off[k - 1] + wander * np.sqrt(1 - 0.9**2) * rng.standard_normal()
        score = rng.binomial(1024, np.clip(y + 4 * off * y * (1 - y), 0, 1)) / 1024
        rows.append(pd.DataFrame({"step": STEPS, "value": score, "run_id": f"r{i}", "metric": "accuracy"}))
    return pd.concat(rows, ignore_index=True).assign(chance=chance)


@pytest.mark.parametrize("factor", [4.0, 8.0, 16.0])
def test_smooth_rises_are_not_taken_for_jumps(factor: float) -> None:
    # At most .3 % are, of many; three of 100 come once in 3,000 times.
    assert jumps_in_training(planted(100, factor), "accuracy")["jumped"].sum() <= 3


def test_sharp_rises_are_found_where_they_are() -> None:
    frame = planted(100, 1.3)
    found = jumps_in_training(frame, "accuracy")
    assert found["jumped"].mean() > 0.95 and found["place"].between(120, 830).all()
    half = frame.merge(found[["run_id", "first", "last"]], on="run_id")
    above = half[half["value"] >= (half["first"] + half["last"]) / 2].groupby("run_id")["step"].min()
    assert (np.abs(found.set_index("run_id")["place"] - above) <= 2 * 25).all()


def test_runs_that_stay_at_chance_have_no_place() -> None:
    frame = planted(50, 2.0)
    flat = frame.assign(value=np.random.default_rng(0).binomial(256, 0.1, len(frame)) / 256)
    found = jumps_in_training(flat, "accuracy")
    assert not found["jumped"].any() and found["place"].isna().all()


def test_subtasks_and_studies_are_told_apart() -> None:
    sharp, slow = planted(3, 1.2).assign(subtask="a"), planted(3, 16.0).assign(subtask="b")
    found = jumps_in_training(pd.concat([sharp, slow]).assign(study="s"), "accuracy")
    assert found.groupby("subtask")["jumped"].sum().to_dict() == {"a": 3, "b": 0} and set(found["study"]) == {"s"}


def test_what_cannot_be_judged_is_said() -> None:
    frame = planted(2, 2.0)
    with pytest.raises(DataError, match="no rows of metric loss; there are accuracy"):
        jumps_in_training(frame, "loss")
    with pytest.raises(DataError, match="run r0 has 5 checkpoints of accuracy: at least 8"):
        jumps_in_training(frame[frame["step"] <= 125], "accuracy")
