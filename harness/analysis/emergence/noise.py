"""The noise of means over runs: evaluation noise, and the spread of seeds about a size's mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import polygamma

from harness.analysis.emergence.ladder_design import Layout

#: Curves of one metric from which their spreads are pooled.
FEWEST_POOLED = 3
#: Least noise, as a share of the range of the means, where nothing but a curve's own roughness tells of it.
UNTOLD_NOISE = 0.01


@dataclass(frozen=True)
class Noise:
    """Noise of one curve's runs.

    Attributes:
        evaluation: (K,) variance of a run's value from its finite evaluation set; 0 where that is unknown.
        spread: variance of runs about their size's mean beyond that.
        profile: (K,) logarithms of how the variance goes along the ladder beyond that.
        freedom: degrees of freedom with which the spread is known.
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

    def drawn_variance(self, layout: Layout) -> np.ndarray:
        """(D, K) variances as they would be found in data drawn with this noise."""
        if layout.freedom == 0:
            scale, profile = layout.residuals, np.zeros_like(self.profile)
        else:
            tilt = np.exp(self.profile) * (layout.counts - 1)
            scale, profile = layout.scatters @ (tilt / tilt.sum()), self.profile
            if layout.has_profiles:
                profile = layout.shrunk(self.profile + layout.raw_profiles)
        level = self.evaluation.mean() + self.spread
        spread = np.maximum(0.0, level * (self.pooled + (1 - self.pooled) * scale) - self.evaluation.mean())
        return (self.evaluation + spread[:, None]) * np.exp(profile)


def noise_of(layout: Layout, values: np.ndarray, evaluation: np.ndarray) -> Noise:
    """The noise that one curve tells of by itself.

    From the scatter of runs within sizes, or, with one run a size, from what a rise of any width leaves over.

    Args:
        values: (n,) value of each run.
        evaluation: (K,) as `Noise.evaluation`.
    """
    means, profile = layout.means(values), np.zeros(len(layout.t))
    if layout.freedom == 0:
        freedom = layout.expected_residual
        found = max(layout.left_over(means) / freedom, (UNTOLD_NOISE * np.ptp(means)) ** 2)
    else:
        scatter = layout.scatter(values)
        found, freedom = scatter.sum() / layout.freedom, float(layout.freedom)
        if layout.has_profiles and found > 0:
            profile = layout.profile(scatter / (evaluation + max(0.0, found - evaluation.mean())))
    return Noise(evaluation, max(0.0, float(found - evaluation.mean())), profile, freedom)


def pooled(noises: Sequence[Noise]) -> list[Noise]:
    """Each noise drawn towards what curves of the same metric have in common.

    Variances over their expected ones are taken as F distributed, the common variance with degrees of freedom that the
    spread of the ratios tells (Smyth 2004, "Linear models and empirical Bayes methods", section 6.2).
    """
    if len(noises) < FEWEST_POOLED:
        return list(noises)
    freedom = np.array([noise.freedom for noise in noises])
    evaluation = np.array([noise.evaluation.mean() for noise in noises])
    spread = np.array([noise.spread for noise in noises])
    common = float(np.sum(freedom * spread) / freedom.sum())
    ratio = (evaluation + spread) / np.maximum(evaluation + common, 1e-300)
    prior = _prior_freedom(np.log(np.maximum(ratio, 1e-6)), freedom)
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
    """Degrees of freedom of the common variance, by the variance of the logarithms; inf where they hardly differ."""
    excess = np.var(log_ratio, ddof=1) - np.mean(polygamma(1, freedom / 2))
    if excess <= polygamma(1, 5e5):
        return np.inf
    return float(2 * brentq(lambda half: polygamma(1, half) - excess, 1e-3, 1e6))
