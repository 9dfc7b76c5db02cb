"""Broken power laws and M4: public parameters give the published formulas, breaks come in the order of their places."""

from __future__ import annotations

import numpy as np
import pytest
from planted_laws import planted_theta

from harness.analysis.fitting.laws import LAWS

CENTRE, UNIT = np.array([300.0]), 2.5


@pytest.mark.parametrize("name", ["bnsl0", "bnsl1", "bnsl2", "m4"])
def test_public_parameters_give_the_curve(name: str) -> None:
    law = LAWS[name]
    x = np.exp(np.random.default_rng(5).uniform(2, 6, 7))
    for theta in planted_theta(law, np.random.default_rng(6), 3):
        p = dict(zip(law.parameters, law.public(theta, CENTRE, UNIT), strict=True))
        y = UNIT * np.exp(law.value(np.log(x / CENTRE)[None], theta[None])[0])
        if name == "m4":
            np.testing.assert_allclose((y - p["a"]) / (p["y0"] - y) ** p["alpha"], p["beta"] * x ** -p["c"])
            continue
        falling = p["b"] * x ** -p["c0"]
        for i in range(1, int(name[-1]) + 1):
            c, d, f = (p[f"{letter}{i}"] for letter in "cdf")
            falling = falling * (1 + (x / d) ** (1 / f)) ** (-c * f)
        np.testing.assert_allclose(y, p["a"] + falling)


def test_breaks_in_either_order_are_one_curve() -> None:
    law = LAWS["bnsl2"]
    theta = planted_theta(law, np.random.default_rng(7), 4)
    swapped = theta[:, [0, 1, 2, 6, 7, 8, 3, 4, 5]]
    t = np.linspace(-3, 3, 20)[None]
    np.testing.assert_allclose(law.value(t, swapped), law.value(t, theta), rtol=1e-12)
    np.testing.assert_array_equal(law.canonical(swapped), law.canonical(theta))
    assert (law.canonical(swapped)[:, 4] < law.canonical(swapped)[:, 7]).all()


def test_m4_at_its_ends() -> None:
    """Far below the knee the plateau y0, far above it the floor a."""
    law = LAWS["m4"]
    theta = planted_theta(law, np.random.default_rng(8), 5)
    p = law.public(theta, CENTRE, UNIT)
    y = UNIT * np.exp(law.value(np.array([[-60.0, 60.0]]), theta))
    np.testing.assert_allclose(y[:, 0], p[:, 1], rtol=1e-6)
    np.testing.assert_allclose(y[:, 1], p[:, 0], rtol=1e-6)
