"""Noise of single curves, and what curves of one metric learn from each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, f

from harness.analysis.emergence.ladder_design import LadderDesign
from harness.analysis.emergence.noise import MIN_RELATIVE_SD, Noise, noise_of, pooled
from harness.analysis.emergence.null_draws import NullDraws
from harness.analysis.emergence.smooth_null import logistic


def draws_of(n_sizes: int, n_seeds: int) -> NullDraws:
    rung, seed = (axis.ravel() for axis in np.indices((n_sizes, n_seeds)))
    return NullDraws(LadderDesign(np.arange(float(n_sizes)), rung, seed))


def unevaluated(spread: float, freedom: float, evaluation: float = 0.0) -> Noise:
    return Noise(np.full(8, evaluation), spread, np.zeros(8), freedom)


# -------------------------------------------------------------------------------------------------- of a single curve


def test_the_spread_of_seeds_is_the_mean_square_within_sizes_less_evaluation() -> None:
    draws, rng = draws_of(5, 4), np.random.default_rng(0)
    values, evaluation = rng.normal(0, 0.1, 20), np.full(5, 0.004)
    noise = noise_of(draws, values, evaluation)
    within = np.mean([np.var(values.reshape(5, 4)[size], ddof=1) for size in range(5)])
    assert noise.spread == pytest.approx(within - 0.004)
    assert noise.freedom == 15 and noise.pooled == 0 and not noise.profile.any()
    np.testing.assert_allclose(noise.variance, within)
    assert noise_of(draws, values, np.full(5, 1.0)).spread == 0, "never below 0"


def test_equal_runs_have_the_noise_of_their_evaluation_alone() -> None:
    draws = draws_of(8, 3)
    noise = noise_of(draws, np.repeat(np.linspace(0, 1, 8), 3), np.full(8, 0.01))
    assert noise.spread == 0 and np.all(np.isfinite(noise.profile))
    assert noise_of(draws, np.repeat(np.linspace(0, 1, 8), 3), np.zeros(8)).variance.max() < 1e-15


def test_one_run_a_size_tells_its_noise_by_its_roughness() -> None:
    """The mean estimate of 400 curves over the truth: about 1 for smooth rises, and above 1, the safe side, for jumps.

    Measured on rises of 20 standard deviations: 1.97 at width 0, 1.52 at 2, .98 at 5, with standard errors of .05.
    """
    draws, rng = draws_of(8, 1), np.random.default_rng(1)
    for width, least, most in ((0.0, 1.6, 2.4), (2.0, 1.2, 1.85), (5.0, 0.8, 1.2)):
        found = [
            noise_of(draws, logistic(np.arange(8.0), place, width) + 0.05 * rng.standard_normal(8), np.zeros(8)).spread
            for place in rng.uniform(2, 5, 400)
        ]
        assert least < np.mean(found) / 0.05**2 < most
    exact = noise_of(draws, logistic(np.arange(8.0), 3.25, 1.0), np.zeros(8))
    assert exact.spread >= (0.9 * MIN_RELATIVE_SD) ** 2, "never exact"


def test_noise_that_grows_along_the_ladder_is_found() -> None:
    draws, rng = draws_of(12, 5), np.random.default_rng(2)
    sd = np.repeat(0.01 * np.geomspace(1, 4, 12), 5)
    ends = np.array([noise_of(draws, sd * rng.standard_normal(60), np.zeros(12)).variance[[0, -1]] for _ in range(200)])
    assert np.median(np.log(ends[:, 1] / ends[:, 0])) == pytest.approx(np.log(16), rel=0.3)
    even = np.array([noise_of(draws, rng.standard_normal(60), np.zeros(12)).variance[[0, -1]] for _ in range(200)])
    assert np.median(np.abs(np.log(even[:, 1] / even[:, 0]))) < 0.3


@pytest.mark.parametrize(("n_sizes", "n_seeds"), [(5, 3), (8, 3), (8, 1)])
def test_drawn_variances_are_about_the_truth_and_narrower_where_pooled(n_sizes: int, n_seeds: int) -> None:
    draws = draws_of(n_sizes, n_seeds)
    noise = Noise(np.full(n_sizes, 0.001), 0.003, np.zeros(n_sizes), 10.0)
    drawn = noise.drawn_variance(draws)
    assert drawn.shape == (len(draws.means), n_sizes) and drawn.min() >= 0.001 * np.exp(-8)
    assert drawn.mean() == pytest.approx(0.004, rel=0.15)
    half, whole = (replace(noise, pooled=share).drawn_variance(draws) for share in (0.5, 1.0))
    assert half.mean(axis=1).std() < drawn.mean(axis=1).std()
    if n_sizes == 5:
        np.testing.assert_allclose(whole, 0.004)


# ------------------------------------------------------------------------------------------------------- of many curves


def heterogeneous(prior: float, freedom: float, n: int, seed: int) -> tuple[np.ndarray, list[Noise]]:
    """True variances about .01 of n curves, prior / chi2(prior) each, and noises estimated with `freedom`."""
    rng = np.random.default_rng(seed)
    truth = np.full(n, 0.01) if np.isinf(prior) else 0.01 * prior / chi2.rvs(prior, size=n, random_state=rng)
    estimates = truth * chi2.rvs(freedom, size=n, random_state=rng) / freedom
    return truth, [unevaluated(spread, freedom) for spread in estimates]


@pytest.mark.parametrize("prior", [4.0, 8.0, 20.0])
@pytest.mark.parametrize("freedom", [4.0, 16.0])
def test_degrees_of_freedom_of_the_common_variance_are_found(prior: float, freedom: float) -> None:
    """Planted heterogeneity, 4,000 curves. The variance of a log ratio is v = psi'(d / 2) + psi'(d0 / 2), that of its
    estimate about 4 v^2 / 4,000, which is 3 % of v; worst for d = 4, d0 = 20: v = .645 + .105, of which .105 +- .024.
    """
    _, noises = heterogeneous(prior, freedom, 4000, 0)
    found = pooled(noises)[0].freedom - freedom
    assert prior / 2 < found < 2 * prior
    if freedom == 16:
        assert found == pytest.approx(prior, rel=0.2)
    # Ratios of the estimates to the common variance are F distributed with those degrees of freedom, up to the mean.
    ratio = np.array([noise.spread for noise in noises])
    ratio = ratio / ratio.mean()
    expected = f(freedom, found)
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert np.quantile(ratio, level) == pytest.approx(expected.ppf(level) / expected.mean(), rel=0.15)


def test_curves_that_agree_share_one_variance() -> None:
    """For d0 = inf the trigamma equation has no root in half of all samples, and a large one in the others."""
    found = [pooled(heterogeneous(np.inf, 16.0, 200, seed)[1])[0] for seed in range(40)]
    assert np.mean([np.isinf(noise.freedom) for noise in found]) > 0.25
    assert min(noise.freedom for noise in found) > 60
    known = next(noise for noise in found if np.isinf(noise.freedom))
    assert known.pooled == 1 and known.spread == pytest.approx(0.01, rel=0.05)


def test_pooled_variances_are_nearer_to_the_truth_and_err_upwards() -> None:
    truth, noises = heterogeneous(8.0, 6.0, 3000, 1)
    shrunk = np.array([noise.spread for noise in pooled(noises)])
    alone = np.array([noise.spread for noise in noises])
    assert np.std(np.log(shrunk / truth)) < 0.85 * np.std(np.log(alone / truth))
    # Given an estimate, d0 + d degrees of freedom times shrunk / truth is chi-square, were the prior's scale exact; the
    # mean of the estimates exceeds it d0 / (d0 - 2) = 1.33 times.
    freedom = pooled(noises)[0].freedom
    assert np.mean(freedom * shrunk / truth < chi2.ppf(0.05, freedom)) < 0.05
    assert 1.0 < np.mean(shrunk / truth) < 1.33


def test_pooling_is_the_weighted_mean_that_it_says() -> None:
    _, noises = heterogeneous(4.0, 6.0, 50, 2)
    noises = [replace(noise, evaluation=np.full(8, 0.002)) for noise in noises]
    together = pooled(noises)
    prior, common = together[0].freedom - 6.0, np.mean([noise.spread for noise in noises])
    for before, after in zip(noises, together, strict=True):
        total = (prior * (0.002 + common) + 6.0 * (0.002 + before.spread)) / (prior + 6.0)
        assert after.spread == pytest.approx(total - 0.002)
        assert after.pooled == pytest.approx(prior / (prior + 6.0))
        assert after.evaluation is before.evaluation and after.profile is before.profile


def test_two_curves_are_too_few_to_pool_and_equal_runs_do_no_harm() -> None:
    _, noises = heterogeneous(4.0, 6.0, 2, 3)
    assert pooled(noises) == noises
    zero = pooled([unevaluated(0.0, 6.0) for _ in range(5)])
    assert [noise.spread for noise in zero] == [0.0] * 5
    one_of_them = pooled([unevaluated(0.0, 6.0), *heterogeneous(8.0, 6.0, 20, 4)[1]])
    assert all(np.isfinite(noise.spread) and noise.spread >= 0 for noise in one_of_them)
