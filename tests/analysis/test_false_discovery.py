"""P values corrected for how many there are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from harness.analysis.false_discovery import adjusted


def test_nan_is_left_out_and_order_kept() -> None:
    found = adjusted([0.04, None, 0.01, np.nan])
    assert np.isnan([found[1], found[3]]).all()
    assert [found[0], found[2]] == pytest.approx([0.04, 0.02])
    assert np.isnan(adjusted([None])).all() and adjusted([]) == []


@pytest.mark.parametrize("n", [1, 2, 40])
def test_p_values_are_adjusted_as_scipy_does(n: int) -> None:
    p = np.random.default_rng(n).random(n) ** 3
    assert adjusted([*p, None])[:-1] == pytest.approx(false_discovery_control(p), rel=1e-12)
