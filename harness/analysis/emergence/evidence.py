"""The evidence of each curve by itself: its noise, the comparison of its models, its mean curve, and its test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import stdtr

from harness.analysis.curves import Curve
from harness.analysis.emergence.ladder_design import LadderDesign
from harness.analysis.emergence.marginals import MISFIT, height_scale, marginals
from harness.analysis.emergence.mean_curve import MeanCurve, mean_curve
from harness.analysis.emergence.metric_bounds import bounds_of
from harness.analysis.emergence.model_comparison import Comparison, chunks, compare, compare_means
from harness.analysis.emergence.models import models_of
from harness.analysis.emergence.noise import MIN_VARIANCE, Noise, noise_of, pooled
from harness.analysis.emergence.null_draws import null_draws
from harness.analysis.emergence.seeds_apart import are_resolved, quarter_means
from harness.analysis.emergence.significance import JumpTest, assess_jump, level_p_value
from harness.analysis.emergence.verdicts import State

#: Sizes from which a rise is given a posterior, and so an N*: place, width, height and level are four unknowns.
MIN_SIZES = 4
#: Sizes from which a rise is tested: error rates are measured from five on.
MIN_TESTED = 5
#: Sizes of a ladder that are kept apart; closer ones are merged, for time and memory grow with the square of their
#: number.
MAX_SIZES = 32
#: Neighbouring sizes closer than this share of the widest gap, in ln x, are one size.
CLOSE = 0.01
#: Statistic below which a curve that the test does not flag is called smooth: the models with a jump are then
#: e^1.25 = 3.5 times less likely than those without. It is a preference, not an exclusion; what it costs is measured on
#: planted jumps (LOG.md): at -1 they were called smooth in .03 on average, and smooth slopes in .80.
UNLIKELY = -1.25
#: ln Bayes factor of a steep rise against a jump above which a curve that is flagged is steep, and no jump: 2 to 1. Of
#: planted jumps on slopes .02 to .05 are then called steep, and .1 to .6 of rises of two to three steps.
RESOLVED = float(np.log(2))
#: Deviation of a mean from the model-averaged curve, in standard deviations, above which no model describes a curve: it
#: is then not smooth, whatever the models say of each other.
#: Of a jump it may be more, since a size in its course may stand at any share of the height, and models have three.
MOST_MISFIT, MOST_MISFIT_OF_JUMPS = 5.0, 10.0
#: P value of a level above which a curve is flat. Of curves that are, four in five have it.
FLAT_LEVEL = 0.2
#: Level of the F test by which runs at an end of the ladder scatter more than the others: some of them may have leapt.
SPLIT_LEVEL = 1e-3
#: Degrees of freedom of a curve's noise, at least: fewer are a fit to five sizes that took up nearly all of it.
MIN_FREEDOM = 1.0


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
        compared: the models of its means, one curve.
        mean_curve: posterior draws of the mean curve, averaged over models with a jump and without.
    """

    curve: Curve
    design: LadderDesign
    step: float
    origin: float
    values: np.ndarray
    noise: Noise
    compared: Comparison
    mean_curve: MeanCurve

    @cached_property
    def test(self) -> JumpTest:
        """Against smooth curves."""
        return assess_jump(null_draws(self.design), self.values, self.noise, self.compared, self._room)

    @cached_property
    def test_without_powers(self) -> JumpTest:
        """Against smooth curves of the metric itself, powers of smooth laws left out."""
        models = models_of(self.design.t, with_powers=False)
        compared = compare_means(models, *self._data)
        return assess_jump(null_draws(self.design), self.values, self.noise, compared, self._room, with_powers=False)

    @cached_property
    def flat(self) -> bool:
        """Whether the means do not change along the ladder by more than their noise."""
        return level_p_value(self.means, self.variance, max(self.noise.freedom, MIN_FREEDOM)) > FLAT_LEVEL

    def change(self, alpha: float) -> float:
        """How much a straight line through the runs rises from the first size to the last.

        0 where its slope does not differ from 0 at level `alpha`, by a two-sided t test about the line's residuals.
        """
        t, values = (each - each.mean() for each in (self.design.t[self.design.rung], self.values))
        slope = float(t @ values / (t @ t))
        freedom = len(t) - 2
        error = np.sqrt(np.sum((values - slope * t) ** 2) / freedom / (t @ t))
        p_value = 2 * stdtr(freedom, -abs(slope) / max(error, MIN_VARIANCE))
        return slope * float(np.ptp(self.design.t)) if p_value < alpha else 0.0

    @cached_property
    def means(self) -> np.ndarray:
        """(K,) means at each size, higher is better."""
        return self.design.means(self.values)

    @cached_property
    def variance(self) -> np.ndarray:
        """(K,) their variances."""
        return self.noise.variance_of_means(self.design)

    @property
    def resolution(self) -> float:
        """Octaves of x a step."""
        return self.step / float(np.log(2))

    def x_at(self, t: np.ndarray | float) -> np.ndarray:
        """Sizes at `t` steps from the first, in the unit of x; 0 and inf at -inf and inf."""
        return np.asarray(self.origin * np.exp(np.asarray(t) * self.step))

    def mean_curve_with(self, jump: bool) -> MeanCurve:
        """Posterior draws of the mean curve, given that it has a jump or given that it has none."""
        models, data = self.compared.models, self._data
        found = marginals(models.shapes, *data)
        return mean_curve(models, found, 0, self.means, self.variance, bounds_of(self.curve), jump)

    @property
    def share_able(self) -> float:
        """Share of the runs at the largest size that are nearer to the highest quarter of all runs than to the lowest.

        Those are taken to have the ability.
        """
        low, high = quarter_means(self.values)
        return float(np.mean(self.values[self.design.rung == self.design.rung.max()] > (low + high) / 2))

    def state(self, p_adjusted: float, alpha: float) -> State:
        """What the runs say at error rate `alpha`, the p value adjusted for all tests.

        A jump takes both: a p value below alpha, and models with a jump that are likelier than those without. A curve
        that does not change by more than its noise is flat; how high a jump the noise may hide, `remedies` says.
        """
        test = self.test
        if p_adjusted < alpha and test.log_bayes_factor > 0:
            if not test.by_seed and self.misfit > MOST_MISFIT_OF_JUMPS:
                return State.UNDETERMINED
            if self._is_resolved:
                return State.STEEP
            return State.JUMP if test.up else State.DROP
        if test.p_value < alpha or self.may_jump_at_an_end or (self.misfit > MOST_MISFIT and not test.by_seed):
            return State.UNDETERMINED
        if self.flat and test.statistic < 0:
            return State.FLAT
        return State.SMOOTH if test.statistic < UNLIKELY else State.UNDETERMINED

    @cached_property
    def misfit(self) -> float:
        """Largest deviation of a mean from the model-averaged curve, in standard deviations of the two together."""
        sd = np.sqrt(self.variance + (MISFIT * np.ptp(self.means)) ** 2)
        return float(np.max(np.abs(self.means - self.mean_curve.at_sizes()) / sd))

    @property
    def may_jump_at_an_end(self) -> bool:
        """Whether a jump in the first or last gap is likelier than a smooth curve, by as much as makes one smooth.

        Or whether some of the runs at the first or last size have leapt: they scatter more than all others do.
        """
        scattered = self.design.ends_scatter_more(self.values, self.noise.evaluation, SPLIT_LEVEL)
        return scattered or self.test.edge > -UNLIKELY

    @property
    def _is_resolved(self) -> bool:
        """Whether the rise or fall is surely wider than a jump: models with a steep rise in its place are much
        likelier.

        Of seeds that were tested one by one it is the seeds' own rises that count (`seeds_apart.are_resolved`).
        """
        runs_by_seed = self.design.runs_by_seed
        if self.test.by_seed and runs_by_seed is not None:
            return are_resolved(self.values[runs_by_seed])
        steep = compare_means(models_of(self.design.t, steep=True), *self._data)
        up = self.test.up
        factors = [each.log_bayes_up if up else each.log_bayes_down for each in (steep, self.compared)]
        return bool(factors[0][0] - factors[1][0] > RESOLVED)

    @property
    def _room(self) -> float:
        low, high = bounds_of(self.curve)
        return high - low

    @property
    def _data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Means, variances, degrees of freedom and prior scale of the heights, as `marginals` takes them."""
        means = self.means[None]
        freedom = np.array([max(self.noise.freedom, MIN_FREEDOM)])
        return means, self.variance[None], freedom, height_scale(means, self._room)


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
        if n_sizes(curve) < MIN_SIZES or np.ptp(curve.runs.value) == 0:
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
        for i, finding in _weigh(members, prepared, noises):
            findings[i] = finding
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


def n_sizes(curve: Curve) -> int:
    """How many sizes of a curve are kept apart."""
    return int(_size_of_each(np.log(curve.runs.sizes)).max()) + 1


def _merge_close_sizes(curve: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sizes that are kept apart, those that are not merged.

    Returns:
        (K,) logarithms of sizes, (n,) index of each run's size, (K,) evaluation variances.
    """
    log_sizes = np.log(curve.runs.sizes)
    merged_into = _size_of_each(log_sizes)
    members = np.bincount(merged_into)
    if len(members) == len(log_sizes):
        return log_sizes, curve.runs.rung, curve.evaluation
    merged = np.bincount(merged_into, log_sizes) / members
    return merged, merged_into[curve.runs.rung], np.bincount(merged_into, curve.evaluation) / members


