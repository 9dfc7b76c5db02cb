"""What would tell a jump from a smooth rise where the data cannot: more runs, more items, or a size in between.

A remedy changes the variance of the means or adds a size; its power is that of the best test of the likeliest jump
against the closest smooth curve (`SmoothNull.power`), with the noise taken as known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from harness.analysis.axis import Axis
from harness.analysis.emergence.evidence import MOST_MISFIT, Finding
from harness.analysis.emergence.metric_bounds import bounds_of
from harness.analysis.emergence.noise import MIN_VARIANCE
from harness.analysis.emergence.smooth_null import SmoothNull, logistic
from harness.wording import count

#: Width of the jump that a remedy is to find, from 10 to 90 % in steps: half of what is a jump.
JUMP_WIDTH = 0.5
#: A jump that smooth curves follow to within this share of its norm is no evidence.
MIN_DISTANCE = 1e-2
#: Power at which a question counts as settled: the usual one of study planning.
ENOUGH = 0.8
#: Power below which no remedy is worth naming.
HOPELESS = 0.3
#: Factors on the number of runs at the `NEAREST` sizes about the jump that are tried.
MORE_RUNS, NEAREST = (2, 4), 4
#: Factor on the number of items that is tried, where evaluation makes up this share of the variance or more.
MORE_ITEMS, MIN_EVALUATION_SHARE = 4, 0.5


@dataclass(frozen=True)
class Remedy:
    """Something that could be done.

    Attributes:
        name: what, as a noun.
        null: smooth curves on the sizes that there would be.
        variance: (K,) of the means at these.
    """

    name: str
    null: SmoothNull
    variance: np.ndarray

    def power(self, place: float, height: float, alpha: float) -> float:
        """Highest power against a jump at `place`, in steps, of this height."""
        return self.null.power(height * logistic(self.null.t, place, JUMP_WIDTH), self.variance, alpha)


def what_would_settle(finding: Finding, alpha: float, axis: Axis) -> str:
    """A sentence: the first of a few remedies that would find the likeliest jump with power `ENOUGH`, and its power.

    Where none would, the strongest; where no jump stands out, or no remedy helps, the height that the runs at hand
    would show. At the ends of a ladder, where a jump is like a slow rise, no number of runs helps.
    """
    design = finding.design
    place, height = _likeliest_jump(finding)
    if finding.flat:
        # No place is likely: a jump in the middle of the ladder stands for those that are not near its ends.
        place = float((design.t[0] + design.t[-1]) / 2)
    jump, variance = logistic(design.t, place, JUMP_WIDTH), _variance(finding) / design.counts
    distance = design.null.distance(jump, variance)
    seen = distance > MIN_DISTANCE * np.sqrt(np.sum((jump - jump.mean()) ** 2 / variance))
    if finding.misfit > MOST_MISFIT:
        return f"no model describes it: a size is off by {finding.misfit:.0f} standard deviations"
    if finding.may_jump_at_an_end or not seen:
        return "a jump in the first or last gap looks like a rise that goes on off the ladder: sizes beyond would tell"
    found_at = (ndtri(ENOUGH) - ndtri(alpha)) / distance
    low, high = bounds_of(finding.curve)
    if found_at > high - low:
        return f"the runs scatter too much for any jump of {finding.curve.metric} to be found with power {ENOUGH:.1f}"
    if finding.flat:
        return f"a jump of {found_at:.2g} would be found with power {ENOUGH:.1f}, smaller ones more rarely"
    remedies = list(_remedies(finding, place, axis))
    powers = [each.power(place, height, alpha) for each in remedies]
    enough = [i for i, power in enumerate(powers) if power >= ENOUGH]
    chosen = enough[0] if enough else int(np.argmax(powers))
    if powers[chosen] < HOPELESS:
        beyond = f"a jump as low as {height:.2g} is beyond this ladder"
        return f"{beyond}: {found_at:.2g} would be found with power {ENOUGH:.1f}"
    return f"{remedies[chosen].name} would find a jump of {height:.2g} with power {powers[chosen]:.2f}"


def _likeliest_jump(finding: Finding) -> tuple[float, float]:
    """Place, in steps, and height of the likeliest jump; the range of the means where no draw has a jump."""
    compared, drawn = finding.compared, finding.mean_curve.drawn()
    shapes, likeliest = compared.models.shapes, int(np.argmax(compared.places(0)))
    heights = np.abs(drawn.jump_height[~np.isnan(drawn.place)])
    height = float(np.median(heights)) if len(heights) else float(np.ptp(finding.means))
    return float(shapes.jump_low[likeliest] + shapes.jump_high[likeliest]) / 2, height


def _remedies(finding: Finding, place: float, axis: Axis) -> Iterator[Remedy]:
    """Remedies for a jump at `place`, in steps, the least effort first."""
    design, evaluation, variance = finding.design, finding.noise.evaluation, _variance(finding)
    near = np.argsort(np.abs(design.t - place))[:NEAREST]
    at = f"{_size_at(finding, design.t[near.min()], axis)} to {_size_at(finding, design.t[near.max()], axis)}"
    for times in MORE_RUNS:
        counts = design.counts.astype(float)
        counts[near] *= times
        yield Remedy(f"{times} times the runs at sizes {at}", design.null, variance / counts)
    after = int(np.searchsorted(design.t, place))
    if 0 < after < len(design.t):
        yield _size_between(finding, after, axis)
    if evaluation.mean() > MIN_EVALUATION_SHARE * variance.mean():
        fewer_errors = np.maximum(variance - (1 - 1 / MORE_ITEMS) * evaluation, MIN_VARIANCE)
        yield Remedy(f"{MORE_ITEMS} times the items", design.null, fewer_errors / design.counts)


def _size_between(finding: Finding, after: int, axis: Axis) -> Remedy:
    """One more size in the middle of the gap that ends at size `after`, with as many runs as the others."""
    design, variance = finding.design, finding.noise.variance
    middle = float((design.t[after - 1] + design.t[after]) / 2)
    counts = np.insert(design.counts, after, round(float(np.median(design.counts))))
    widened = np.maximum(np.insert(variance, after, variance[after - 1 : after + 1].mean()), MIN_VARIANCE)
    null = SmoothNull(np.insert(design.t, after, middle))
    return Remedy(f"a size near {_size_at(finding, middle, axis)}", null, widened / counts)


def _variance(finding: Finding) -> np.ndarray:
    """(K,) variance of a run at each size."""
    return np.maximum(finding.noise.variance, MIN_VARIANCE)


def _size_at(finding: Finding, t: float, axis: Axis) -> str:
    """The size at `t` steps, in words."""
    return count(axis.written(float(finding.x_at(t))))
