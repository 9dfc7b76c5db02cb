"""One law fitted for forecasting: degrees of freedom and variances of clusters."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.fitting.laws import LAWS
from harness.analysis.planning.fitted_law import FittedLaw, fit_laws

FAR = np.array([[1e8]])


def fitted(x: np.ndarray, y: np.ndarray, labels: np.ndarray) -> FittedLaw:
    members, refused = fit_laws({"power": LAWS["power"]}, x[:, None], y, labels)
    assert not refused
    return members["power"]


def planted(rng: np.random.Generator, each: int = 1, noise: float = 0.002) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """20 sizes, an error each that all its rows share."""
    x = np.geomspace(1e4, 1e7, 20)
    y = np.log(50 * x**-0.2) + noise * rng.standard_normal(20)
    return np.repeat(x, each), np.repeat(y, each), np.repeat(np.arange(20), each)


def test_rows_repeated_in_a_cluster_change_nothing() -> None:
    once = fitted(*planted(np.random.default_rng(0)))
    often = fitted(*planted(np.random.default_rng(0), each=5))
    assert once.freedom == pytest.approx(18) and often.freedom == pytest.approx(18)
    assert often.noise == pytest.approx(once.noise, rel=1e-6)
    for one, other in zip(once.ahead(FAR), often.ahead(FAR), strict=True):
        np.testing.assert_allclose(np.abs(other), np.abs(one), rtol=1e-6)


def test_variance_of_the_fit_is_its_scatter() -> None:
    rng, errors, claimed = np.random.default_rng(1), [], []
    for _ in range(300):
        found = fitted(*planted(rng, each=3))
        value, factor = found.ahead(FAR)
        errors.append(value[0] - np.log(50 * 1e8**-0.2))
        claimed.append(np.sum(factor**2))
    assert np.mean(claimed) == pytest.approx(np.mean(np.square(errors)), rel=0.2)
