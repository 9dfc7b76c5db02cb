"""What each curve of a table tells by itself: its noise, its rise, and whether it is more than smooth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.stats import poisson

from harness.analysis.curves import Curve
from harness.analysis.emergence.ladder_design import Layout
from harness.analysis.emergence.noise import Noise, noise_of, pooled
from harness.analysis.emergence.rise_posterior import JUMP_STEPS, Grid, Posterior, SmoothLaw, build_grid, posterior
from harness.analysis.emergence.significance import JumpTest, half_way, quarters, test_jump
from harness.analysis.emergence.verdicts import State

#: Sizes from which a rise is placed.
MIN_SIZES = 4
#: Sizes from which a rise is tested: error rates are known from five on.
MIN_TESTED = 5
#: Sizes that a ladder is told apart to; closer ones are taken together.
MOST_SIZES = 32
#: A jump this much less likely than a smooth rise, in natural logarithms, is as good as excluded.
UNLIKELY = -1.0
#: Posterior probability of a jump below which a rise is resolved by the ladder.
RESOLVED = 0.05
#: Heights of rises are taken to be of the size of what there is to gain, or of what is seen times this.
_ROOM, _SEEN = 0.5, 1.5
_CHUNK = 200


@dataclass(frozen=True)
class Finding:
    """One curve, examined.

    Attributes:
        curve: what was examined.
        layout: its sizes in steps, and its runs.
        step: length of a step in ln x; the median distance of neighbouring sizes.
        values: (n,) runs in the order of the layout, higher is better.
        noise: of the runs.
        posterior, index: of the rise, and the curve's place in it.
    """

    curve: Curve
    layout: Layout
    step: float
    values: np.ndarray
    noise: Noise
    posterior: Posterior
    index: int

    @cached_property
    def test(self) -> JumpTest:
        """Against every smooth curve."""
        return test_jump(self.layout, self.layout.null, self.values, self.noise)

    @cached_property
    def face_test(self) -> JumpTest:
        """Against smooth curves of the metric itself, without those of an all-or-nothing score."""
        return test_jump(self.layout, self.layout.face_null, self.values, self.noise)

    @property
    def log_bayes_factor(self) -> float:
        return float(self.posterior.log_bayes_factor[self.index])

    @property
    def sharp(self) -> float:
        """Posterior probability that the rise is a jump."""
        return self.posterior.sharp(self.index)

    @property
    def resolution(self) -> float:
        """Octaves of x a step."""
        return self.step / float(np.log(2))

    def x_at(self, t: float) -> float:
        """Size at `t` steps from the first."""
        return float(self.curve.runs.sizes[0] * np.exp(t * self.step))

    def place(self, fraction: float, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of the size where the rise reaches `fraction`, in the unit of x; 0 and inf off the ladder."""
        t = self.posterior.place_quantiles(self.index, fraction, np.asarray(levels))
        sizes = self.curve.runs.sizes
        x = sizes[0] * np.exp(t * self.step)
        return np.where(t < self.layout.t[0], 0.0, np.where(t > self.layout.t[-1], np.inf, x))

    def widths(self, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of the width from 10 to 90 %, in steps."""
        return self.posterior.width_quantiles(self.index, np.asarray(levels))

    def heights(self, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of the height of the rise, in units of the metric."""
        return self.posterior.height_quantiles(self.index, np.asarray(levels))

    @property
    def jump(self) -> tuple[float, float]:
        """Place, in steps, and height of the likeliest jump on the ladder."""
        grid, t = self.posterior.grid, self.layout.t
        chosen = (grid.width <= JUMP_STEPS) & (grid.place > t[0]) & (grid.place < t[-1])
        place, _, height = self.posterior.best(self.index, chosen)
        return place, height

    @property
    def smooth_law(self) -> SmoothLaw:
        """Best smooth law, of the metric with higher better, over steps."""
        return self.posterior.smooth_laws[self.index]

    @property
    def _is_resolved(self) -> bool:
        """Whether the rise, of seeds that were tested one by one that of theirs, is surely wider than a jump's."""
        by_seed = self.layout.by_seed
        if self.test.seeds_apart and by_seed is not None:
            return half_way(self.values[by_seed]) > poisson.ppf(1 - RESOLVED, JUMP_STEPS / 2 * len(by_seed))
        return self.sharp < RESOLVED

    @property
    def share_with(self) -> float:
        """Share of the runs at the largest size that are nearer to the highest quarter of all than to the lowest."""
        low, high = quarters(self.values)
        return float(np.mean(self.values[self.layout.rung == self.layout.rung.max()] > (low + high) / 2))

    def state(self, p_adjusted: float, alpha: float) -> State:
        """What the runs say at error rate `alpha`."""
        if p_adjusted < alpha:
            return State.STEEP if self._is_resolved else State.JUMP
        if self.log_bayes_factor >= UNLIKELY:
            return State.UNDETERMINED
        return State.FLAT if self.test.flat else State.SMOOTH


def examine(curves: Sequence[Curve]) -> list[Finding | None]:
    """Examine curves together: those of one ladder share what is drawn for it, those of one metric their noise.

    Returns:
        One finding a curve, in order; None for those of fewer than `MIN_SIZES` sizes or whose values are all equal.
    """
    prepared: dict[int, tuple[Layout, float, np.ndarray]] = {}
    noises: dict[int, Noise] = {}
    of_metric, of_grid = defaultdict(list), defaultdict(list)
    for i, curve in enumerate(curves):
        if len(curve.runs.sizes) < MIN_SIZES or np.ptp(curve.runs.value) == 0:
            continue
        layout, step, values, evaluation = _prepare(curve)
        prepared[i] = layout, step, values
        noises[i] = noise_of(layout, values, evaluation)
        of_metric[curve.study, curve.metric].append(i)
        of_grid[layout.t.tobytes()].append(i)
    for members in of_metric.values():
        noises |= dict(zip(members, pooled([noises[i] for i in members]), strict=True))
    findings: list[Finding | None] = [None] * len(curves)
    for t, members in of_grid.items():
        grid = _grid(t)
        for start in range(0, len(members), _CHUNK):
            chunk = members[start : start + _CHUNK]
            weighed = _weigh(grid, [(curves[i], prepared[i][0], prepared[i][2], noises[i]) for i in chunk])
            for index, i in enumerate(chunk):
                layout, step, values = prepared[i]
                findings[i] = Finding(curves[i], layout, step, values, noises[i], weighed, index)
    return findings


@lru_cache(maxsize=64)
def _grid(t: bytes) -> Grid:
    return build_grid(np.frombuffer(t))


@lru_cache(maxsize=64)
def _layout(t: bytes, rung: bytes, seed: bytes) -> Layout:
    """Kept from call to call: what is drawn for a ladder costs more than testing a curve on it."""
    return Layout(np.frombuffer(t), np.frombuffer(rung, dtype=np.int64), np.frombuffer(seed, dtype=np.int64))


def _prepare(curve: Curve) -> tuple[Layout, float, np.ndarray, np.ndarray]:
    """Layout, length of a step, runs in its order, and evaluation variances."""
    log_sizes, rung, evaluation = _told_apart(curve)
    step = float(np.median(np.diff(log_sizes)))
    t = np.round((log_sizes - log_sizes[0]) / step, 6)
    seed = curve.seed
    order = np.lexsort((seed, rung))
    rung, seed = rung[order], seed[order]
    whole = len(np.unique(seed)) * len(t) == len(rung) and np.bincount(seed * len(t) + rung).max() == 1
    if not whole:
        seed = np.arange(len(rung))
    layout = _layout(t.tobytes(), rung.astype(np.int64).tobytes(), seed.astype(np.int64).tobytes())
    return layout, step, curve.oriented[order], evaluation


def _told_apart(curve: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logarithms of sizes, (n,) index of each run's size, evaluation variances; neighbours joined where too many."""
    log_sizes = np.log(curve.runs.sizes)
    if len(log_sizes) <= MOST_SIZES:
        return log_sizes, curve.runs.rung, curve.evaluation
    share = (log_sizes - log_sizes[0]) / (log_sizes[-1] - log_sizes[0])
    _, cell = np.unique(np.minimum(MOST_SIZES - 1, (share * MOST_SIZES).astype(int)), return_inverse=True)
    members = np.bincount(cell)
    joined = np.bincount(cell, log_sizes) / members, np.bincount(cell, curve.evaluation) / members
    return joined[0], cell[curve.runs.rung], joined[1]


def _weigh(grid: Grid, curves: Sequence[tuple[Curve, Layout, np.ndarray, Noise]]) -> Posterior:
    means = np.stack([layout.means(values) for _, layout, values, _ in curves])
    variance = np.stack([noise.variance / layout.counts for _, layout, _, noise in curves])
    freedom = np.array([max(noise.freedom, 1.0) for *_, noise in curves])
    span = _SEEN * np.ptp(means, axis=1)
    room = np.array([_ROOM * _room(curve) for curve, *_ in curves])
    return posterior(grid, means, variance, freedom, np.maximum(np.maximum(span, room), 1e-12))


def _room(curve: Curve) -> float:
    """What a share of items right can gain; 0 for metrics without bounds."""
    values = curve.runs.value
    if not curve.discontinuous or not curve.higher_is_better or values.min() < 0 or values.max() > 1:
        return 0.0
    return 1 - (curve.chance if 0 <= curve.chance < 1 else 0.0)
