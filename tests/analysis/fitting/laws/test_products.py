"""Products of powers: formulas, planted truth, and tables that cannot tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from covering import check_coverage
from planted_laws import planted_theta

from harness import ScalingLaw
from harness.analysis.fitting.inputs import NotIdentifiableError
from harness.analysis.fitting.laws import LAWS

ZHANG = {"E": 1.1, "A": 150.0, "alpha": 0.18, "beta": 0.12}


def crossed(**sides: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({k: v.ravel() for k, v in zip(sides, np.meshgrid(*sides.values()), strict=True)})


def zhang(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    x = crossed(X=np.geomspace(1e9, 1.6e10, 5), D_f=np.geomspace(1e4, 1e7, 7))
    loss = 1.1 + 150 * x["X"] ** -0.18 * x["D_f"] ** -0.12
    return x, (loss * np.exp(0.003 * rng.standard_normal(len(x)))).to_numpy()


def joint(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    x = crossed(N=np.geomspace(1e9, 1.6e10, 3), P=np.geomspace(1e10, 1e12, 3), D_f=np.geomspace(1e4, 1e7, 5))
    loss = 1.1 + 800 * x["N"] ** -0.15 * x["P"] ** -0.06 * x["D_f"] ** -0.14
    return x, (loss * np.exp(0.003 * rng.standard_normal(len(x)))).to_numpy()


def transferred(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    x = crossed(N=np.geomspace(1e6, 1e9, 5), D_F=np.geomspace(1e5, 1e8, 6))
    worth = 1.9e4 * x["D_F"] ** 0.18 * x["N"] ** 0.38
    return x, (worth * np.exp(0.2 * rng.standard_normal(len(x)))).to_numpy()


def test_intervals_hold_what_was_planted() -> None:
    check_coverage("zhang", zhang, ZHANG)
    check_coverage("zhang_joint", joint, {"E": 1.1, "A": 800, "alpha": 0.15, "gamma": 0.06, "beta": 0.14})
    check_coverage("transferred", transferred, {"k": 1.9e4, "alpha": 0.18, "beta": 0.38})


@pytest.mark.parametrize("name", ["zhang", "zhang_joint", "transferred"])
def test_public_parameters_give_the_curve(name: str) -> None:
    law, unit = LAWS[name], 2.5
    centre = np.array([300.0, 40.0, 7.0])[: len(law.variables)]
    x = np.exp(np.random.default_rng(5).uniform(2, 6, (len(law.variables), 7)))
    for theta in planted_theta(law, np.random.default_rng(6), 3):
        p = dict(zip(law.parameters, law.public(theta, centre, unit), strict=True))
        y = unit * np.exp(law.value(np.log(x / centre[:, None]), theta[None])[0])
        match name:
            case "zhang":
                expected = p["E"] + p["A"] / (x[0] ** p["alpha"] * x[1] ** p["beta"])
            case "zhang_joint":
                expected = p["E"] + p["A"] / (x[0] ** p["alpha"] * x[1] ** p["gamma"] * x[2] ** p["beta"])
            case _:
                expected = p["k"] * x[1] ** p["alpha"] * x[0] ** p["beta"]
        np.testing.assert_allclose(y, expected)


def test_a_factor_of_no_use_is_a_finding() -> None:
    x, _ = zhang(np.random.default_rng(0))
    loss = (1.1 + 20 * x["D_f"] ** -0.3) * np.exp(0.003 * np.random.default_rng(1).standard_normal(len(x)))
    found = ScalingLaw("zhang").fit(x, loss)
    low, high = found.intervals_["alpha"]
    assert found.status_ == "converged" and low < 0 < high and high - low < 0.1


def test_tables_that_cannot_tell() -> None:
    x, y = zhang(np.random.default_rng(0))
    one = x["D_f"] == x["D_f"].min()
    with pytest.raises(NotIdentifiableError, match="D_f is 1e"):
        ScalingLaw("zhang").fit(x[one], y[one])
    together = x.assign(D_f=x["X"] / 1e5)  # the data of fine-tuning grow with the model
    found = ScalingLaw("zhang").fit(together, 1.1 + 150 * x["X"] ** -0.3)
    # Where along the valley a search ends, at beta's bound or before, differs from one processor to another.
    assert found.status_ in ("not identifiable", "at a bound") and "beta" in found.message_
    found = ScalingLaw("transferred").fit(together, x["X"] ** 0.5)
    assert found.status_ == "not identifiable"


def test_bounds_say_what_the_data_lack() -> None:
    assert "does not fall with D_f" in LAWS["zhang"].bound_message(3, "low")
    assert "a wall along P" in LAWS["zhang_joint"].bound_message(3, "high")
    assert "do not bend towards a floor" in LAWS["zhang"].bound_message(0, "low")
    assert "like a wall along N" in LAWS["transferred"].bound_message(2, "high")
