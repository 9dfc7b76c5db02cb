"""The law of mixtures: its formula, planted truth, tables that cannot tell, and shares that cannot be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from covering import check_coverage

from harness import ScalingLaw
from harness.analysis.fitting.laws import LAWS
from harness.errors import DataError

TWO = np.repeat(np.linspace(0, 1, 9), 3)[:, None]
THREE = np.array([(i / 6, j / 6) for i in range(7) for j in range(7 - i)])


def losses(shares: np.ndarray, rates: list[float], rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    x = pd.DataFrame(shares, columns=[f"r{j + 1}" for j in range(shares.shape[1])])
    return x, (2 + 1.5 * np.exp(shares @ rates)) * np.exp(0.005 * rng.standard_normal(len(shares)))


def test_intervals_hold_what_was_planted() -> None:
    check_coverage("mixture2", lambda rng: losses(TWO, [-3.0], rng), {"c": 2.0, "k": 1.5, "t1": -3.0})
    truth = {"c": 2.0, "k": 1.5, "t1": -3.0, "t2": 0.6}
    check_coverage("mixture3", lambda rng: losses(THREE, [-3.0, 0.6], rng), truth)


def test_rates_are_differences_to_that_of_the_last_kind() -> None:
    """The same curve, written over all three shares, with a rate of its own for the last one."""
    rates, last = np.array([-3.0, 0.6]), 1.1
    shares = np.column_stack([THREE, 1 - THREE.sum(axis=1)])
    y = 2 + 1.5 * np.exp(-last) * np.exp(shares @ [*(rates + last), last])
    found = ScalingLaw("mixture3", interval="delta").fit(THREE, y)
    assert list(found.params_.values()) == pytest.approx([2, 1.5, *rates], rel=1e-5)


def test_tables_that_cannot_tell() -> None:
    rng = np.random.default_rng(0)
    noise = np.exp(0.005 * rng.standard_normal(len(TWO)))
    straight = ScalingLaw("mixture2").fit(TWO, (3 - TWO[:, 0]) * noise)
    assert straight.status_ == "at a bound" and "do not bend towards a floor" in straight.message_
    flat = ScalingLaw("mixture2").fit(TWO, 3 * noise)
    assert flat.status_ != "converged"
    step = ScalingLaw("mixture2").fit(TWO, (3 + (TWO[:, 0] > 0.9)) * noise)
    assert step.status_ == "at a bound" and "flat but for one end of r1" in step.message_
    tied = ScalingLaw("mixture3").fit(np.hstack([TWO, TWO]) / 2, losses(TWO, [-3.0], rng)[1])
    assert tied.status_ == "not identifiable" and "t1" in tied.message_ and "t2" in tied.message_
    assert "does not depend on the mixture" in LAWS["mixture2"].bound_message(1, "low")


def test_shares_that_cannot_be_are_refused_by_row() -> None:
    y = np.linspace(2, 3, len(THREE))
    beyond = THREE.copy()
    beyond[4, 0] = 1.2
    with pytest.raises(DataError, match=r"row 4: r1 = 1\.2: allowed are shares from 0 to 1"):
        ScalingLaw("mixture3").fit(beyond, y)
    beyond[4] = 0.7, 0.5
    with pytest.raises(DataError, match=r"row 4: r1 \+ r2 = 1.2: allowed are shares that sum to 1 at most"):
        ScalingLaw("mixture3").fit(beyond, y)
    beyond[4] = -0.1, 0.5
    with pytest.raises(DataError, match=r"r1, row 4: -0\.1: allowed are finite numbers of 0 or more"):
        ScalingLaw("mixture3").fit(beyond, y)
