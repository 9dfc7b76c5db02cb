"""Which runs to train next: those that are expected to narrow the intervals of N* most per FLOP.

Bayesian design of experiments. The posterior over mean curves, of which N* is a functional, predicts what new runs at a
size would show; each outcome would reweight it; the utility of a candidate is the narrowing of ln N*'s interval,
averaged over outcomes. Where a rise falls between two sizes this bisects the gap; where seeds disagree it asks for more
of them.

Source: Chaloner and Verdinelli 1995, "Bayesian experimental design: a review", Statistical Science 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import nnls
from scipy.special import ndtr

from harness.analysis.curves import Curve, label_runs, make_curves, require_columns
from harness.analysis.emergence.assessment import Assessed, assess
from harness.analysis.emergence.evidence import Finding
from harness.analysis.emergence.marginals import MISFIT
from harness.analysis.emergence.mean_curve import MeanCurve
from harness.errors import SettingError

#: Intervals of equal length that the predicted mean of new runs is divided into for the average over outcomes.
N_OUTCOMES = 60
#: Standard deviations of new means that the outcomes reach beyond the predictions.
OUTCOME_MARGIN = 4.0
#: Narrowing, as a share of the interval, below which runs are not worth training.
MIN_NARROWING = 0.005
#: A curve counts as served once a chosen candidate promises it this share of the best narrowing any candidate promises
#: it.
SERVED = 0.5
#: Standard deviation of a mean, as a share of the misfit, however many runs: an outcome is never known exactly.
MIN_OUTCOME_SD = 0.1


@dataclass(frozen=True)
class Candidate:
    """Runs that could be trained: more seeds at one size, a new one or one of the ladder.

    Attributes:
        x: the size.
        flops: training FLOPs of one seed, above 0.
        seeds: how many seeds it adds.
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
        narrowing: expected decrease of ln(high / low), summed over curves.
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
    fraction: float = 0.5,
    alpha: float = 0.05,
) -> list[Proposal]:
    """The next batch of runs, the most useful first; [] where no candidate within the budget would narrow an interval.

    The first is the candidate with the largest expected narrowing per FLOP, summed over the curves whose intervals are
    too wide; each further one is chosen for those curves that the ones before it do not serve.

    Args:
        frame: the results so far, as `harness.load` gives them.
        x: column of sizes.
        intervals: rows of `thresholds` whose N* matter; those without an N* or with a narrow interval are ignored.
        candidates: what could be trained; only sizes inside an interval are considered.
        ratio: high/low of an interval that is narrow enough, above 1; narrowing beyond it counts for nothing.
        budget: FLOPs that the batch may cost.
        fraction, alpha: as the intervals were made with (`thresholds`).

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
        (each.curve.study, each.curve.task, each.curve.subtask, each.curve.metric): each
        for each in assess(curves, alpha)
    }
    gains = []
    for row in wide.to_dict("records"):
        curve = found[row["study"], row["task"], row["subtask"], row["metric"]]
        assert curve.finding is not None  # it has an N*
        belief = Belief.of(curve, curve.finding, fraction)
        gains.append(_narrowing(curve.curve, belief, row["threshold_low"], row["threshold_high"], candidates, ratio))
    return _choose(np.stack(gains, axis=1), np.array([candidate.cost for candidate in candidates]), budget)


def _choose(gains_CQ: np.ndarray, cost_C: np.ndarray, budget: float) -> list[Proposal]:
    """Greedy choice among C candidates for Q curves: each for the curves that are not served yet.

    Args:
        gains_CQ: expected narrowing of each curve by each candidate.
        cost_C: FLOPs of each candidate.
    """
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
        # The curve that gains most counts as served in any case, so that every iteration serves one and the loop ends.
        served = gains_CQ[index] >= SERVED * best_Q
        served[np.flatnonzero(left_Q)[np.argmax(gains_CQ[index, left_Q])]] = True
        left_Q &= ~served
    return chosen


def _narrowing(
    curve: Curve, belief: Belief, low: float, high: float, candidates: Sequence[Candidate], ratio: float
) -> np.ndarray:
    """(C,) expected decrease of ln(high / low) of one curve by each candidate; 0 for sizes outside its interval."""
    sizes = curve.runs.sizes
    # An open end counts as the ladder's own end: nothing is trained beyond it.
    length = float(np.log(min(high, sizes[-1]) / max(low, sizes[0])))
    most = max(length - np.log(ratio), 0.0)
    if low == 0 or high == np.inf:
        most = length
    gains = np.zeros(len(candidates))
    for i, candidate in enumerate(candidates):
        if low < candidate.x < high and length > 0:
            share = 1 - belief.expected_spread(candidate.x, candidate.seeds) / belief.spread
            gains[i] = np.clip(length * share, 0.0, most) if share > MIN_NARROWING else 0.0
    return gains


@dataclass(frozen=True)
class Belief:
    """The posterior of one curve as D draws of its mean curve, and its predictions of new runs.

    Attributes:
        place: (D,) ln x of N* in each draw.
        mean_curve: the draws, higher is better; `known` (D,) are those that have a place.
        origin, step: ln x at t = 0, and of a step.
        noise: variance of a run at a share s of the rise is noise[0] + noise[1] s (1 - s); the second term alone where
            each seed either has an ability or has it not.
        misfit: standard deviation of the true mean of a size about any curve of the models; it is common to the seeds
            of a size.
        runs: sizes, means and counts of the runs so far.
    """

    place: np.ndarray
    mean_curve: MeanCurve
    known: np.ndarray
    origin: float
    step: float
    noise: tuple[float, float]
    misfit: float
    runs: tuple[np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def of(cls, assessed: Assessed, finding: Finding, fraction: float) -> Belief:
        """The belief about where a curve jumps, or, where it does not, crosses `fraction` of its rise."""
        jumps = assessed.has_jump_place
        mean_curve = finding.mean_curve_with(jump=True) if jumps else finding.mean_curve
        place = mean_curve.place if jumps else mean_curve.drawn().crossings(fraction)
        known = ~np.isnan(place)
        means, misfit = finding.means, MISFIT * float(np.ptp(finding.means))
        variance = finding.noise.variance
        # The last row, half-way up a rise with the mean variance, decides where no size lies inside the rise.
        share = np.append(_share(means), 0.5)
        terms = np.stack([np.ones(len(share)), share * (1 - share)], axis=1)
        (base, growth), _ = nnls(terms, np.append(variance, variance.mean()))
        start, curve = float(np.log(finding.origin)), finding.curve
        so_far = curve.runs.sizes, curve.runs.means(curve.oriented), curve.runs.counts
        noise = float(base), float(growth)
        return cls(start + finding.step * place[known], mean_curve, known, start, finding.step, noise, misfit, so_far)

    @property
    def spread(self) -> float:
        """Standard deviation of the place."""
        return float(np.sqrt(_variance(np.full(len(self.place), 1 / len(self.place)), self.place)))

    def expected_spread(self, size: float, seeds: int) -> float:
        """Expected posterior standard deviation of the place after `seeds` more runs at `size` (in the unit of x)."""
        ladder = (np.log(np.append(self.runs[0], size)) - self.origin) / self.step
        curves = self.mean_curve.at(ladder)[self.known]
        mean, low = curves[:, -1], curves.min(axis=1)
        share = (mean - low) / np.maximum(curves.max(axis=1) - low, 1e-300)
        # One variance for all draws, the mean: outcomes are to separate draws by their means, not by their scatter.
        variance, misfit = self.noise[0] + self.noise[1] * float(np.mean(share * (1 - share))), self.misfit**2
        for same in np.flatnonzero(np.isclose(self.runs[0], size)):
            # Runs at this size have shown part of its misfit: it has a posterior mean and variance (normal, known
            # variance).
            known = misfit / max(misfit + variance / self.runs[2][same], 1e-300)
            mean, misfit = mean + known * (self.runs[1][same] - mean), misfit * (1 - known)
        sd = max(np.sqrt(variance / seeds + misfit + (MIN_OUTCOME_SD * self.misfit) ** 2), 1e-150)
        edges = np.linspace(mean.min() - OUTCOME_MARGIN * sd, mean.max() + OUTCOME_MARGIN * sd, N_OUTCOMES + 1)
        likelihood_DY = np.diff(ndtr((edges - mean[:, None]) / sd), axis=1)
        joint_DY = likelihood_DY / len(mean)
        outcome_Y = joint_DY.sum(axis=0)
        joint_DY, outcome_Y = joint_DY[:, outcome_Y > 1e-9], outcome_Y[outcome_Y > 1e-9]
        return float(np.sum(outcome_Y * np.sqrt(_variance(joint_DY.T / outcome_Y[:, None], self.place))))


def _share(means: np.ndarray) -> np.ndarray:
    """(K,) share of their range that means have reached."""
    return np.asarray((means - means.min()) / max(float(np.ptp(means)), 1e-300))


def _variance(weight: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(...,) variance of `place` (P,) under weights (..., P)."""
    place = place - place.mean()
    return np.maximum(weight @ place**2 - (weight @ place) ** 2, 1e-12)
