"""Verdicts: does the continuous metric on the same outputs jump where the discontinuous one does?

Schaeffer et al. 2023, "Are Emergent Abilities of Large Language Models a Mirage?".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.optimize import minimize_scalar

from harness.analysis.runs import Runs
from harness.wording import p_equals


class State(StrEnum):
    """What the runs say of one metric's rise."""

    JUMP = "jump"
    STEEP = "steep"
    SMOOTH = "smooth"
    FLAT = "flat"
    UNDETERMINED = "undetermined"
    TOO_FEW_SIZES = "too few sizes"


class Verdict(StrEnum):
    """What the pair of metrics says of an ability."""

    EMERGENT = "emergent"
    ARTEFACT = "metric artefact"
    SMOOTH = "smooth"
    INCONCLUSIVE = "inconclusive"


#: The states in which the smooth null is rejected. STEEP: too steep for smooth, but resolved: no jump either.
FLAGGED = (State.JUMP, State.STEEP)
#: Largest deviation of a size's mean with which one metric still reproduces another.
REPRODUCES = 0.1
#: Answers of fewer tokens are as good as one token.
_SEVERAL_TOKENS = 1.5


@dataclass(frozen=True)
class PowerRelation:
    """exact = token ** length, the discontinuous metric as a plain function of the continuous one (Schaeffer et al.,
    section 2: the probability that all of an answer's tokens are right).

    Attributes:
        length: fitted, the effective number of independent answer tokens, 1 to 200.
        residual: largest absolute deviation of a size's mean.
        deviation: largest deviation in standard deviations of the means, inf where these are unknown.
    """

    length: float
    residual: float
    deviation: float = float("inf")

    @property
    def holds(self) -> bool:
        """Whether the one metric is no more than a power of the other: to within `REPRODUCES`, or within noise."""
        return (self.residual <= REPRODUCES or self.deviation <= 3) and self.length >= _SEVERAL_TOKENS


def power_relation(exact: Runs, token: Runs, sd: np.ndarray | None = None) -> PowerRelation:
    """Fit the sizes' means of exact = token ** length by least squares.

    Powers are taken run by run: where runs differ, the power of their mean is not the mean of their powers.

    Args:
        exact, token: runs of both metrics at the same R sizes, values in [0, 1].
        sd: (R,) standard deviations of the means of `exact` about that power of `token`.
    """
    means = exact.means(exact.value)

    def off(length: float) -> np.ndarray:
        return np.asarray(means - token.means(token.value**length))

    found = minimize_scalar(
        lambda log: float(np.sum(off(np.exp(log)) ** 2)), bounds=(0.0, np.log(200)), method="bounded"
    )
    length = float(np.exp(found.x))
    residual = np.abs(off(length))
    deviation = float("inf") if sd is None else float(np.max(residual / np.maximum(sd, 1e-9)))
    return PowerRelation(length, float(np.max(residual)), deviation)


@dataclass(frozen=True)
class Evidence:
    """What is known of one metric.

    Attributes:
        name: of the metric.
        state: what its runs say.
        p_value: adjusted, against every smooth curve.
        width: of the rise of its mean, steps from 10 to 90 %.
        seeds_apart: whether seeds were tested one by one.
    """

    name: str
    state: State
    p_value: float
    width: float
    seeds_apart: bool = False

    def __str__(self) -> str:
        rise = f"10 to 90 % in {self.width:.1f} steps" if self.width >= 0.1 else "between two sizes"
        rise = "seeds one by one" if self.seeds_apart else rise
        return f"{self.name} ({rise}, {p_equals(self.p_value)})"


