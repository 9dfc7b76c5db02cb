"""Monte Carlo draws under the null on one ladder design: what statistics of unit normal noise would be.

A design is drawn once, `N_DRAWS` times all of its runs, and each curve on it is compared with those draws scaled to its
own noise. So a p value needs no refit, and curves of one ladder share the cost. Seeds are fixed: results repeat to the
digit.
"""

from __future__ import annotations

import numpy as np

from harness.analysis.emergence.bounded_cache import BoundedCache, array_bytes
from harness.analysis.emergence.ladder_design import LadderDesign
from harness.analysis.emergence.smooth_null import logistic

#: Draws of every design; as many as a calibration takes, and more.
N_DRAWS = 1999
#: Added to the ratio of a size's variance to the expected one before its logarithm is taken, since a scatter may be 0.
LOG_OFFSET = 0.1
#: How many times its mean under equal noise the squared length of a residual profile must be to count at all; above 1,
#: so that profiles that chance gives rarely do. With such profiles a spread that changes along the ladder is flagged in
#: 4 % instead of 8 % at 12 sizes.
REST_SHRINKAGE = 1.3
#: Rises that stand for any where the draws of a residual sum of squares need a mean curve: (place from the middle of
#: the ladder, None for its end; width), in steps.
TYPICAL_RISES = ((0.0, 4.0), (0.0, 6.0), (-1.3, 4.0), (1.3, 8.0), (None, 6.0))
#: Heights of those rises in standard deviations of the noise. With one run a size the rise fitted takes up the more of
#: the noise the lower it stands out; calibrated at 20 the test flags a spread that changes along the ladder in 10 % at
#: 12 sizes, at 8 in 6 %, at a cost of four points of power. Seeds are tested one by one only where their curves stand
#: out.
LOW_RISE, TALL_RISE = 8.0, 20.0
#: Share of curves whose seeds have no curves of their own that are tested seed by seed all the same, at most.
SEED_CURVES_LEVEL = 0.03
#: Bytes of draws that are kept between calls.
MAX_DRAW_BYTES = 128 * 2**20
#: Bytes of intermediate results while a design is drawn.
_BLOCK_BYTES = 16 * 2**20


