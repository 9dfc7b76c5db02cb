"""Two recipes fitted jointly: values of counterparts made independent, and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from harness import ScalingLaw
from harness.analysis.fitting.laws import LAWS
from harness.analysis.fitting.laws.base import Law
from harness.analysis.fitting.shared_law import SharedLaw
from harness.analysis.planning.paired_fit import PairedFit, Recipe, _Independent, counterparts

X = np.geomspace(1e18, 1e21, 8)


def recipe(name: str, excess: np.ndarray, counterpart: np.ndarray | None = None) -> Recipe:
    y = (1.7 + 80 * X**-0.1) * np.exp(excess)
    fit = ScalingLaw("power_floor", interval="delta").fit(X, y)
    return Recipe(name, X[:, None], y, np.full(8, "") if counterpart is None else counterpart, fit)


def correlated(rng: np.random.Generator, r: float) -> tuple[Recipe, Recipe]:
    first, second = 0.004 * rng.standard_normal((2, 8))
    return recipe("a", first), recipe("b", r * first + np.sqrt(1 - r**2) * second)


def test_values_of_counterparts_become_independent() -> None:
    """50,000 draws: a correlation's standard error is .0045."""
    law = _Independent(LAWS["power"], np.array([0.1, 0.3, 0.2]), np.array([0]), np.array([2]), 0.8)
    draws = np.random.default_rng(0).standard_normal((50_000, 3))
    draws[:, 2] = 0.8 * draws[:, 0] + 0.6 * draws[:, 2]
    found = law.apart(draws * [0.1, 0.3, 0.2])
    np.testing.assert_allclose(np.cov(found.T), np.eye(3), atol=0.03)


@pytest.mark.parametrize("member", ["power_floor", "kaplan"])
def test_it_has_its_derivatives(member: str) -> None:
    law, rng = SharedLaw(LAWS[member], ("a", "b"), ()), np.random.default_rng(1)
    apart = _Independent(law, rng.uniform(0.5, 2, 12), np.array([0, 3]), np.array([7, 9]), 0.6)
    t = np.vstack([rng.uniform(-1, 1, (len(law.member.variables), 12)), np.repeat([0, 1], 6)])
    theta = rng.uniform(0.2, 0.8, (3, len(law.parameters)))
    value, slopes = apart.gradient(t, theta)
    np.testing.assert_allclose(value, apart.value(t, theta))
    np.testing.assert_allclose(slopes, Law.gradient(apart, t, theta)[1], rtol=1e-5, atol=1e-6)
    weight = rng.standard_normal(value.shape)
    bent = apart.curvature(t, theta, weight, slopes)
    np.testing.assert_allclose(bent, Law.curvature(apart, t, theta, weight, slopes), rtol=1e-4, atol=1e-4)


def test_counterparts_are_at_one_place_and_of_one_label() -> None:
    a = recipe("a", np.zeros(8), np.array(list("01234567")))
    first, second = counterparts(a, recipe("b", np.zeros(8), np.array(list("01230000"))))
    assert first.tolist() == second.tolist() == [0, 1, 2, 3]
    assert [len(each) for each in counterparts(a, a)] == [8, 8]


def test_the_joint_fit_is_that_of_each_where_nothing_is_shared() -> None:
    a, b = correlated(np.random.default_rng(2), 0.0)
    b = Recipe(b.name, b.places, b.y, np.full(8, "none alike"), b.fit)
    joint = PairedFit.of(a, b)
    assert joint.n_pairs == 0 and joint.correlation == 0
    for found, alone in zip(joint.public(joint.theta), (a, b), strict=True):
        np.testing.assert_allclose(found[0], list(alone.fit.params_.values()), rtol=1e-3)
    # In units of its noise each recipe costs half its degrees of freedom.
    assert joint.cost == pytest.approx(5, rel=1e-3)


def test_the_correlation_of_counterparts_is_found() -> None:
    """40 pairs of tables: five degrees of freedom each, so the mean's standard error is .03."""
    rng = np.random.default_rng(3)
    found = [PairedFit.of(*correlated(rng, 0.9)).correlation for _ in range(40)]
    assert 0.72 < np.mean(found) < 0.97
