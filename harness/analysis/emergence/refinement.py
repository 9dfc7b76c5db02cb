"""Which runs to make next: those that are expected to narrow the intervals of N* most for their FLOPs.

Bayesian design of experiments (Chaloner and Verdinelli 1995, "Bayesian experimental design: a review"): the posterior
over rises that places N* also foretells what new runs would show, and each outcome would reweigh it; the narrowing is
averaged over outcomes. Where a rise falls between two sizes this bisects; where seeds disagree, it asks for more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import nnls
from scipy.special import ndtr

from harness.analysis.curves import label_runs, make_curves, require_columns
from harness.analysis.emergence.evidence import Finding, examine
from harness.analysis.emergence.rise_posterior import MISFIT
from harness.analysis.emergence.smooth_null import logistic
from harness.errors import SettingError

#: Cells that the outcome of new runs is told apart by.
N_OUTCOMES = 60
#: Share of the posterior that is left out, its least likely rises, to save time.
_LEFT_OUT = 1e-3
#: Narrowing, as a share of the interval, below which runs are not worth making.
LEAST = 0.005
#: Narrowing, as a share of the best that any candidate promises a curve, with which the curve counts as served.
_SERVED = 0.5


@dataclass(frozen=True)
class Candidate:
    """Runs that could be made: more seeds at one size, new or trained already.

    Attributes:
        x: the size.
        flops: training FLOPs of one seed, above 0.
        seeds: how many seeds it would add.
    """

    x: float
    flops: float
    seeds: int

    @property
    def cost(self) -> float:
        """FLOPs of all its seeds."""
        return self.seeds * self.flops


@dataclass(frozen=True)
class Proposal:
    """A candidate that was chosen.

    Attributes:
        index: its place in the list of candidates.
        narrowing: expected fall of ln(high / low), summed over curves.
        cost: FLOPs of all its seeds.
    """

    index: int
    narrowing: float
    cost: float


def is_wide(intervals: pd.DataFrame, ratio: float) -> pd.Series:
    """Whether each row of `thresholds` has an N* whose interval is open or wider than high/low = `ratio`."""
    low, high = intervals["threshold_low"], intervals["threshold_high"]
    return intervals["threshold"].notna() & ~((low > 0) & (high <= ratio * low))


def propose(
    frame: pd.DataFrame,
    x: str,
    intervals: pd.DataFrame,
    candidates: Sequence[Candidate],
    ratio: float,
    budget: float = np.inf,
) -> list[Proposal]:
    """The next batch of runs, the most useful first; [] where no candidate within the budget would narrow an interval.

    The first is the candidate with the most expected narrowing a FLOP, summed over all curves that are not narrow
    enough; each further one is chosen for the curves that those before it do little for.

    Args:
        frame: the results so far, as `harness.load` gives them.
        x: column of sizes.
        intervals: rows of `thresholds` whose N* matter; those without an N* or narrow enough are passed over.
        candidates: what could be trained; only sizes inside an interval are considered.
        ratio: high/low that is narrow enough, above 1; narrowing beyond it counts nothing.
        budget: FLOPs that the batch may cost.

    Raises:
        SettingError: a ratio, or seeds or FLOPs of a candidate, out of range.
        DataError: a column is missing or holds what cannot be used.
    """
    if not 1 < ratio < np.inf:
        raise SettingError("ratio", ratio, "a number above 1")
    for candidate in candidates:
        if candidate.seeds < 1 or not candidate.flops > 0:
            raise SettingError("candidates", candidate, "at least one seed, of more than 0 FLOPs")
    require_columns(frame, (x, "metric", "value"))
    wide = intervals[is_wide(intervals, ratio)]
    if wide.empty or not candidates:
        return []
    curves = list(make_curves(label_runs(frame), x))
    found = {
        (curve.study, curve.task, curve.subtask, curve.metric): finding
        for curve, finding in zip(curves, examine(curves), strict=True)
        if finding is not None
    }
    gains = []
    for row in wide.to_dict("records"):
        finding = found[row["study"], row["task"], row["subtask"], row["metric"]]
        gains.append(_narrowing(finding, row["threshold_low"], row["threshold_high"], candidates, ratio))
    return _choose(np.stack(gains, axis=1), np.array([candidate.cost for candidate in candidates]), budget)


def _choose(gains_CQ: np.ndarray, cost_C: np.ndarray, budget: float) -> list[Proposal]:
    """Candidates C for curves Q, greedily: each for the curves that those before it leave."""
    best_Q = np.max(np.where(cost_C[:, None] <= budget, gains_CQ, 0.0), axis=0, initial=0.0)
    left_Q = best_Q > 0
    chosen: list[Proposal] = []
    while left_Q.any():
        score = np.where(cost_C <= budget, gains_CQ[:, left_Q].sum(axis=1) / cost_C, 0.0)
        index = int(np.argmax(score))
        if score[index] <= 0:
            break
        chosen.append(Proposal(index, float(gains_CQ[index].sum()), float(cost_C[index])))
        budget -= cost_C[index]
        # What the chosen one was best for counts as served in any case, so that each turn of this loop ends a curve.
        served = gains_CQ[index] >= _SERVED * best_Q
        served[np.flatnonzero(left_Q)[np.argmax(gains_CQ[index, left_Q])]] = True
        left_Q &= ~served
    return chosen


def _narrowing(finding: Finding, low: float, high: float, candidates: Sequence[Candidate], ratio: float) -> np.ndarray:
    """(C,) expected fall of ln(high / low) of one curve; 0 for sizes outside its interval."""
    sizes = finding.curve.runs.sizes
    # Where an end is open, the ladder's own end is as far as we know: nothing is trained beyond it.
    length = float(np.log(min(high, sizes[-1]) / max(low, sizes[0])))
    belief, most = Belief.of(finding), max(length - np.log(ratio), 0.0)
    if low == 0 or high == np.inf:
        most = length
    gains = np.zeros(len(candidates))
    for i, candidate in enumerate(candidates):
        if low < candidate.x < high and length > 0:
            share = 1 - belief.expected_spread(candidate.x, candidate.seeds) / belief.spread
            gains[i] = np.clip(length * share, 0.0, most) if share > LEAST else 0.0
    return gains


@dataclass(frozen=True)
class Belief:
    """The posterior over rises of one curve, thinned to P of them, as a cloud that foretells runs.

    Attributes:
        place, width: (P,) in ln x; the width is from 10 to 90 %.
        level, height: (P,) in the unit of the metric, higher is better.
        weight: (P,) summing to 1.
        noise: variance of a run at a share s of the rise is noise[0] + noise[1] s (1 - s): where each seed has an
            ability or has it not, it is all of the latter kind.
        misfit: standard deviation of a size's mean about any logistic; seeds of one size share it.
        runs: sizes, means and counts of the runs there already.
    """

    place: np.ndarray
    width: np.ndarray
    level: np.ndarray
    height: np.ndarray
    weight: np.ndarray
    noise: tuple[float, float]
    misfit: float
    runs: tuple[np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def of(cls, finding: Finding) -> Belief:
        """What the posterior of a finding says, in ln x."""
        layout, grid, weight = finding.layout, finding.posterior.grid, finding.posterior.weight[finding.index]
        means = layout.means(finding.values)
        order = np.argsort(weight)
        kept = order[np.cumsum(weight[order]) > _LEFT_OUT]
        weight, height, shares = weight[kept], finding.posterior.height[finding.index, kept], grid.shapes[kept]
        weight = weight / weight.sum()
        variance, misfit = finding.noise.variance, MISFIT * float(np.ptp(means))
        precision = layout.counts / np.maximum(variance, misfit**2)
        level = (means - height[:, None] * shares) @ precision / precision.sum()
        # Where no size lies inside the rise, nothing tells that runs scatter more there; half-way then is as elsewhere.
        share = np.append(weight @ shares, 0.5)
        design = np.stack([np.ones(len(share)), share * (1 - share)], axis=1)
        (base, growth), _ = nnls(design, np.append(variance, variance.mean()))
        curve = finding.curve
        place = np.log(curve.runs.sizes[0]) + finding.step * grid.place[kept]
        there = curve.runs.sizes, curve.runs.means(curve.oriented), curve.runs.counts
        noise = float(base), float(growth)
        return cls(place, finding.step * grid.width[kept], level, height, weight, noise, misfit, there)

    @property
    def spread(self) -> float:
        """Standard deviation of the place."""
        return float(np.sqrt(_variance(self.weight, self.place)))

    def expected_spread(self, size: float, seeds: int) -> float:
        """The spread to expect after so many more runs at a size (in the unit of x)."""
        share = logistic(np.log(size), self.place, self.width)
        mean = self.level + self.height * share
        # One variance for all rises: they are to be told apart by where runs lie, not by how much these scatter.
        variance, misfit = self.noise[0] + self.noise[1] * float(self.weight @ (share * (1 - share))), self.misfit**2
        for there in np.flatnonzero(np.isclose(self.runs[0], size)):
            # What a size is off a rise, its runs have told in part; what they told cannot be learnt again.
            told = misfit / (misfit + variance / self.runs[2][there])
            mean, misfit = mean + told * (self.runs[1][there] - mean), misfit * (1 - told)
        sd = np.sqrt(variance / seeds + misfit + (0.1 * self.misfit) ** 2)
        edges = np.linspace(mean.min() - 4 * sd, mean.max() + 4 * sd, N_OUTCOMES + 1)
        likely_PY = np.diff(ndtr((edges - mean[:, None]) / sd), axis=1)
        joint_PY = self.weight[:, None] * likely_PY
        outcome_Y = joint_PY.sum(axis=0)
        joint_PY, outcome_Y = joint_PY[:, outcome_Y > 1e-9], outcome_Y[outcome_Y > 1e-9]
        return float(np.sum(outcome_Y * np.sqrt(_variance(joint_PY.T / outcome_Y[:, None], self.place))))


def _variance(weight: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(...,) variance of `place` (P,) under weights (..., P)."""
    place = place - place.mean()
    return np.maximum(weight @ place**2 - (weight @ place) ** 2, 1e-12)
