"""Sums of powers and Kaplan's law: public parameters give the published formulas."""

from __future__ import annotations

import numpy as np
import pytest
from planted_laws import planted_theta

from harness.analysis.fitting.laws import LAWS


def test_hoffmann_and_gadre_agree_where_exponents_are_equal() -> None:
    theta = np.array([[0.5, 0.3, 0.4, 0.6]])
    centre = np.array([1e8, 1e10])
    floor, a, b, eta = LAWS["gadre"].public(theta, centre, 3.0)[0]
    n, d = np.array([3e7, 2e9]), np.array([4e9, 1e12])
    flops, ratio = 6 * n * d, d / n
    expected = floor + (a * ratio**eta + b * ratio**-eta) * flops**-eta
    t = np.log(np.stack([n, d]) / centre[:, None])
    np.testing.assert_allclose(3.0 * np.exp(LAWS["gadre"].value(t, theta)[0]), expected)
    surface = LAWS["hoffmann"].value(t, np.concatenate([theta, theta[:, 3:]], axis=1))[0]
    np.testing.assert_allclose(3.0 * np.exp(surface), expected)


def formula(name: str, p: dict[str, float], x: np.ndarray) -> np.ndarray:
    """y at places x (d, n), as the source writes it."""
    match name:
        case "power":
            return p["A"] * x[0] ** -p["alpha"]
        case "power_floor":
            return p["E"] + p["A"] * x[0] ** -p["alpha"]
        case "hoffmann":
            return p["E"] + p["A"] * x[0] ** -p["alpha"] + p["B"] * x[1] ** -p["beta"]
        case "width_depth":
            terms = zip("ABC", "abc", x, strict=True)
            return p["E"] + sum(p[scale] * side ** -p[exponent] for scale, exponent, side in terms)
    ratio = p["alpha_N"] / p["alpha_D"]
    return ((p["Nc"] / x[0]) ** ratio + p["Dc"] / x[1]) ** p["alpha_D"]


@pytest.mark.parametrize("name", ["power", "power_floor", "hoffmann", "width_depth", "kaplan"])
def test_public_parameters_give_the_curve(name: str) -> None:
    law, unit = LAWS[name], 2.5
    centre = np.array([300.0, 40.0, 7.0])[: len(law.variables)]
    places = np.exp(np.random.default_rng(5).uniform(2, 6, (len(law.variables), 7)))
    for theta in planted_theta(law, np.random.default_rng(6), 3):
        p = dict(zip(law.parameters, law.public(theta, centre, unit), strict=True))
        y = unit * np.exp(law.value(np.log(places / centre[:, None]), theta[None])[0])
        np.testing.assert_allclose(y, formula(name, p, places))


def test_bounds_say_what_the_data_lack() -> None:
    assert "do not bend towards a floor" in LAWS["power_floor"].bound_message(0, "low")
    assert "does not fall with x" in LAWS["power_floor"].bound_message(2, "low")
    assert "a wall" in LAWS["hoffmann"].bound_message(4, "high")
    assert "does not depend on its variable" in LAWS["hoffmann"].bound_message(1, "low")
    assert "does not depend on N" in LAWS["kaplan"].bound_message(1, "low")
    assert LAWS["power"].bound_message(0, "low") == ""
