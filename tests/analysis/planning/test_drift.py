"""The factor and the drift, planted and found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.analysis.planning import drift
from harness.analysis.planning.drift import CutEvidence, judge_misses


def cut(rng: np.random.Generator, factor: float, slope: float, m: int = 12) -> CutEvidence:
    away = rng.uniform(0.3, 2.0, m)
    fit = 0.003 * rng.standard_normal((2, m))
    errors = (
        factor * (rng.standard_normal(2) @ fit + 0.004 * rng.standard_normal(m)) + slope * rng.standard_normal() * away
    )
    return CutEvidence.of(errors, fit, 0.004**2, away)


def test_likelihood_is_that_of_the_normal() -> None:
    rng = np.random.default_rng(0)
    m, c, delta = 8, 1.4, 0.01  # no more runs than count as independent
    away, fit, errors = rng.uniform(0, 2, m), 0.003 * rng.standard_normal((3, m)), 0.006 * rng.standard_normal(m)
    assert m < drift.INDEPENDENT_ERRORS
    evidence = CutEvidence.of(errors, fit, 1e-5, away)

    def exact(c: float, delta: float) -> float:
        covariance = c**2 * (fit.T @ fit + 1e-5 * np.eye(m)) + delta**2 * np.outer(away, away)
        return float(stats.multivariate_normal(cov=covariance).logpdf(errors))

    found = evidence.log_likelihood(np.array([[c], [1.0]]), np.array([[delta, 1e-9]]))
    assert found[0, 0] - found[1, 1] == pytest.approx(exact(c, delta) - exact(1.0, 1e-9), rel=1e-6)


def test_without_evidence_the_prior_speaks() -> None:
    factor, slope = judge_misses([])
    assert factor == pytest.approx(drift.USUAL_FACTOR * np.exp(drift.SPREAD_OF_FACTORS**2), rel=0.01)
    assert slope == pytest.approx(drift.USUAL_DRIFT * np.exp(drift.SPREAD_OF_DRIFTS**2), rel=0.1)  # but for the tail


@pytest.mark.parametrize(("factor", "slope"), [(1.0, 0.0), (1.0, 0.02), (2.0, 0.0), (0.7, 0.004)])
def test_much_evidence_finds_what_was_planted(factor: float, slope: float) -> None:
    rng = np.random.default_rng(1)
    found = np.array([judge_misses([cut(rng, factor, slope) for _ in range(40)]) for _ in range(10)]).mean(axis=0)
    assert found[0] == pytest.approx(factor, rel=0.12)
    assert abs(found[1] - slope) < 0.15 * slope + 0.0012


def test_one_cut_moves_the_prior_a_part_of_the_way() -> None:
    rng = np.random.default_rng(2)
    calm, wild = (np.mean([judge_misses([cut(rng, 1.0, slope)])[1] for _ in range(50)]) for slope in (0.0, 0.03))
    assert calm < judge_misses([])[1] < wild
