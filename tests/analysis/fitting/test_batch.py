"""Many curves at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness import ScalingLaw, fit_curves
from harness.analysis.fitting import batch, intervals
from harness.errors import DataError, SettingError


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    x = np.geomspace(1e3, 1e6, 8)
    parts = []
    for name, seeds, kept in (("a", 5, 8), ("b", 1, 8), ("c", 3, 6), ("short", 2, 3)):
        sizes = np.repeat(x[:kept], seeds)
        loss = (1.2 + 80 * sizes**-0.45) * np.exp(0.01 * rng.standard_normal(len(sizes)))
        parts.append(pd.DataFrame({"study": "s", "task": name, "params": sizes, "loss": loss}))
    return pd.concat(parts).sample(frac=1, random_state=0)


def test_each_is_what_it_is_alone(frame: pd.DataFrame) -> None:
    table = fit_curves(frame, "params", "loss", by=["study", "task"]).set_index("task")
    assert table.loc["short", "status"] == "too few data" and np.isnan(table.loc["short", "alpha"])
    for name in ("a", "b", "c"):
        part = frame[frame["task"] == name]
        alone = ScalingLaw("power_floor").fit(part["params"], part["loss"])
        row = table.loc[name]
        assert row["status"] == alone.status_ and row["n_runs"] == alone.n_runs_
        for parameter, value in alone.params_.items():
            assert row[parameter] == pytest.approx(value, rel=1e-5)
            assert row[f"{parameter}_low"] == pytest.approx(alone.intervals_[parameter][0], rel=0.02, abs=1e-3)
            assert row[f"{parameter}_high"] == pytest.approx(alone.intervals_[parameter][1], rel=0.02)


def test_parts_of_a_batch_are_the_whole(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit_curves(frame, "params", "loss", by=["task"])
    monkeypatch.setattr(batch, "_AT_ONCE", 2)
    pd.testing.assert_frame_equal(fit_curves(frame, "params", "loss", by=["task"]), whole, rtol=1e-6)


def test_an_interval_that_does_not_hold_its_estimate_is_told(
    frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def profile(problem: object, theta: np.ndarray, cost: object, quantity: intervals.Quantity, drop: object):
        value, _ = quantity(theta, np.arange(len(theta)))
        return intervals.Interval(value + 0.01, value + 0.02)

    monkeypatch.setattr(intervals, "profile", profile)
    table = fit_curves(frame, "params", "loss", by=["task"]).set_index("task")
    assert (table.loc[["a", "b", "c"], "status"] == "interval failed").all()
    assert table.loc["short", "status"] == "too few data"
    np.testing.assert_allclose(table["E_low"], table["E"])


def test_refuses_what_it_cannot_use(frame: pd.DataFrame) -> None:
    with pytest.raises(SettingError, match="law=hoffmann"):
        fit_curves(frame, "params", "loss", by=["task"], law="hoffmann")
    with pytest.raises(DataError, match="column 'los' is missing; did you mean 'loss'"):
        fit_curves(frame, "params", "los", by=["task"])
    with pytest.raises(SettingError, match="by=E: allowed is columns of other names than what is fitted: E"):
        fit_curves(frame.assign(E=frame["task"]), "params", "loss", by=["E"])