def _size_of_each(log_sizes: np.ndarray) -> np.ndarray:
    """(R,) index of the size that each of R rising sizes is merged into.

    Neighbours closer than `CLOSE` of the widest gap are one size, as FLOPs that seeds differ by; of more than
    `MAX_SIZES` those in one of as many equal intervals of ln x are.
    """
    gaps = np.diff(log_sizes)
    index = np.concatenate([[0], np.cumsum(gaps >= CLOSE * gaps.max(initial=0.0))])
    if index[-1] < MAX_SIZES:
        return index
    share = (log_sizes - log_sizes[0]) / (log_sizes[-1] - log_sizes[0])
    return np.unique(np.minimum(MAX_SIZES - 1, (share * MAX_SIZES).astype(int)), return_inverse=True)[1]


def _weigh(
    members: Sequence[int], prepared: Mapping[int, _Prepared], noises: Mapping[int, Noise]
) -> Iterator[tuple[int, Finding]]:
    """Findings of the curves of one ladder, by index."""
    models = models_of(prepared[members[0]].design.t)
    for at in chunks(models, len(members)):
        chosen = members[at]
        each = [(prepared[i], noises[i]) for i in chosen]
        means = np.stack([own.design.means(own.values) for own, _ in each])
        variance = np.stack([noise.variance_of_means(own.design) for own, noise in each])
        freedom = np.array([max(noise.freedom, MIN_FREEDOM) for _, noise in each])
        bounds = [bounds_of(own.curve) for own, _ in each]
        scale = height_scale(means, np.array([high - low for low, high in bounds]))
        found = marginals(models.shapes, means, variance, freedom, scale)
        compared = compare(models, found)
        for row, (i, (own, noise)) in enumerate(zip(chosen, each, strict=True)):
            averaged = mean_curve(models, found, row, means[row], variance[row], bounds[row])
            yield (
                i,
                Finding(
                    curve=own.curve,
                    design=own.design,
                    step=own.step,
                    origin=own.origin,
                    values=own.values,
                    noise=noise,
                    compared=compared.of(row),
                    mean_curve=averaged,
                ),
            )
