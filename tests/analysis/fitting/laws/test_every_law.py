"""Every law of the registry: gradient, curvature, and recovery of planted truth without noise."""

from __future__ import annotations

import numpy as np
import pytest
from planted_laws import design, planted_theta

from harness.analysis.fitting.laws import LAWS, Law
from harness.analysis.fitting.objectives import Squares
from harness.analysis.fitting.solver import Problem, minimise, optimum

LAW = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
#: Places along each variable of laws in one, two and three variables: about 30 and about 50 in all.
SMALL, LARGE = {1: 30, 2: 5, 3: 4}, {1: 50, 2: 7, 3: 4}


@LAW
def test_gradient_and_curvature_are_derivatives(law: Law) -> None:
    t, theta = design(law, SMALL), planted_theta(law, np.random.default_rng(1), 20)
    value, slopes = law.gradient(t, theta)
    np.testing.assert_allclose(value, law.value(t, theta), rtol=1e-12)
    for i in range(theta.shape[1]):
        step = np.zeros_like(theta)
        step[:, i] = 1e-6
        slope = (law.value(t, theta + step) - law.value(t, theta - step)) / 2e-6
        np.testing.assert_allclose(slopes[:, i], slope, atol=1e-6)
    weight = np.random.default_rng(2).standard_normal(value.shape)
    by_differences, curvature = Law.curvature(law, t, theta, weight, slopes), law.curvature(t, theta, weight, slopes)
    if law.curves_as_y:
        curvature = curvature - np.einsum("bn,bpn,bqn->bpq", weight, slopes, slopes)
    np.testing.assert_allclose(curvature, by_differences, atol=1e-4)


@LAW
def test_the_default_gradient_is_the_analytic_one(law: Law) -> None:
    t, theta = design(law, SMALL), planted_theta(law, np.random.default_rng(1), 20)
    value, slopes = Law.gradient(law, t, theta)
    np.testing.assert_array_equal(value, law.value(t, theta))
    # Central differences with a step of 6e-6: truncation and rounding are both about 1e-10 of the largest slope.
    np.testing.assert_allclose(slopes, law.gradient(t, theta)[1], atol=1e-8 * np.abs(slopes).max())


@LAW
def test_planted_parameters_come_back_without_noise(law: Law) -> None:
    """From the default starts, to 1e-6; experiments/published_laws counts failures over 200 truths (none)."""
    theta = planted_theta(law, np.random.default_rng(3), 20)
    t = design(law, LARGE)
    y = law.value(t, theta)
    found = optimum(Problem.of(law, Squares(), t, y, np.ones_like(y)))
    centre = np.full(len(law.variables), 100.0)
    assert found.converged.all()
    np.testing.assert_allclose(law.public(found.theta, centre, 2.0), law.public(theta, centre, 2.0), rtol=1e-6)


@LAW
def test_a_batch_is_what_its_fits_are_alone(law: Law) -> None:
    rng = np.random.default_rng(4)
    t, theta = design(law, SMALL), planted_theta(law, rng, 3)
    y = law.value(t, theta) + 0.01 * rng.standard_normal((3, t.shape[1]))
    problem = Problem.of(law, Squares(), t, y, np.ones_like(y))
    together = minimise(problem, theta)
    for i in range(3):
        alone = minimise(problem.rows(np.array([i])), theta[[i]])
        np.testing.assert_allclose(alone.theta[0], together.theta[i], rtol=1e-6, atol=1e-9)


@LAW
def test_starts_lie_within_the_limits_and_limits_hold_the_truth(law: Law) -> None:
    rng = np.random.default_rng(5)
    t, theta = design(law, SMALL), planted_theta(law, rng, 4)
    y = law.value(t, theta) + 0.01 * rng.standard_normal((4, t.shape[1]))
    low, high = (np.broadcast_to(end, theta.shape) for end in law.limits(t, y))
    assert ((low < theta) & (theta < high)).all()
    starts = law.starts(t, y, np.ones_like(y), 5)
    assert starts.shape == (4, 5, theta.shape[1]) and np.isfinite(starts).all()


#: Laws that take two variables together, width and depth, or tokens and unique tokens; or that have a label.
TOGETHER = ("size_of_shape", "muennighoff", "hernandez", "hernandez_floor")


@pytest.mark.parametrize("law", [law for law in LAWS.values() if law.name not in TOGETHER], ids=lambda law: law.name)
def test_centre_and_coordinates_undo_each_other(law: Law) -> None:
    places = np.exp(np.random.default_rng(6).uniform(0, 9, (12, len(law.variables))))
    centre = law.centre(places)
    t = law.coordinates(places, centre)
    np.testing.assert_allclose(t.mean(axis=1), 0, atol=1e-9 * np.abs(t).max())
    back = centre * np.exp(t.T) if law.x_scale == "log" else centre + t.T
    np.testing.assert_allclose(back, places)
    assert law.centred and law.name and law.formula and law.source
