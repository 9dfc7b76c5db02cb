"""What would tell a jump from a smooth rise where the data cannot: more runs, more items, a size in between."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from harness.analysis.emergence.evidence import Finding
from harness.analysis.emergence.rise_posterior import JUMP_STEPS
from harness.analysis.emergence.smooth_null import SmoothNull, logistic
from harness.wording import count, percent

#: Power at which a question counts as settled.
ENOUGH = 0.8
#: Share of the variance that evaluation must have for more items to be worth naming.
_MOSTLY_EVALUATION = 0.5


def what_would_settle(finding: Finding, alpha: float) -> str:
    """A sentence: the least of a few remedies that would find the likeliest jump with power `ENOUGH`, and its power.

    Powers are those of the best test of the likeliest jump against the closest smooth curve, its noise known; where
    no jump stands out, the height is named that the runs at hand would show.
    """
    layout, noise = finding.layout, finding.noise
    variance = np.maximum(noise.variance, 1e-12)
    place, height = finding.jump
    jump = logistic(layout.t, place, JUMP_STEPS / 2)
    distance = layout.null.distance(jump, variance / layout.counts)
    found_at = (ndtri(ENOUGH) - ndtri(alpha)) / max(distance, 1e-9)
    if finding.test.flat:
        return f"a jump of {found_at:.2g} would be found in {percent(ENOUGH)}, smaller ones more rarely"
    near = np.argsort(np.abs(layout.t - place))[:4]
    at = f"{count(finding.x_at(layout.t[near.min()]))} to {count(finding.x_at(layout.t[near.max()]))}"
    remedies = []
    for times in (2, 4):
        counts = layout.counts.astype(float)
        counts[near] *= times
        remedies.append((f"{times} times the runs at sizes {at}", layout.null, layout.t, variance / counts))
    between = _halved(finding, place)
    if between is not None:
        t, of_mean = between
        named = f"a size near {count(finding.x_at(float(np.setdiff1d(t, layout.t)[0])))}"
        remedies.append((named, SmoothNull(t, np.ones(len(t))), t, of_mean))
    if noise.evaluation.mean() > _MOSTLY_EVALUATION * variance.mean():
        fewer = np.maximum(variance - 0.75 * noise.evaluation, 1e-12)
        remedies.append(("4 times the items", layout.null, layout.t, fewer / layout.counts))
    powers = [
        null.power(height * logistic(t, place, JUMP_STEPS / 2), of_mean, alpha) for _, null, t, of_mean in remedies
    ]
    enough = [i for i, power in enumerate(powers) if power >= ENOUGH]
    chosen = enough[0] if enough else int(np.argmax(powers))
    if powers[chosen] < 0.3:
        beyond = f"a jump as low as {height:.2g} is beyond this ladder"
        return f"{beyond}: {found_at:.2g} would be found in {percent(ENOUGH)}"
    return f"{remedies[chosen][0]} would find it with power {powers[chosen]:.2f}"


def _halved(finding: Finding, place: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Places and variances of means with one more size, in the middle of the gap that holds the jump."""
    layout = finding.layout
    after = int(np.searchsorted(layout.t, place))
    if not 0 < after < len(layout.t):
        return None
    t = np.insert(layout.t, after, (layout.t[after - 1] + layout.t[after]) / 2)
    variance = finding.noise.variance
    counts = np.insert(layout.counts, after, round(float(np.median(layout.counts))))
    return t, np.maximum(np.insert(variance, after, variance[after - 1 : after + 1].mean()), 1e-12) / counts
