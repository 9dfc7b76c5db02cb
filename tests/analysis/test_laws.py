"""Every law of the registry: gradient, and recovery of planted truth without noise."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.fitting import solve
from harness.analysis.laws import LAWS, Law

LAW = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def truths(law: Law, n: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    ranges = {"power": ((-2, 2), (0.05, 2)), "power_floor": ((-2, 2), (0.05, 2), (0.1, 0.9))}[law.name]
    return np.stack([rng.uniform(*limits, n) for limits in ranges], axis=1)


@LAW
def test_gradient_is_the_derivative(law: Law) -> None:
    t = np.linspace(-3, 3, 7)
    theta = truths(law, 20)
    gradient = law.gradient(t, theta)
    for i in range(len(law.parameters)):
        step = np.zeros(len(law.parameters))
        step[i] = 1e-6
        slope = (law.log_value(t, theta + step) - law.log_value(t, theta - step)) / 2e-6
        np.testing.assert_allclose(gradient[..., i], slope, atol=1e-6)


@LAW
def test_planted_parameters_come_back_without_noise(law: Law) -> None:
    t = np.linspace(-3, 3, 8)
    for theta in truths(law, 60):
        log_y = law.log_value(t, theta)
        starts = law.starts(t, log_y)
        found, cost, converged = solve(law, t, np.broadcast_to(log_y, (len(starts), 8)), np.ones(8), starts)
        assert converged.any()
        best = found[np.argmin(np.where(converged, cost, np.inf))]
        np.testing.assert_allclose(law.public(best, 100.0), law.public(theta, 100.0), rtol=1e-5)


@LAW
def test_public_parameters_give_the_curve(law: Law) -> None:
    x, centre = np.geomspace(10, 1e4, 5), 300.0
    for theta in truths(law, 5):
        params = dict(zip(law.parameters, law.public(theta, centre), strict=True))
        expected = params.get("E", 0.0) + params["A"] * x ** -params["alpha"]
        np.testing.assert_allclose(np.exp(law.log_value(np.log(x / centre), theta)), expected)