def judge(
    metric: Evidence,
    continuous: Evidence | None,
    steep_at_face: bool = False,
    link: PowerRelation | None = None,
    not_placed: str = "",
) -> tuple[Verdict, str]:
    """Verdict and reason in a sentence, from a discontinuous metric and its continuous pair.

    Args:
        metric: the discontinuous metric.
        continuous: the continuous one; None where it was not measured.
        steep_at_face: whether the metric rises faster than smooth curves of its own do, whatever an all-or-nothing
            score of a smooth per-token law may do.
        link: how the one is a power of the other; None where they are not shares.
        not_placed: why N* does not lie on the ladder, '' where it does: a jump must be seen from both sides.
    """
    if metric.state is State.TOO_FEW_SIZES:
        return Verdict.INCONCLUSIVE, "too few sizes to tell a jump from a smooth rise: five or more are needed"
    reproduced = link is not None and link.holds
    if metric.state not in FLAGGED:
        if steep_at_face and reproduced and continuous is not None and continuous.state is not State.JUMP:
            return Verdict.ARTEFACT, (
                f"{metric} rises faster than a smooth curve of its own, but is {continuous.name} to the power "
                f"{link.length:.1f} (within {max(link.residual, 0.001):.3f}), and {continuous} does not jump"  # type: ignore[union-attr]
            )
        return _not_flagged(metric, continuous, link if reproduced else None)
    if continuous is None:
        if metric.state is State.STEEP:
            return (
                Verdict.INCONCLUSIVE,
                f"{metric} is steeper than smooth, but wider than a step: finer sizes would tell",
            )
        return Verdict.INCONCLUSIVE, f"{metric} jumps, but no continuous metric was measured on the same outputs"
    if continuous.state is State.JUMP and not_placed and not reproduced:
        return Verdict.INCONCLUSIVE, f"{metric} jumps, but N* is not on the ladder: {not_placed}"
    if continuous.state is State.JUMP:
        return Verdict.EMERGENT, f"{metric} jumps, and so does {continuous} on the same outputs"
    if continuous.state is State.UNDETERMINED:
        return Verdict.INCONCLUSIVE, f"{metric} jumps, but {continuous} could be smooth or jump: more runs would tell"
    if continuous.state is State.STEEP and not reproduced:
        return (
            Verdict.INCONCLUSIVE,
            f"{metric} jumps; {continuous} is steep but wider than a step: finer sizes would tell",
        )
    if link is not None and not reproduced:
        return Verdict.INCONCLUSIVE, (
            f"{metric} jumps where {continuous} does not, but no power of {continuous.name} reproduces it "
            f"(off by {link.residual:.2f})"
        )
    power = f", and to the power {link.length:.1f} reproduces it within {max(link.residual, 0.001):.3f}" if link else ""
    contrast = "takes more than a step" if continuous.state is State.STEEP else "does not"
    return Verdict.ARTEFACT, f"{metric} jumps where {continuous} on the same outputs {contrast}{power}"


def _not_flagged(metric: Evidence, continuous: Evidence | None, link: PowerRelation | None) -> tuple[Verdict, str]:
    """Verdict where the metric's own runs do not tell a jump; what it is a power of may tell more."""
    power = "" if link is None or continuous is None else f"{continuous.name} to the power {link.length:.1f}"
    jumps = continuous is not None and continuous.state is State.JUMP
    if metric.state is State.UNDETERMINED and continuous is not None and link is not None:
        if jumps:
            return Verdict.EMERGENT, f"{continuous} jumps, and {metric}, noisier, is {power}"
        if continuous.state in (State.SMOOTH, State.FLAT):
            return Verdict.SMOOTH, f"{continuous} rises smoothly, and {metric}, noisier, is {power}"
    if metric.state is State.UNDETERMINED:
        return Verdict.INCONCLUSIVE, f"{metric} could be smooth or jump"
    if jumps and continuous is not None:
        return (
            Verdict.INCONCLUSIVE,
            f"{metric} does not jump where {continuous} does: finer sizes or more items would tell",
        )
    if metric.state is State.FLAT:
        return Verdict.SMOOTH, f"{metric.name} does not rise along the ladder by more than its noise"
    return Verdict.SMOOTH, f"{metric} rises smoothly: a jump explains it less well"
