"""Every law of the registry: gradient, curvature, and recovery of planted truth without noise."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.fitting.laws import LAWS, Law
from harness.analysis.fitting.objectives import BetaBinomial, Binomial, Huber, Objective, Squares
from harness.analysis.fitting.solver import Problem, minimise, optimum

LAW = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def design(law: Law, n: int = 50) -> np.ndarray:
    """(d, about n) places over t in [-3, 3], a full grid for several variables."""
    d = len(law.variables)
    axis = np.linspace(-3, 3, max(4, round(n ** (1 / d))))
    return np.stack([side.ravel() for side in np.meshgrid(*[axis] * d)])


@LAW
def test_gradient_and_curvature_are_derivatives(law: Law) -> None:
    t, theta = design(law, 30), law.planted(np.random.default_rng(1), 20)
    value, slopes = law.gradient(t, theta)
    np.testing.assert_allclose(value, law.value(t, theta), rtol=1e-12)
    for i in range(theta.shape[1]):
        step = np.zeros_like(theta)
        step[:, i] = 1e-6
        slope = (law.value(t, theta + step) - law.value(t, theta - step)) / 2e-6
        np.testing.assert_allclose(slopes[:, i], slope, atol=1e-6)
    weight = np.random.default_rng(2).standard_normal(value.shape)
    by_differences = Law.curvature(law, t, theta, weight, slopes)
    np.testing.assert_allclose(law.curvature(t, theta, weight, slopes), by_differences, atol=1e-4)


@LAW
def test_planted_parameters_come_back_without_noise(law: Law) -> None:
    """From the default starts, to 1e-6; experiments/published_laws counts failures over 200 truths (none)."""
    theta = law.planted(np.random.default_rng(3), 20)
    t = design(law)
    y = law.value(t, theta)
    found = optimum(Problem.of(law, Squares(), t, y, np.ones_like(y)))
    centre = np.full(len(law.variables), 100.0)
    assert found.converged.all()
    np.testing.assert_allclose(law.public(found.theta, centre, 2.0), law.public(theta, centre, 2.0), rtol=1e-6)


@LAW
def test_a_batch_is_what_its_fits_are_alone(law: Law) -> None:
    rng = np.random.default_rng(4)
    t, theta = design(law, 30), law.planted(rng, 3)
    y = law.value(t, theta) + 0.01 * rng.standard_normal((3, t.shape[1]))
    problem = Problem.of(law, Squares(), t, y, np.ones_like(y))
    together = minimise(problem, theta)
    for i in range(3):
        alone = minimise(problem.rows(np.array([i])), theta[[i]])
        np.testing.assert_allclose(alone.theta[0], together.theta[i], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "objective",
    [Squares(), Huber(0.05), Binomial(), BetaBinomial(np.full(9, 50.0), np.full((1, 1), 0.02))],
    ids=lambda o: type(o).__name__,
)
def test_objectives_have_their_derivatives(objective: Objective) -> None:
    value, y = np.linspace(0.1, 0.9, 9)[None], np.linspace(0.004, 1.0, 9)[None]
    first, exact, safe = objective.derivatives(value, y)
    h = 1e-5
    slope = (objective.rho(value + h, y) - objective.rho(value - h, y)) / (2 * h)
    bent = (objective.derivatives(value + h, y)[0] - objective.derivatives(value - h, y)[0]) / (2 * h)
    np.testing.assert_allclose(first, slope, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.broadcast_to(exact, value.shape), bent, rtol=1e-4, atol=1e-4)
    assert (np.asarray(safe) > 0).all()


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


@pytest.mark.parametrize(("name", "x"), [("hoffmann", 2), ("width_depth", 3), ("kaplan", 2), ("m4", 1), ("bnsl2", 1)])
def test_public_parameters_give_the_curve(name: str, x: int) -> None:
    law = LAWS[name]
    centre, unit = np.array([300.0, 40.0, 7.0])[:x], 2.5
    places = np.exp(np.random.default_rng(5).uniform(2, 6, (x, 7)))
    for theta in law.planted(np.random.default_rng(6), 3):
        p = dict(zip(law.parameters, law.public(theta, centre, unit), strict=True))
        y = unit * np.exp(law.value(np.log(places / centre[:, None]), theta[None])[0])
        if name == "hoffmann":
            expected = p["E"] + p["A"] * places[0] ** -p["alpha"] + p["B"] * places[1] ** -p["beta"]
        elif name == "width_depth":
            terms = zip("ABC", "abc", places, strict=True)
            expected = p["E"] + sum(p[scale] * x ** -p[exponent] for scale, exponent, x in terms)
        elif name == "kaplan":
            ratio = p["alpha_N"] / p["alpha_D"]
            expected = ((p["Nc"] / places[0]) ** ratio + p["Dc"] / places[1]) ** p["alpha_D"]
        elif name == "m4":
            np.testing.assert_allclose((y - p["a"]) / (p["y0"] - y) ** p["alpha"], p["beta"] * places[0] ** -p["c"])
            continue
        else:
            expected = p["b"] * places[0] ** -p["c0"]
            for i in "12":
                f = p[f"f{i}"]
                expected = expected * (1 + (places[0] / p[f"d{i}"]) ** (1 / f)) ** (-p[f"c{i}"] * f)
            expected = p["a"] + expected
        np.testing.assert_allclose(y, expected)
