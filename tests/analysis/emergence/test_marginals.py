"""Marginal likelihoods by brute force: averages over draws of all that is integrated out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import dblquad

from harness.analysis.emergence.marginals import HEIGHT_SCALE, MISFIT, NEGLIGIBLE, Marginals, height_scale, marginals
from harness.analysis.emergence.model_comparison import compare_means
from harness.analysis.emergence.models import models_of

T = np.arange(5.0)
MODELS = models_of(T)
SHAPES = MODELS.shapes
N_SHAPES, N_PAIRS = len(SHAPES.stacked), len(SHAPES.first)
FREEDOM, SCALE = 6.0, 0.5
VARIANCE = 0.05**2 * np.array([0.5, 1.0, 2.0, 1.0, 0.7])
#: Where the models of one shape and of two begin in `Marginals.log`.
ONE, TWO = 1, 1 + 2 * N_SHAPES
FALLING = 0.6 - 0.2 * (T > 1.5)


def marginals_of(means: np.ndarray, variance: np.ndarray = VARIANCE) -> Marginals:
    return marginals(SHAPES, means[None], variance[None], np.array([FREEDOM]), np.array([SCALE]))


def averaged(means: np.ndarray, shapes: np.ndarray, signs: tuple[int, ...], n: int = 400_000) -> float:
    """Likelihood of the means, averaged over draws of the heights and of the scale of the noise from their priors.

    The level is integrated out exactly, for no draws of a flat prior can be had. Up to a factor common to all models.
    """
    rng = np.random.default_rng(0)
    s = FREEDOM / rng.chisquare(FREEDOM, n)
    heights = np.array(signs) * np.abs(rng.standard_normal((n, len(signs)))) * np.sqrt(s)[:, None] * SCALE
    precision = 1 / (VARIANCE + (MISFIT * np.ptp(means)) ** 2)
    rest = means - heights @ shapes
    rest = rest - (rest @ precision / precision.sum())[:, None]
    return float(np.mean(s ** (-(len(means) - 1) / 2) * np.exp(-(rest**2 @ precision) / (2 * s))))


@pytest.mark.parametrize("means", [0.2 + 0.1 * T, 0.3 + 0.4 * (T > 2.5), FALLING, np.array([0.3, 0.6, 0.5, 0.2, 0.4])])
def test_the_formula_is_the_average_over_heights_and_noise(means: np.ndarray) -> None:
    """400,000 draws: the standard errors of the logarithms are about .01."""
    found = marginals_of(means).log[0]
    level = averaged(means, np.zeros((0, 5)), ())
    for shape in (0, N_SHAPES // 2, N_SHAPES - 1):
        for at, sign in ((ONE, 1), (ONE + N_SHAPES, -1)):
            expected = np.log(averaged(means, SHAPES.stacked[[shape]], (sign,)) / level)
            assert found[at + shape] - found[0] == pytest.approx(expected, abs=0.08)
    # Of each quadrant the pair that it makes most likely.
    for quadrant, signs in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
        of_quadrant = found[TWO + quadrant * N_PAIRS : TWO + (quadrant + 1) * N_PAIRS]
        pair = int(np.argmax(of_quadrant))
        both = SHAPES.stacked[[SHAPES.first[pair], SHAPES.second[pair]]]
        expected = np.log(averaged(means, both, signs) / level)
        # Probabilities of quadrants are right to 1e-3: where one counts for nothing its logarithm is not.
        near = of_quadrant[pair] > found[TWO:].max() - 3
        assert of_quadrant[pair] - found[0] == pytest.approx(expected, abs=0.1 if near else 0.7)


def test_a_sum_over_quadrants_is_the_likelihood_without_signs() -> None:
    """Each half normal is twice the normal on its half line: the mean of the four is that of normal heights."""
    means = 0.2 + 0.1 * T + 0.2 * (T > 2.5)
    found = marginals_of(means)
    pair = SHAPES.n_smooth_pairs + int(np.argmax(found.log[0][TWO + SHAPES.n_smooth_pairs : TWO + N_PAIRS]))
    u, v = SHAPES.stacked[[SHAPES.first[pair], SHAPES.second[pair]]]
    precision = 1 / (VARIANCE + (MISFIT * np.ptp(means)) ** 2)
    known = FREEDOM + len(means) - 1

    def normal(a: float, b: float) -> float:
        """Likelihood with the level and the noise integrated out, times the normal prior of both heights."""
        rest = means - a * u - b * v
        rest = rest - rest @ precision / precision.sum()
        square = rest**2 @ precision + (a**2 + b**2) / SCALE**2
        return float((1 + square / FREEDOM) ** (-(known + 2) / 2))

    # The integral over s of s^-(known + 2)/2 - 1 exp(-(square + freedom) / 2s), up to the same factor as with none.
    gammas = known / FREEDOM / (2 * np.pi * SCALE**2)
    none = (1 + found.square[0, 0] / FREEDOM) ** (-known / 2)
    expected = gammas * dblquad(normal, -3, 3, -3, 3, epsabs=1e-9)[0] / none
    four = found.log[0][[TWO + i * N_PAIRS + pair for i in range(4)]] - found.log[0][0]
    assert np.log(np.mean(np.exp(four))) == pytest.approx(np.log(expected), abs=0.02)


def test_heights_given_a_shape_are_those_of_ridge_regression() -> None:
    means = np.array([0.3, 0.35, 0.5, 0.62, 0.66])
    found = marginals_of(means)
    precision = 1 / (VARIANCE + (MISFIT * np.ptp(means)) ** 2)
    root = np.sqrt(precision)
    pair = 3
    for shapes, location in (
        (SHAPES.stacked[[4]], found.height(0, np.array([4]))[0]),
        (
            SHAPES.stacked[[SHAPES.first[pair], SHAPES.second[pair]]],
            found.heights(0, np.array([pair]), SHAPES.first[[pair]], SHAPES.second[[pair]])[0][:, 0],
        ),
    ):
        rows = np.vstack([np.ones(5), shapes]).T * root[:, None]
        ridge = np.vstack([np.zeros(len(shapes)), np.eye(len(shapes)) / SCALE]).T
        solved = np.linalg.lstsq(np.vstack([rows, ridge]), np.append(root * means, np.zeros(len(shapes))), rcond=None)
        np.testing.assert_allclose(location, solved[0][1:], rtol=1e-8)


def test_scales_and_correlation_of_heights_are_those_of_their_posterior() -> None:
    """The inverse of A, times (freedom + rest) / known."""
    means = np.array([0.3, 0.35, 0.5, 0.62, 0.66])
    found, pair = marginals_of(means), SHAPES.n_smooth_pairs + 1
    u = SHAPES.stacked[[SHAPES.first[pair], SHAPES.second[pair]]]
    precision = 1 / (VARIANCE + (MISFIT * np.ptp(means)) ** 2)
    weights = np.diag(precision) - np.outer(precision, precision) / precision.sum()
    a = u @ weights @ u.T + np.eye(2) / SCALE**2
    rest = means @ weights @ means - (u @ weights @ means) @ np.linalg.solve(a, u @ weights @ means)
    covariance = np.linalg.inv(a) * (FREEDOM + rest) / (FREEDOM + 4)
    _, scales, correlation = found.heights(0, np.array([pair]), SHAPES.first[[pair]], SHAPES.second[[pair]])
    np.testing.assert_allclose(scales[:, 0], np.sqrt(np.diag(covariance)))
    assert correlation[0] == pytest.approx(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def test_units_and_levels_cancel() -> None:
    means = np.array([0.3, 0.35, 0.5, 0.62, 0.66])
    here = marginals_of(means).log[0]
    there = marginals(
        SHAPES, 1e3 * means[None] - 7, 1e6 * VARIANCE[None], np.array([FREEDOM]), np.array([1e3 * SCALE])
    ).log[0]
    known = np.isfinite(here)
    np.testing.assert_array_equal(known, np.isfinite(there))
    np.testing.assert_allclose(there[known] - there[0], here[known] - here[0], atol=1e-6)


def test_pairs_that_are_left_out_count_for_nothing() -> None:
    found = marginals_of(0.3 + 0.4 * (T > 2.5)).log[0][TWO:].reshape(4, N_PAIRS)
    with_jump = found[:, SHAPES.n_smooth_pairs :]
    left_out = np.isneginf(with_jump).all(axis=0)
    assert 0 < left_out.mean() < 1
    # At most all of the pairs, each below the best by as much as is negligible.
    assert left_out.sum() * np.exp(-NEGLIGIBLE) < 0.01


def test_known_variances_are_the_limit_of_many_degrees_of_freedom() -> None:
    means = np.array([[0.3, 0.35, 0.5, 0.62, 0.66], [0.3, 0.3, 0.3, 0.6, 0.6]])
    few, many, known = (
        compare_means(MODELS, means, np.tile(VARIANCE, (2, 1)), np.full(2, freedom), np.full(2, SCALE)).statistic
        for freedom in (4.0, 1e5, np.inf)
    )
    np.testing.assert_allclose(known, many, atol=0.01)
    assert np.abs(known - few).max() > 0.1, "few degrees of freedom make a difference"


def test_the_scale_of_heights_is_that_of_the_range_and_never_more_than_there_is_room_for() -> None:
    means = np.array([[0.2, 0.3, 0.25], [0.1, 0.9, 0.5], [0.4, 0.4, 0.4]])
    scale = height_scale(means, np.array([1.0, 1.0, 1.0]))
    assert scale[:2] == pytest.approx([HEIGHT_SCALE * 0.1, 1.0]) and scale[2] > 0
    assert height_scale(means)[1] == pytest.approx(HEIGHT_SCALE * 0.8)