class NullDraws:
    """Draws of unit normal noise on a design, D = `N_DRAWS` of them.

    Attributes:
        design: the ladder.
        means: (D, K) means at each size.
        variance_ratios: (D, K) variance estimated within a size over the true one; 0 where a size has one run.
        raw_profiles: (D, K) logarithms of these, less their mean over draws; (D, 0) where the design has no profile.
        expected_residual: residual sum of squares of the means, in units of their variance, about the best fitting
            rise and jump; its degrees of freedom. NaN where sizes are replicated.
        residual_ratios: (D,) that sum of squares over its expectation; empty where sizes are replicated.
        seed_residuals: (D,) residual sums of squares of all seeds about their own best fitting rises, in units of the
            noise variance; empty where there are no whole seeds.
        critical_scatter_ratio: within-size scatter over the seeds' residual sum of squares that a share
            `SEED_CURVES_LEVEL` of draws exceeds if seeds have no curves of their own, whatever the common curve is.
    """

    def __init__(self, design: LadderDesign) -> None:
        self.design = design
        runs = np.random.default_rng(0).standard_normal((N_DRAWS, len(design.rung)))
        by_seed = design.runs_by_seed
        self.means = design.means(runs)
        self.variance_ratios = design.scatter(runs) / np.maximum(design.counts - 1, 1)
        self._draw_profiles()
        self.expected_residual, self.residual_ratios = float("nan"), np.zeros(0)
        if design.freedom == 0:
            residuals = _turn_by_turn([self._residuals(rise) for rise in self._typical_rises()])
            self.expected_residual = float(residuals.mean())
            self.residual_ratios = residuals / self.expected_residual
        self.critical_scatter_ratio, self.seed_residuals = np.inf, np.zeros(0)
        if by_seed is not None:
            scatter = design.scatter(runs).sum(axis=1)
            curves = runs[:, by_seed]
            level, *rises = [self._seed_residuals(rise, curves) for rise in (0 * design.t, *self._typical_rises())]
            ratios = [np.quantile(scatter / left, 1 - SEED_CURVES_LEVEL) for left in (level, *rises)]
            self.critical_scatter_ratio, self.seed_residuals = float(max(ratios)), _turn_by_turn(rises)

    def variance_profile(self, ratio: np.ndarray) -> np.ndarray:
        """(..., K) log variance profile of a curve, shrunk towards none.

        A trend along the ladder and the residuals about it are each shrunk by the positive-part rule of James and
        Stein, x max(0, 1 - E_0[x^2] / x^2) with E_0 over the draws, so that noise that is the same at all sizes stays
        so. Sizes with one run follow the trend.

        Args:
            ratio: (..., K) scatter within sizes over the variance expected of one run.
        """
        counts, replicated = self.design.counts, self.design.replicated
        raw = np.where(replicated, np.log(ratio / np.maximum(counts - 1, 1) + LOG_OFFSET), 0.0)
        return self.shrunk(raw - self._mean_profile)

    def shrunk(self, profile: np.ndarray) -> np.ndarray:
        """A raw profile (..., K), shrunk; see `variance_profile`."""
        slope, rest = self.design.trend_and_rest(profile)
        slope = slope * np.maximum(0.0, 1 - self._chance_slope / np.maximum(slope**2, 1e-300))
        length = np.sum(rest**2, axis=-1, keepdims=True)
        kept = np.maximum(0.0, 1 - REST_SHRINKAGE * self._chance_rest / np.maximum(length, 1e-300))
        return slope * self.design.along + rest * kept

    @property
    def nbytes(self) -> int:
        return array_bytes(vars(self).values()) + array_bytes(vars(self.design).values())

    def _draw_profiles(self) -> None:
        """Raw profiles of noise that is the same at all sizes: mean, mean squared slope and mean squared residuals."""
        design = self.design
        self.raw_profiles, self._mean_profile = np.zeros((N_DRAWS, 0)), np.zeros(len(design.t))
        self._chance_slope = self._chance_rest = 0.0
        if not design.has_profile:
            return
        raw = np.log(self.variance_ratios + LOG_OFFSET)
        # The expectation of a logarithm lies below the logarithm of the expectation, the more the fewer the runs.
        self._mean_profile = np.where(design.replicated, raw.mean(axis=0), 0.0)
        self.raw_profiles = np.where(design.replicated, raw - self._mean_profile, 0.0)
        slope, rest = design.trend_and_rest(self.raw_profiles)
        self._chance_slope = float(np.mean(slope**2))
        self._chance_rest = float(np.mean(np.sum(rest**2, axis=1)))

    def _typical_rises(self) -> list[np.ndarray]:
        t = self.design.t
        return [logistic(t, t[-1] if place is None else t.mean() + place, width) for place, width in TYPICAL_RISES]

    def _residuals(self, rise: np.ndarray) -> np.ndarray:
        """(D,) residual sums of squares of a low rise and unit noise, where sizes have one run each."""
        return self.design.residual_of_means(LOW_RISE * rise + self.means)

    def _seed_residuals(self, rise: np.ndarray, curves: np.ndarray) -> np.ndarray:
        """(D,) residual sums of squares, summed over seeds, of tall rises and the noise `curves` (D, S, K)."""
        block = max(1, _BLOCK_BYTES // (8 * 16 * curves[0].size))
        parts = [TALL_RISE * rise + curves[start : start + block] for start in range(0, len(curves), block)]
        return np.concatenate([self.design.residual_sum_of_squares(part).sum(axis=1) for part in parts])


_KEPT: BoundedCache[NullDraws] = BoundedCache(MAX_DRAW_BYTES)


def null_draws(design: LadderDesign) -> NullDraws:
    """Draws of a design, kept between calls (at most `MAX_DRAW_BYTES`): they cost more than testing a curve.

    What is dropped is drawn again, to the same numbers, when it is asked for.
    """
    return _KEPT.get(design.key, lambda: NullDraws(design))


def _turn_by_turn(sequences: list[np.ndarray]) -> np.ndarray:
    """(D,) draw d of sequence d mod J, of J sequences (D,): a mixture of equal shares."""
    stacked = np.stack(sequences)
    turn = np.arange(stacked.shape[1])
    return stacked[turn % len(stacked), turn]
