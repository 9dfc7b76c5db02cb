"""Whether a benchmark tells recipes apart at one size, and orders them as a larger size does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

#: Recipes below which no order is tested: of four, the same order twice has p = 1/24, which no correction survives.
MIN_RECIPES = 5
#: Pairs in agreement and not that an interval starts from: Jeffreys' prior.
_PRIOR = 0.5


@dataclass(frozen=True)
class Separation:
    """How far recipes lie apart at one size, in standard deviations of one run's score.

    Attributes:
        snr, low, high: standard deviation of the recipes' true scores over that of the noise, with its interval.
        range_to_noise: greatest difference of two observed scores over the noise, as published (Heineman et al. 2025).
        signal, noise: that difference, and the standard deviation of the noise, over the mean score, as published.
        p_value: of recipes that do not differ.
    """

    snr: float
    low: float
    high: float
    range_to_noise: float
    signal: float
    noise: float
    p_value: float


@dataclass(frozen=True)
class Agreement:
    """How two sizes agree about the order of recipes.

    Attributes:
        accuracy, low, high: share of pairs of recipes that both order alike, a tie counting half, with its interval.
        p_value: of orders that have nothing to do with each other, against agreement.
        n_recipes: measured at both sizes.
    """

    accuracy: float
    low: float
    high: float
    p_value: float
    n_recipes: int


#: What is known where nothing is.
NO_SEPARATION = Separation(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)


def separation(score: np.ndarray, n_runs: np.ndarray, variance: float, freedom: float, level: float) -> Separation:
    """Signal-to-noise of the scores (K,) of recipes, means over n_runs (K,) runs each.

    Scores have variance s^2 + v/n, with s^2 of recipes, v that of one run and 1/n the mean of 1/n_runs. The ratio of
    their variance to v/n has, divided by 1 + n s^2 / v, an F distribution; that gives estimate, interval and p.

    Args:
        variance: v, of one run's score, with `freedom` degrees of freedom; NaN where unknown.
        level: of the interval.
    """
    k = len(score)
    if k < 2 or not freedom > 0:
        return NO_SEPARATION
    spread, mean, sd = float(np.ptp(score)), abs(float(score.mean())), float(np.sqrt(variance))
    per_mean = float(np.mean(1 / n_runs))
    with np.errstate(divide="ignore", invalid="ignore"):
        f = np.divide(np.var(score, ddof=1), variance * per_mean)
        relative, noise, ratio = np.divide(spread, mean), np.divide(sd, mean), np.divide(spread, sd)
        tails = _f_quantiles(k - 1, freedom, np.array([(1 + level) / 2, (1 - level) / 2]))
        low, high = np.sqrt(np.maximum(f / tails - 1, 0) * per_mean)
        # The mean of F with no signal is freedom / (freedom - 2).
        middle = 1.0 if np.isinf(freedom) or freedom <= 2 else freedom / (freedom - 2)
        snr = np.sqrt(np.maximum(f / middle - 1, 0) * per_mean)
    p_value = _f_beyond(k - 1, freedom, float(f)) if np.isfinite(f) else 0.0 if f == np.inf else np.nan
    return Separation(float(snr), float(low), float(high), float(ratio), float(relative), float(noise), p_value)


def _f_quantiles(first: int, second: float, shares: np.ndarray) -> np.ndarray:
    """Quantiles of F, with infinite second degrees of freedom of chi-square over its own."""
    if np.isinf(second):
        return np.asarray(special.chdtri(first, 1 - shares) / first)
    return np.asarray(special.fdtri(first, second, shares))


def _f_beyond(first: int, second: float, f: float) -> float:
    """Probability of a greater F."""
    return float(special.chdtrc(first, f * first) if np.isinf(second) else special.fdtrc(first, second, f))


def agreement(small: np.ndarray, target: np.ndarray, level: float) -> Agreement:
    """Decision accuracy (Magnusson et al. 2025) of scores (K,) of the same recipes at two sizes, higher being better.

    It is (1 + tau) / 2 with Kendall's tau, whose permutation test gives p. Pairs share recipes, so the interval is that
    of a share of as many independent pairs as have its jackknife variance over recipes, fewer by the ratio of Student's
    to the normal quantile squared.
    """
    k = len(small)
    if k < 2:
        return Agreement(np.nan, np.nan, np.nan, np.nan, k)
    same = (np.sign(small[:, None] - small) * np.sign(target[:, None] - target) + 1) / 2
    np.fill_diagonal(same, 0.0)
    pairs = k * (k - 1) / 2
    accuracy = float(same.sum() / 2 / pairs)
    if k < MIN_RECIPES:
        return Agreement(accuracy, np.nan, np.nan, np.nan, k)
    low, high = _interval(accuracy, _jackknife_variance(same), pairs, k, level)
    tau = stats.kendalltau(small, target, alternative="greater")
    p_value = float(tau.pvalue) if np.isfinite(tau.pvalue) else 1.0  # all scores of a size are equal
    return Agreement(accuracy, low, high, p_value, k)


def _jackknife_variance(same: np.ndarray) -> float:
    """Variance of the mean of the pairs of `same` (K, K), leaving out a recipe at a time."""
    k = len(same)
    without = (same.sum() - 2 * same.sum(axis=1)) / ((k - 1) * (k - 2))
    return float((k - 1) / k * ((without - without.mean()) ** 2).sum())


def _interval(accuracy: float, variance: float, pairs: float, n_recipes: int, level: float) -> tuple[float, float]:
    tail = (1 + level) / 2
    # Half a pair on either side, so that a share of 1 does not stand for a variance of 0.
    share = (accuracy * pairs + _PRIOR) / (pairs + 2 * _PRIOR)
    independent = min(pairs, share * (1 - share) / max(variance, 1e-12))
    independent *= (special.ndtri(tail) / special.stdtrit(n_recipes - 1, tail)) ** 2
    right = accuracy * independent
    low, high = special.betaincinv(right + _PRIOR, independent - right + _PRIOR, [1 - tail, tail])
    return (0.0 if accuracy == 0 else float(low)), (1.0 if accuracy == 1 else float(high))
