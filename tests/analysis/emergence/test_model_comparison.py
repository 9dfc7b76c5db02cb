"""Marginal likelihoods against quadrature, and what the comparison says of planted curves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import logsumexp

from harness.analysis.emergence.marginals import MISFIT, height_scale, marginals
from harness.analysis.emergence.model_comparison import Comparison, compare_means
from harness.analysis.emergence.models import JUMP_WEIGHTS, SMOOTH_WEIGHTS, models_of

T = np.arange(8.0)
MODELS = models_of(T)
SHAPES = MODELS.shapes
N_PAIRS = len(SHAPES.first)


def one_curve() -> tuple[np.ndarray, np.ndarray, float, float]:
    rng = np.random.default_rng(3)
    variance = 0.02**2 * rng.uniform(0.5, 2, 8)
    means = 0.2 + 0.03 * T + 0.1 * (T > 3.5) + np.sqrt(variance) * rng.standard_normal(8)
    return means, variance, 9.0, 0.4


def likelihood(residual: np.ndarray, variance: np.ndarray, heights: np.ndarray, freedom: float, scale: float) -> float:
    """Integral over s, the scale of the noise, of N(residual | level, s V) N(heights | 0, s scale^2), level flat.

    By the trapezoidal rule in ln s, up to a factor common to all models.
    """
    precision = 1 / variance
    level = np.sum(precision * residual) / precision.sum()
    square = np.sum(precision * (residual - level) ** 2) + np.sum(heights**2) / scale**2
    log_s = np.linspace(-6, 6, 801)
    s = np.exp(log_s)
    # freedom / s ~ chi squared; the level leaves K - 1 dimensions, and each height adds one.
    power = (len(residual) - 1 + len(heights)) / 2 + freedom / 2
    value = s**-power * np.exp(-(square + freedom) / (2 * s))
    return float(np.trapezoid(value, log_s) * (2 * np.pi * scale**2) ** (-len(heights) / 2))


@pytest.mark.parametrize(("first_sign", "second_sign", "quadrant"), [(1, 1, 0), (1, -1, 1), (-1, 1, 2)])
def test_marginal_likelihoods_agree_with_quadrature(first_sign: int, second_sign: int, quadrant: int) -> None:
    means, variance, freedom, scale = one_curve()
    found = marginals(SHAPES, means[None], variance[None], np.array([freedom]), np.array([scale]))
    blurred = variance + (MISFIT * np.ptp(means)) ** 2
    level, above, _, *quadrants = np.split(found.log[0], np.cumsum([1, *[len(SHAPES.stacked)] * 2, *[N_PAIRS] * 3]))
    # The pair of a smooth shape and a jump that fits best with heights of these signs.
    pair = SHAPES.n_smooth_pairs + int(np.argmax(quadrants[quadrant][SHAPES.n_smooth_pairs :]))
    first, second = SHAPES.first[[pair]], SHAPES.second[[pair]]
    u, v = SHAPES.stacked[first[0]], SHAPES.stacked[second[0]]
    location, scales, _ = found.heights(0, np.array([pair]), first, second)

    nodes, weights = np.polynomial.legendre.leggauss(40)
    axes, volumes = [], []
    for sign, middle, reach in zip((first_sign, second_sign), location[:, 0], 7 * scales[:, 0], strict=True):
        # The density is that of the sign of the model, even where the mode of the untruncated one has the other sign.
        near, far = max(0.0, sign * middle - reach), max(0.0, sign * middle) + reach
        low, high = sorted((sign * near, sign * far))
        axes.append(low + (high - low) * (nodes + 1) / 2)
        volumes.append((high - low) / 2 * weights)
    values = [
        [likelihood(means - a * u - b * v, blurred, np.array([a, b]), freedom, scale) for b in axes[1]] for a in axes[0]
    ]
    two = 4 * float(volumes[0] @ np.array(values) @ volumes[1])
    none = likelihood(means, blurred, np.zeros(0), freedom, scale)
    assert quadrants[quadrant][pair] - level[0] == pytest.approx(np.log(two / none), abs=0.03)

    def of_one(a: float) -> float:
        return likelihood(means - a * u, blurred, np.array([a]), freedom, scale)

    one = 2 * quad(of_one, 0, 3, points=[found.height(0, first)[0][0]], epsabs=0, epsrel=1e-8, limit=200)[0]
    assert above[first[0]] - level[0] == pytest.approx(np.log(one / none), abs=1e-3)


def test_prior_weights_sum_to_one() -> None:
    assert sum(SMOOTH_WEIGHTS.values()) == pytest.approx(1)
    assert sum(JUMP_WEIGHTS.values()) == pytest.approx(1)
    for prior in (MODELS.smooth_up, MODELS.smooth_down, MODELS.jump_up, MODELS.jump_down):
        assert prior.sum() == pytest.approx(1)


def test_large_bayes_factors_are_rare_for_curves_of_the_smooth_models() -> None:
    """E[B | smooth] = 1 over the prior, so P(B > b) <= 1 / b (Markov). The curves are near the prior, hence 1.5 / b."""
    rng = np.random.default_rng(4)
    n, sd = 2000, 0.02
    heights = np.abs(rng.standard_normal((n, 2))) * 0.4 * (rng.random((n, 2)) < 0.7)
    picked = rng.integers(len(SHAPES.combined), size=(n, 2))
    means = np.einsum("nd,ndk->nk", heights, SHAPES.stacked[picked]) + sd * rng.standard_normal((n, 8))
    found = compare_means(MODELS, means, np.full((n, 8), sd**2), np.full(n, np.inf), np.full(n, 0.4))
    for b in (2.0, 5.0, 20.0):
        assert np.mean(found.log_bayes_up > np.log(b)) < 1.5 / b


def of(curve: np.ndarray, sd: float = 0.01, freedom: float = 16.0, n: int = 60, seed: int = 5) -> Comparison:
    rng = np.random.default_rng(seed)
    means = curve + sd * rng.standard_normal((n, len(curve)))
    models = models_of(np.arange(float(len(curve))))
    variance = np.broadcast_to(sd**2, means.shape)
    return compare_means(models, means, variance, np.full(n, freedom), height_scale(means, 1.0))


def test_the_place_of_a_jump_on_a_slope_is_covered() -> None:
    """Of `.05 + .04 z + .3 [z > 3.1]`, whose place a posterior over a single rise covers in 0 of 40."""
    found = of(0.05 + 0.04 * T + 0.3 * (T > 3.1))
    assert (found.log_bayes_up > 3).all()
    ends = np.array([found.gap(i) for i in range(60)])
    assert np.mean((ends[:, 0] <= 3.1) & (ends[:, 1] >= 3.1)) > 0.95
    assert np.mean(ends[:, 1] - ends[:, 0]) < 1.2


def test_a_jump_late_on_a_long_slope_is_found() -> None:
    """`.02 + .05 z + .2 [z > 5.5]` over 12 sizes by contrasts has p = 1 in 17 of 20: large rises make them negative."""
    z = np.arange(12.0)
    assert np.mean(of(0.02 + 0.05 * z + 0.2 * (z > 5.5)).log_bayes_up > 1) > 0.9


def test_a_jump_of_token_accuracy_on_a_slope_is_a_jump() -> None:
    """`.2 + .05 z + .3 [z > 3.5]`, the tokens behind an exact match of five, are taken for smooth in 13 of 40."""
    assert (of(0.2 + 0.05 * T + 0.3 * (T > 3.5), sd=0.012).statistic > 1).all()


def test_a_small_jump_on_a_plateau_after_an_early_rise_is_found() -> None:
    z = np.arange(12.0)
    curve = 0.1 + 0.5 * (1 - np.exp(-0.5 * z)) + 0.15 * (z > 7.5)
    assert np.mean(of(curve).log_bayes_up > 0) > 0.9


@pytest.mark.parametrize(
    "curve",
    [
        0.1 + 0.05 * T,
        0.1 + 0.6 * (1 - np.exp(-0.4 * T)),
        0.1 + 0.5 / (1 + np.exp(-4.39 * (T - 3.3) / 4.5)),
        0.6 - 0.4 / (1 + np.exp(-4.39 * (T - 2) / 4.5)) + 0.3 / (1 + np.exp(-4.39 * (T - 6) / 4.5)),
        np.full(8, 0.25),
    ],
    ids=["straight", "power law in the error", "logistic", "u-shape", "level"],
)
def test_smooth_curves_are_not_jumps(curve: np.ndarray) -> None:
    found = of(curve)
    assert np.mean(found.statistic > 1) < 0.1


def test_a_drop_is_a_jump_upside_down() -> None:
    up = 0.3 + 0.03 * T + 0.3 * (T > 3.5)
    rising, falling = of(up), of(1 - up)
    assert rising.jumps_up.all() and (rising.statistic > 3).all()
    assert not falling.jumps_up.any() and (falling.log_bayes_down > 3).all()


def test_turning_a_curve_upside_down_swaps_the_two_bayes_factors() -> None:
    means = np.stack([one_curve()[0], 0.5 - 0.04 * T])
    arguments = np.full((2, 8), 1e-4), np.full(2, 16.0), np.full(2, 0.4)
    upright, turned = compare_means(MODELS, means, *arguments), compare_means(MODELS, -means, *arguments)
    assert turned.log_bayes_down == pytest.approx(upright.log_bayes_up, abs=0.02)
    assert turned.log_bayes_up == pytest.approx(upright.log_bayes_down, abs=0.02)


def test_the_statistic_is_a_number_for_flat_exact_and_large_values() -> None:
    means = np.stack([np.full(8, 0.25), 1e6 * (T > 3), np.zeros(8)])
    found = compare_means(MODELS, means, np.zeros((3, 8)), np.full(3, 2.0), height_scale(means))
    assert np.isfinite(found.statistic).all()


def test_a_last_value_a_little_above_the_others_is_no_jump() -> None:
    """.2312, .2312, .2312, .25 with an unknown n_eval, so that its noise seems to be that of rounding."""
    means = np.array([[0.2312, 0.2312, 0.2312, 0.25]])
    found = compare_means(
        models_of(np.arange(4.0)), means, np.full((1, 4), 1e-9), np.full(1, 1.0), height_scale(means, 1.0)
    )
    assert found.statistic[0] < 0


def test_heights_have_a_scale_within_what_the_metric_allows() -> None:
    means = np.array([[0.0, 0.9], [0.2, 0.3]])
    assert height_scale(means, 1.0) == pytest.approx([1.0, 0.3])


def test_a_jump_in_the_last_gap_is_no_evidence_of_a_jump() -> None:
    curve = 0.2 + 0.5 * (T > 6.5)
    assert np.mean(of(curve).statistic > 1) < 0.1
    found = marginals(SHAPES, curve[None], np.full((1, 8), 1e-4), np.full(1, 16.0), np.full(1, 0.75))
    edge, smooth = (logsumexp(found.log[0], b=prior) for prior in (MODELS.edge_up, MODELS.smooth_up))
    assert edge > smooth
