"""The correlation of the answers of one run."""

from __future__ import annotations

import numpy as np
import pytest

from harness import ScalingLaw


def shares(rng: np.random.Generator, correlation: float, seeds: int = 20) -> tuple[np.ndarray, np.ndarray]:
    x = np.repeat(np.geomspace(1e3, 1e6, 8), seeds)
    p = 0.1 + 0.8 / (1 + (x / 3e4) ** -1.5)
    if correlation:
        total = (1 - correlation) / correlation
        p = rng.beta(p * total, (1 - p) * total)
    return x, rng.binomial(400, p) / 400


@pytest.mark.parametrize("correlation", [0.02, 0.1])
def test_the_correlation_that_was_planted_is_found(correlation: float) -> None:
    """160 runs: a relative standard error of about sqrt(2 / 156), 11 %; bounds at four of them."""
    fit = ScalingLaw("logistic").fit(*shares(np.random.default_rng(0), correlation), n_eval=np.full(160, 400))
    assert fit.seed_correlation_ == pytest.approx(correlation, rel=0.45)


def test_binomial_scatter_has_none_to_speak_of() -> None:
    """Pearson's statistic has a standard error of 11 %, which is that of a correlation of .11 / 400."""
    fit = ScalingLaw("logistic").fit(*shares(np.random.default_rng(1), 0.0), n_eval=np.full(160, 400))
    assert fit.seed_correlation_ < 5 * 0.11 / 400


def test_runs_that_scatter_more_have_wider_intervals() -> None:
    x, y = shares(np.random.default_rng(2), 0.05, seeds=5)
    spread = ScalingLaw("logistic").fit(x, y, n_eval=np.full(40, 400))
    plain = ScalingLaw("logistic", objective="binomial").fit(x, y, n_eval=np.full(40, 400))
    assert np.ptp(spread.intervals_["ceiling"]) > 2 * np.ptp(plain.intervals_["ceiling"])
