"""The forms of links: each rises from 0 to 1, and none leaves these ends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from harness.analysis.planning.links import FLAT, LINKS, risen


@pytest.mark.parametrize("link", LINKS)
def test_a_link_rises_from_0_to_1(link: str) -> None:
    z = np.linspace(-30, 30, 2001)
    r = risen(link, z)
    assert (np.diff(r) >= 0).all() and r.min() >= 0 and r.max() <= 1
    assert r[0] == pytest.approx(0, abs=1e-9) and r[-1] == pytest.approx(1)
    assert np.isfinite(risen(link, np.array([-1e9, 1e9]))).all()


def test_forms() -> None:
    z = np.array([-2.0, 0.0, 1.5])
    np.testing.assert_allclose(risen("sigmoid", z), expit(z))
    np.testing.assert_allclose(risen("exponential", z), 1 - np.exp(-np.exp(z)))
    np.testing.assert_allclose(risen("gompertz", z), np.exp(-np.exp(-z)))
    assert (risen(FLAT, z) == 0).all()
    # Far below its place the exponential link is an exponential of the loss, as its source has it.
    assert risen("exponential", np.array([-8.0]))[0] == pytest.approx(np.exp(-8.0), rel=1e-3)
