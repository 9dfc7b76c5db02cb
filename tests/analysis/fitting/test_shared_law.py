"""One law of several groups: its derivatives, its names, and what may be shared."""

from __future__ import annotations

import numpy as np
import pytest
from planted_laws import planted_theta

from harness import ScalingLaw
from harness.analysis.fitting.laws import LAWS
from harness.analysis.fitting.laws.base import Law
from harness.analysis.fitting.shared_law import SharedLaw
from harness.errors import SettingError

CASES = [
    ("hoffmann", ("alpha", "beta")),
    ("hoffmann", ()),
    ("kaplan", ("alpha_N",)),
    ("power_floor", ("E", "A", "alpha")),
]


def planted(law: SharedLaw, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """t (d + 1, 12 K) and theta (n, P), each coordinate as it occurs in the member."""
    k, d = len(law.groups), len(law.member.variables)
    t = np.vstack([rng.uniform(-1, 1, (d, 12 * k)), np.repeat(np.arange(k), 12)])
    theta = np.empty((n, len(law.parameters)))
    for group in range(k):
        theta[:, law.coordinates_of(group)] = planted_theta(law.member, rng, n)
    return t, theta


@pytest.mark.parametrize(("member", "shared"), CASES)
def test_each_group_has_the_member_with_its_own_coordinates(member: str, shared: tuple[str, ...]) -> None:
    law = SharedLaw(LAWS[member], ("a", "b", "c"), shared)
    t, theta = planted(law, np.random.default_rng(0), 4)
    value = law.value(t, theta)
    for group in range(3):
        own = t[-1] == group
        expected = law.member.value(t[:-1, own], theta[:, law.coordinates_of(group)])
        np.testing.assert_allclose(value[:, own], expected, rtol=1e-12)


@pytest.mark.parametrize(("member", "shared"), CASES)
def test_it_has_its_derivatives(member: str, shared: tuple[str, ...]) -> None:
    law, rng = SharedLaw(LAWS[member], ("a", "b"), shared), np.random.default_rng(1)
    t, theta = planted(law, rng, 3)
    value, slopes = law.gradient(t, theta)
    np.testing.assert_allclose(value, law.value(t, theta))
    np.testing.assert_allclose(slopes, Law.gradient(law, t, theta)[1], rtol=1e-5, atol=1e-7)
    weight = rng.standard_normal(value.shape)
    bent = law.curvature(t, theta, weight, slopes)
    if law.curves_as_y:
        bent = bent - np.einsum("bn,bpn,bqn->bpq", weight, slopes, slopes)
    np.testing.assert_allclose(bent, Law.curvature(law, t, theta, weight, slopes), rtol=1e-4, atol=1e-4)
    # One place of its own for each fit of a batch, as predictions are made.
    apart = np.repeat(t[None, :, :1], 3, axis=0)
    np.testing.assert_allclose(law.value(apart, theta)[:, 0], value[:, 0])


def test_parameters_are_named_for_their_groups() -> None:
    law = SharedLaw(LAWS["power_floor"], ("web", "code"), ("alpha",), "corpus")
    assert law.parameters == ("alpha", "E[web]", "A[web]", "E[code]", "A[code]")
    assert law.exponents == ("alpha",) and law.log_parameters == {"A[web]", "A[code]"}
    assert law.variables == ("x", "corpus") and law.measured == ("x",)
    assert law.bound_message(1, "low").startswith("web: E = 0") and law.bound_message(0, "low").startswith("y does not")


@pytest.mark.parametrize(
    ("member", "shared", "words"),
    [
        ("hoffmann", ("alfa",), "did you mean 'alpha'"),
        ("hoffmann", ("A",), "A together with alpha"),
        ("kaplan", ("Nc", "alpha_N"), "Nc together with"),
    ],
)
def test_what_cannot_be_shared_alone_is_refused(member: str, shared: tuple[str, ...], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        SharedLaw(LAWS[member], ("a", "b"), shared)


@pytest.mark.parametrize("shared", [(), ("alpha",), ("E", "alpha"), ("A", "alpha")])
def test_an_exact_table_is_recovered(shared: tuple[str, ...]) -> None:
    x = np.tile(np.geomspace(1e3, 1e6, 8), 2)
    number = np.repeat([1.0, 2.0], 8)
    floor = np.where((number == 1) | ("E" in shared), 1.5, 1.0)
    scale = np.where((number == 1) | ("A" in shared), 100, 60.0)
    law = SharedLaw(LAWS["power_floor"], ("a", "b"), shared)
    fit = ScalingLaw(law, interval="delta").fit(np.column_stack([x, number]), floor + scale * x**-0.5)
    truth = {"alpha": 0.5, "E": 1.5, "A": 100.0}
    for group in ("a", "b"):
        for i, name in enumerate(law.member.parameters):
            second = {"E": 1.0, "A": 60.0, "alpha": 0.5}[name] if group == "b" and name not in shared else truth[name]
            assert fit.params_[law.name_of("ab".index(group), i)] == pytest.approx(second, rel=1e-6)
