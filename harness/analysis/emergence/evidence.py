"""The evidence of each curve by itself: its noise, the posterior over its rises, and its test against smooth curves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import poisson

from harness.analysis.curves import Curve
from harness.analysis.emergence.ladder_design import LadderDesign
from harness.analysis.emergence.noise import Noise, noise_of, pooled
from harness.analysis.emergence.null_draws import null_draws
from harness.analysis.emergence.rise_posterior import JUMP_STEPS, LEVEL_ODDS, Posterior, SmoothLaw, grid_of, posterior
from harness.analysis.emergence.significance import JumpTest, assess_jump, count_midway, quarter_means
from harness.analysis.emergence.verdicts import State

#: Sizes from which a rise is given a posterior, and so an N*: place, width, height and level are four unknowns.
MIN_SIZES = 4
#: Sizes from which a rise is tested: error rates are measured from five on.
MIN_TESTED = 5
#: Sizes of a ladder that are kept apart; closer ones are merged, for time and memory grow with the square of their
#: number.
MAX_SIZES = 32
#: Log posterior odds of a jump (`Finding.log_odds`) below which a curve that the test does not flag is called smooth or
#: flat. At -1 the odds are e to 1 against a jump, a probability of 1 / (1 + e) = 27 %. It is a preference, not an
#: exclusion; what it costs is measured on planted jumps, few of which are called smooth (LOG.md).
UNLIKELY = -1.0
#: Posterior probability of a width of a jump below which a flagged rise counts as resolved: steep, but no jump.
RESOLVED = 0.05
#: Prior scale of heights: the larger of a share `SCALE_OF_ROOM` of what a share of right answers can gain over chance
#: and `SCALE_OF_RANGE` times the range of the means.
SCALE_OF_ROOM, SCALE_OF_RANGE = 0.5, 1.5
#: Degrees of freedom of a curve's noise, at least: fewer are a fit to five sizes that took up nearly all of it.
MIN_FREEDOM = 1.0
#: Curves that are weighed at a time, for memory: the shapes of a grid times the curves.
_CHUNK = 200


@dataclass(frozen=True)
class Finding:
    """One curve, examined.

    Attributes:
        curve: what was examined.
        design: its sizes in steps, and its runs.
        step: length of a step in ln x: the median distance of neighbouring sizes.
        origin: x at t = 0: the first size, or the geometric mean of those merged into it.
        values: (n,) runs in the order of the design, higher is better.
        noise: of the runs.
        posterior, index: over the rises, and the curve's row in it.
    """

    curve: Curve
    design: LadderDesign
    step: float
    origin: float
    values: np.ndarray
    noise: Noise
    posterior: Posterior
    index: int

    @cached_property
    def test(self) -> JumpTest:
        """Against every smooth curve."""
        return assess_jump(self.design, self.design.null, self.values, self.noise)

    @cached_property
    def test_without_powers(self) -> JumpTest:
        """Against smooth curves of the metric itself, powers of smooth laws left out."""
        return assess_jump(self.design, self.design.null_without_powers, self.values, self.noise)

    @property
    def log_bayes_factor(self) -> float:
        """ln p(means | jump) - ln p(means | no jump), see `rise_posterior`."""
        return float(self.posterior.log_bayes_factor[self.index])

    @property
    def log_odds(self) -> float:
        """Log posterior odds of a jump against no jump.

        A jump and a smooth law are taken to be equally likely beforehand, and a level `LEVEL_ODDS` times as likely as
        either: prior odds of 1 to 1 + `LEVEL_ODDS`.
        """
        return self.log_bayes_factor - float(np.log1p(LEVEL_ODDS))

    @property
    def p_sharp(self) -> float:
        """Posterior probability that the rise is no wider than a jump."""
        return self.posterior.p_sharp(self.index)

    @property
    def resolution(self) -> float:
        """Octaves of x a step."""
        return self.step / float(np.log(2))

    def x_at(self, t: np.ndarray | float) -> np.ndarray:
        """Sizes at `t` steps from the first, in the unit of x."""
        return np.asarray(self.origin * np.exp(t * self.step))

    def place(self, fraction: float, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of the size where the rise reaches `fraction`, in the unit of x; 0 and inf off the ladder."""
        t = self.posterior.place_quantiles(self.index, fraction, np.asarray(levels))
        return np.where(t < self.design.t[0], 0.0, np.where(t > self.design.t[-1], np.inf, self.x_at(t)))

    def widths(self, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of the width from 10 to 90 %, in steps."""
        return self.posterior.width_quantiles(self.index, np.asarray(levels))

    def heights(self, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of the height of the rise, in units of the metric."""
        return self.posterior.height_quantiles(self.index, np.asarray(levels))

    @property
    def jump(self) -> tuple[float, float]:
        """Place, in steps, and height of the likeliest jump on the ladder."""
        place, _, height = self.posterior.likeliest(self.index, self.posterior.grid.is_jump)
        return place, height

    @property
    def smooth_law(self) -> SmoothLaw:
        """Likeliest smooth law, of the metric with higher better, over steps."""
        return self.posterior.smooth_laws[self.index]

    @property
    def share_able(self) -> float:
        """Share of the runs at the largest size that are nearer to the highest quarter of all runs than to the lowest.

        Those are taken to have the ability.
        """
        low, high = quarter_means(self.values)
        return float(np.mean(self.values[self.design.rung == self.design.rung.max()] > (low + high) / 2))

    def state(self, p_adjusted: float, alpha: float) -> State:
        """What the runs say at error rate `alpha`."""
        if p_adjusted < alpha:
            return State.STEEP if self._is_resolved else State.JUMP
        if self.log_odds >= UNLIKELY:
            return State.UNDETERMINED
        return State.FLAT if self.test.flat else State.SMOOTH

    @property
    def _is_resolved(self) -> bool:
        """Whether the rise is surely wider than a jump's.

        Of seeds that were tested one by one it is the seeds' own rises that count: jumps of width w leave w / 2 runs a
        seed half-way on average, so that more than a Poisson quantile of that mean half-way are wider rises.
        """
        runs_by_seed = self.design.runs_by_seed
        if self.test.by_seed and runs_by_seed is not None:
            most = poisson.ppf(1 - RESOLVED, JUMP_STEPS / 2 * len(runs_by_seed))
            return bool(count_midway(self.values[runs_by_seed]) > most)
        return self.p_sharp < RESOLVED


def examine(curves: Sequence[Curve]) -> list[Finding | None]:
    """Examine curves together: curves of one ladder share its draws, curves of one study and metric their noise.

    Returns:
        One finding a curve, in order; None for those of fewer than `MIN_SIZES` sizes or whose values are all equal.
    """
    designs: dict[tuple[bytes, bytes, bytes], LadderDesign] = {}
    prepared: dict[int, _Prepared] = {}
    noises: dict[int, Noise] = {}
    of_metric, of_ladder = defaultdict(list), defaultdict(list)
    for i, curve in enumerate(curves):
        if len(curve.runs.sizes) < MIN_SIZES or np.ptp(curve.runs.value) == 0:
            continue
        own, evaluation = _prepare(curve, designs)
        prepared[i], design = own, own.design
        noises[i] = noise_of(null_draws(design), own.values, evaluation)
        of_metric[curve.study, curve.metric].append(i)
        of_ladder[design.t.tobytes()].append(i)
    for members in of_metric.values():
        noises |= dict(zip(members, pooled([noises[i] for i in members]), strict=True))
    findings: list[Finding | None] = [None] * len(curves)
    for members in of_ladder.values():
        for start in range(0, len(members), _CHUNK):
            chunk = members[start : start + _CHUNK]
            weighed = _weigh([prepared[i] for i in chunk], [noises[i] for i in chunk])
            for index, i in enumerate(chunk):
                own = prepared[i]
                findings[i] = Finding(
                    curve=curves[i],
                    design=own.design,
                    step=own.step,
                    origin=own.origin,
                    values=own.values,
                    noise=noises[i],
                    posterior=weighed,
                    index=index,
                )
    return findings


@dataclass(frozen=True)
class _Prepared:
    """A curve on its design; see `Finding`."""

    curve: Curve
    design: LadderDesign
    step: float
    origin: float
    values: np.ndarray


def _prepare(curve: Curve, designs: dict[tuple[bytes, bytes, bytes], LadderDesign]) -> tuple[_Prepared, np.ndarray]:
    """A curve on its design, one of `designs` if there is an equal one, and its evaluation variances (K,)."""
    log_sizes, rung, evaluation = _merge_close_sizes(curve)
    step = float(np.median(np.diff(log_sizes)))
    # Rounded, so that ladders that are equal but for floating point share their draws.
    t = np.round((log_sizes - log_sizes[0]) / step, 6)
    seed = curve.seed
    order = np.lexsort((seed, rung))
    rung, seed = rung[order], seed[order]
    whole = len(np.unique(seed)) * len(t) == len(rung) and np.bincount(seed * len(t) + rung).max() == 1
    if not whole:
        seed = np.arange(len(rung))
    design = LadderDesign(t, rung.astype(np.int64), seed.astype(np.int64))
    design = designs.setdefault(design.key, design)
    first = curve.runs.sizes[0]
    origin = float(first * np.exp(log_sizes[0] - np.log(first)))
    return _Prepared(curve, design, step, origin, curve.oriented[order]), evaluation


def _merge_close_sizes(curve: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At most `MAX_SIZES` sizes, those in one of as many equal intervals of ln x merged.

    Returns:
        (K,) logarithms of sizes, (n,) index of each run's size, (K,) evaluation variances.
    """
    log_sizes = np.log(curve.runs.sizes)
    if len(log_sizes) <= MAX_SIZES:
        return log_sizes, curve.runs.rung, curve.evaluation
    share = (log_sizes - log_sizes[0]) / (log_sizes[-1] - log_sizes[0])
    _, interval = np.unique(np.minimum(MAX_SIZES - 1, (share * MAX_SIZES).astype(int)), return_inverse=True)
    members = np.bincount(interval)
    merged = np.bincount(interval, log_sizes) / members
    return merged, interval[curve.runs.rung], np.bincount(interval, curve.evaluation) / members


def _weigh(curves: Sequence[_Prepared], noises: Sequence[Noise]) -> Posterior:
    """The posterior of curves on one ladder."""
    means = np.stack([own.design.means(own.values) for own in curves])
    variance = np.stack([noise.variance / own.design.counts for own, noise in zip(curves, noises, strict=True)])
    freedom = np.array([max(noise.freedom, MIN_FREEDOM) for noise in noises])
    observed = SCALE_OF_RANGE * np.ptp(means, axis=1)
    room = np.array([SCALE_OF_ROOM * _room(own.curve) for own in curves])
    scale = np.maximum(np.maximum(observed, room), 1e-12)
    return posterior(grid_of(curves[0].design.t), means, variance, freedom, scale)


def _room(curve: Curve) -> float:
    """What a share of items right can gain; 0 for metrics without bounds."""
    values = curve.runs.value
    if not curve.discontinuous or not curve.higher_is_better or values.min() < 0 or values.max() > 1:
        return 0.0
    return 1 - (curve.chance if 0 <= curve.chance < 1 else 0.0)
