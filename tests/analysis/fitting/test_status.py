"""How a fit ended, and in words what the data lack."""

from __future__ import annotations

import numpy as np
import pytest

from harness import ScalingLaw
from harness.analysis.fitting.status import FitStatus, interval_status, unidentified
from harness.datasets import LossSurface


@pytest.mark.parametrize(
    ("value", "low", "high", "wanted"),
    [
        (0.5, 0.4, 0.6, False),
        (0.5, 0.09, 0.6, True),
        (0.5, -0.1, 0.6, True),
        (0.5, 0.4, np.inf, True),
        (0.5, -np.inf, 0.6, True),
        (-0.5, -0.6, -0.4, False),
        (1e-4, 5e-5, 4e-3, False),
    ],
)
def test_an_exponent_with_a_wide_or_open_interval_is_not_identified(
    value: float, low: float, high: float, wanted: bool
) -> None:
    assert unidentified(value, low, high) == wanted


def test_parameters_that_trade_off_are_named_with_their_directions() -> None:
    """Over a factor of four the floor and the exponent trade off: both up, and A far up."""
    rng = np.random.default_rng(6)
    x = np.repeat(np.geomspace(1e3, 4e3, 5), 2)
    fit = ScalingLaw("power_floor").fit(x, (1.5 + 100 * x**-0.5) * np.exp(0.015 * rng.standard_normal(10)))
    assert fit.status_ is FitStatus.NOT_IDENTIFIABLE
    assert fit.message_.startswith("parameters trade off along A up, alpha up, E up: alpha 0.25")
    assert fit.message_.endswith("a wider range of x, or more runs, would tell")


@pytest.mark.parametrize("settings", [{"objective": "huber"}, {"objective": "squares"}, {"interval": "bootstrap"}])
def test_what_two_values_of_d_do_not_tell_has_no_interval_that_pretends(settings: dict[str, str]) -> None:
    """Whichever point of the valley the fit ends at, the intervals reach over the rest of it, and hold the truth."""
    rng, truth = np.random.default_rng(0), LossSurface()
    n, d = np.repeat(np.geomspace(1e7, 1e9, 8), 2), np.tile([1e9, 2e10], 8)
    loss = truth.loss(n, d) * np.exp(0.004 * rng.standard_normal(16))
    fit = ScalingLaw("hoffmann", **settings).fit(np.stack([n, d], axis=1), loss)  # type: ignore[arg-type]
    assert fit.status_ is FitStatus.NOT_IDENTIFIABLE and fit.interval_ == "profile"
    for name in ("E", "alpha", "beta"):
        low, high = fit.intervals_[name]
        assert low <= getattr(truth, name) <= high, name
    low, high = fit.intervals_["beta"]
    assert high / low > 20
    assert ("beta is not identified: intervals are by profile" in fit.message_) == (
        settings != {"objective": "squares"}
    )


def test_a_finding_at_a_bound_is_no_complaint() -> None:
    """A ceiling of 1 is where the metric ends; a fit there has converged."""
    x = np.repeat(np.geomspace(1e2, 1e8, 12), 2)
    rng = np.random.default_rng(0)
    share = np.clip(1 / (1 + (x / 3e4) ** -1.0) + 0.003 * rng.standard_normal(24), 0, 1)
    fit = ScalingLaw("logistic", objective="squares").fit(x, share)
    assert fit.params_["ceiling"] == pytest.approx(1, abs=0.01) and fit.status_ is FitStatus.CONVERGED


def test_rows_of_a_table_have_a_status_each() -> None:
    assert interval_status(np.array([False, True])) == ["converged", "interval failed"]
