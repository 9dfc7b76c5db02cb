"""Laws of bounded metrics: public parameters give the published formulas; half of the rise is at the midpoint."""

from __future__ import annotations

import numpy as np
import pytest
from planted_laws import planted_theta

from harness.analysis.fitting.laws import LAWS


@pytest.mark.parametrize("name", ["logistic", "sigmoid_of_loss", "exponential_of_loss"])
def test_public_parameters_give_the_curve(name: str) -> None:
    law = LAWS[name]
    over_size = name == "logistic"
    centre, x = (np.array([300.0]), np.geomspace(20, 4000, 9)) if over_size else (np.array([3.0]), np.linspace(2, 4, 9))
    for theta in planted_theta(law, np.random.default_rng(6), 3):
        p = dict(zip(law.parameters, law.public(theta, centre, 1.0), strict=True))
        value = law.value(law.coordinates(x[:, None], centre), theta[None])[0]
        if over_size:
            expected = p["floor"] + (p["ceiling"] - p["floor"]) / (1 + (x / p["x50"]) ** (-1 / p["tau"]))
        elif name == "sigmoid_of_loss":
            expected = p["floor"] + (p["ceiling"] - p["floor"]) / (1 + np.exp((x - p["loss50"]) / p["tau"]))
        else:
            expected = p["epsilon"] - p["k"] * np.exp(-p["gamma"] * x)
        np.testing.assert_allclose(value, expected)


def test_half_of_the_rise_is_at_the_midpoint_and_its_width_is_as_stated() -> None:
    theta = np.array([[0.2, 0.8, 0.5, np.log(0.3)]])
    t = 0.5 + 0.3 * np.log(9) * np.array([-1.0, 0.0, 1.0])
    np.testing.assert_allclose(LAWS["logistic"].value(t[None], theta)[0], [0.26, 0.5, 0.74])
    falling = LAWS["sigmoid_of_loss"].value(t[None], theta)[0]
    np.testing.assert_allclose(falling, [0.74, 0.5, 0.26])
