r"""The noise of runs: evaluation noise, which is known, and the spread of seeds, which is estimated.

A run of size k has variance

    v_k = (u_k + s) exp(r_k),

u_k its evaluation variance (binomial, or the square of a standard error; 0 where unknown), s the spread of seeds and r
a log variance profile along the ladder, shrunk towards 0 (`NullDraws.variance_profile`).

- Sizes with several runs: mean(u) + s is estimated by the within-size mean square, sum_k scatter_k / sum_k (n_k - 1),
  with as many degrees of freedom d.
- One run a size: by the residual mean square of the means about the best fitting rise and jump, whose degrees of
  freedom are Monte Carlo estimates (`NullDraws.expected_residual`).
- Curves of one metric share their spread as far as they agree (`pooled`).

Source: Smyth 2004, "Linear models and empirical Bayes methods for assessing differential expression in microarray
experiments", Statistical Applications in Genetics and Molecular Biology 3(1), section 6.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import polygamma

from harness.analysis.emergence.ladder_design import LadderDesign
from harness.analysis.emergence.null_draws import NullDraws

#: Curves of one metric from which their spreads are pooled: two say next to nothing of how variances vary.
MIN_POOLED = 3
#: Least standard deviation of a mean, as a share of the range of the means, where only a curve's own residuals tell: a
#: curve that happens to lie on a rise to four digits is not known to four digits.
MIN_RELATIVE_SD = 0.01
#: Least ratio of a curve's variance to the common one, so that its logarithm is finite where runs are equal.
MIN_VARIANCE_RATIO = 1e-6
#: Smallest variance of a mean, for values that are equal in every run; far below the square of any unit in use.
MIN_VARIANCE = 1e-100
#: Degrees of freedom of the common variance above which it counts as known exactly.
MAX_PRIOR_FREEDOM = 1e6


@dataclass(frozen=True)
class Noise:
    """Noise of one curve's runs.

    Attributes:
        evaluation: (K,) u, variance of a run's value from its finite evaluation set; 0 where that is unknown.
        spread: s, variance of runs about their size's mean beyond that.
        profile: (K,) r, how the logarithm of the variance changes along the ladder.
        freedom: degrees of freedom of the estimate of mean(u) + s; inf where it is known.
        pooled: share of them that come from other curves of the metric.
    """

    evaluation: np.ndarray
    spread: float
    profile: np.ndarray
    freedom: float
    pooled: float = 0.0

    @property
    def variance(self) -> np.ndarray:
        """(K,) variance of one run at each size."""
        return (self.evaluation + self.spread) * np.exp(self.profile)

    def variance_of_means(self, design: LadderDesign) -> np.ndarray:
        """(K,) variance of the mean over the runs of each size, above 0."""
        return np.maximum(self.variance / design.counts, MIN_VARIANCE)

    def drawn_variance(self, draws: NullDraws) -> np.ndarray:
        """(D, K) variances of a run as they would be estimated from data drawn with this noise."""
        design = draws.design
        if design.freedom == 0:
            ratio, profile = draws.residual_ratios, np.zeros_like(self.profile)
        else:
            weight = np.exp(self.profile) * (design.counts - 1)
            ratio, profile = draws.variance_ratios @ (weight / weight.sum()), self.profile
            if design.has_profile:
                profile = draws.shrunk(self.profile + draws.raw_profiles)
        level = self.evaluation.mean() + self.spread
        spread = np.maximum(0.0, level * (self.pooled + (1 - self.pooled) * ratio) - self.evaluation.mean())
        return (self.evaluation + spread[:, None]) * np.exp(profile)


def noise_of(draws: NullDraws, values: np.ndarray, evaluation: np.ndarray) -> Noise:
    """The noise of one curve, from its own runs alone.

    Args:
        draws: of the curve's design.
        values: (n,) value of each run.
        evaluation: (K,) as `Noise.evaluation`.
    """
    design = draws.design
    means, profile = design.means(values), np.zeros(len(design.t))
    if design.freedom == 0:
        freedom = draws.expected_residual
        mean_square = float(design.residual_of_means(means[None])[0]) / freedom
        total = max(mean_square, (MIN_RELATIVE_SD * np.ptp(means)) ** 2)
    else:
        scatter = design.scatter(values)
        total, freedom = scatter.sum() / design.freedom, float(design.freedom)
        if design.has_profile and total > 0:
            profile = draws.variance_profile(scatter / (evaluation + max(0.0, total - evaluation.mean())))
    return Noise(evaluation, max(0.0, float(total - evaluation.mean())), profile, freedom)


def pooled(noises: Sequence[Noise]) -> list[Noise]:
    """Noises of curves of one metric, each shrunk towards what they have in common.

    With w_i = mean(u_i) + s_i estimated with d_i degrees of freedom, and w0_i = mean(u_i) + s0, s0 the mean spread
    weighted by d, the ratios w_i / w0_i are taken to be F distributed with (d_i, d0) degrees of freedom, and

        w_i* = (d0 w0_i + d_i w_i) / (d0 + d_i),  with d0 + d_i degrees of freedom.

    d0, those of the common variance, follows from the variance of ln(w_i / w0_i), which is psi'(d_i / 2) + psi'(d0 / 2)
    (trigamma functions); it is inf where the ratios vary no more than their d_i explain. Fewer than `MIN_POOLED` are
    left as they are.
    """
    if len(noises) < MIN_POOLED:
        return list(noises)
    freedom = np.array([noise.freedom for noise in noises])
    evaluation = np.array([noise.evaluation.mean() for noise in noises])
    spread = np.array([noise.spread for noise in noises])
    common = float(np.sum(freedom * spread) / freedom.sum())
    ratio = (evaluation + spread) / np.maximum(evaluation + common, 1e-300)
    prior = _prior_freedom(np.log(np.maximum(ratio, MIN_VARIANCE_RATIO)), freedom)
    share = prior / (prior + freedom) if np.isfinite(prior) else np.ones_like(freedom)
    level = (evaluation + common) * (share + (1 - share) * ratio)
    known = prior + freedom
    return [
        replace(
            noise, spread=max(0.0, float(level[i] - evaluation[i])), freedom=float(known[i]), pooled=float(share[i])
        )
        for i, noise in enumerate(noises)
    ]


def _prior_freedom(log_ratio: np.ndarray, freedom: np.ndarray) -> float:
    """d0 of `pooled`, from logarithms of the ratios (n,) and their d (n,)."""
    excess = np.var(log_ratio, ddof=1) - np.mean(polygamma(1, freedom / 2))
    if excess <= polygamma(1, MAX_PRIOR_FREEDOM / 2):
        return np.inf
    return float(2 * brentq(lambda half: polygamma(1, half) - excess, 1e-3, MAX_PRIOR_FREEDOM))
