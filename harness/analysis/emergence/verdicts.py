"""Verdicts: does the continuous metric on the same outputs jump where the discontinuous one does?

Source: Schaeffer, Miranda and Koyejo 2023, "Are Emergent Abilities of Large Language Models a Mirage?".
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


#: The states in which the smooth null is rejected. STEEP: too steep for smooth, but resolved, so no jump either.
FLAGGED = (State.JUMP, State.STEEP)
#: Largest deviation of a size's mean with which a power of one share still reproduces another: a tenth of the range of
#: a share.
REPRODUCES = 0.1
#: Or as many standard errors of the means, where these are known and larger.
REPRODUCES_SD = 3.0
#: Fitted powers below this are no answer of several tokens: the two metrics are then nearly the same.
MIN_POWER = 1.5
#: Largest power that is tried: answers of more tokens are right only where every token nearly always is.
MAX_POWER = 200.0


@dataclass(frozen=True)
class PowerRelation:
    """exact = token ** length: the discontinuous metric as a plain function of the continuous one (Schaeffer et al.,
    section 2: the probability that all of an answer's tokens are right, were they independent).

    Attributes:
        length: fitted, the effective number of independent answer tokens, 1 to `MAX_POWER`.
        residual: largest absolute deviation of a size's mean.
        deviation: largest deviation in standard errors of the means, inf where these are unknown.
    """

    length: float
    residual: float
    deviation: float = float("inf")

    @property
    def holds(self) -> bool:
        """Whether the one metric is no more than a power of the other: to within `REPRODUCES`, or within noise."""
        return (self.residual <= REPRODUCES or self.deviation <= REPRODUCES_SD) and self.length >= MIN_POWER


def power_relation(exact: Runs, token: Runs, sd: np.ndarray | None = None) -> PowerRelation:
    """Fit the sizes' means of exact = token ** length by least squares.

    Powers are taken run by run: where runs differ, the power of their mean is not the mean of their powers.

    Args:
        exact, token: runs of both metrics at the same K sizes, values in [0, 1].
        sd: (K,) standard errors of the means of `exact`.
    """
    means = exact.means(exact.value)

    def deviations(length: float) -> np.ndarray:
        return np.asarray(means - token.means(token.value**length))

    found = minimize_scalar(
        lambda log: float(np.sum(deviations(np.exp(log)) ** 2)), bounds=(0.0, np.log(MAX_POWER)), method="bounded"
    )
    length = float(np.exp(found.x))
    residual = np.abs(deviations(length))
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
        by_seed: whether seeds were tested one by one.
    """

    name: str
    state: State
    p_value: float
    width: float
    by_seed: bool = False

    def __str__(self) -> str:
        rise = f"10 to 90 % in {self.width:.1f} steps" if self.width >= 0.1 else "between two sizes"
        rise = "seeds one by one" if self.by_seed else rise
        return f"{self.name} ({rise}, {p_equals(self.p_value)})"


def judge(
    metric: Evidence,
    continuous: Evidence | None,
    steep_without_powers: bool = False,
    link: PowerRelation | None = None,
    not_on_ladder: str = "",
) -> tuple[Verdict, str]:
    """Verdict and reason in a sentence, from a discontinuous metric and its continuous pair.

    Args:
        metric: the discontinuous metric.
        continuous: the continuous one; None where it was not measured.
        steep_without_powers: whether the metric rises faster than any smooth curve once powers of smooth laws, which
            an all-or-nothing score may well be, do not count as smooth.
        link: how the one is a power of the other; None where they are not shares.
        not_on_ladder: why N* is not on the ladder, '' where it is: a jump must be seen from both sides.
    """
    if metric.state is State.TOO_FEW_SIZES:
        return Verdict.INCONCLUSIVE, "too few sizes to tell a jump from a smooth rise: five or more are needed"
    if continuous is None:
        return _judge_alone(metric)
    if metric.state in FLAGGED:
        return _judge_flagged(metric, continuous, link, not_on_ladder)
    return _judge_not_flagged(metric, continuous, link, steep_without_powers)


def _judge_alone(metric: Evidence) -> tuple[Verdict, str]:
    """Without a continuous metric a jump cannot be told from an artefact."""
    if metric.state is State.STEEP:
        reason = f"{metric} is steeper than smooth, but wider than a step: finer sizes would tell"
        return Verdict.INCONCLUSIVE, reason
    if metric.state is State.JUMP:
        return Verdict.INCONCLUSIVE, f"{metric} jumps, but no continuous metric was measured on the same outputs"
    return _no_jump(metric)


def _judge_flagged(
    metric: Evidence, continuous: Evidence, link: PowerRelation | None, not_on_ladder: str
) -> tuple[Verdict, str]:
    """A metric that is steeper than smooth stands or falls with its pair."""
    reproduced = link is not None and link.holds
    if continuous.state is State.JUMP and not_on_ladder and not reproduced:
        return Verdict.INCONCLUSIVE, f"{metric} jumps, but N* is not on the ladder: {not_on_ladder}"
    if continuous.state is State.JUMP:
        return Verdict.EMERGENT, f"{metric} jumps, and so does {continuous} on the same outputs"
    if continuous.state is State.UNDETERMINED:
        return Verdict.INCONCLUSIVE, f"{metric} jumps, but {continuous} could be smooth or jump: more runs would tell"
    if continuous.state is State.STEEP and not reproduced:
        reason = f"{metric} jumps; {continuous} is steep but wider than a step: finer sizes would tell"
        return Verdict.INCONCLUSIVE, reason
    if link is not None and not reproduced:
        return Verdict.INCONCLUSIVE, (
            f"{metric} jumps where {continuous} does not, but no power of {continuous.name} reproduces it "
            f"(off by {link.residual:.2f})"
        )
    power = f", and to the power {link.length:.1f} reproduces it within {max(link.residual, 0.001):.3f}" if link else ""
    contrast = "takes more than a step" if continuous.state is State.STEEP else "does not"
    return Verdict.ARTEFACT, f"{metric} jumps where {continuous} on the same outputs {contrast}{power}"


def _judge_not_flagged(
    metric: Evidence, continuous: Evidence, link: PowerRelation | None, steep_without_powers: bool
) -> tuple[Verdict, str]:
    """Where a metric's own runs show no jump, what it is a power of may decide."""
    if link is not None and link.holds:
        power = f"{continuous.name} to the power {link.length:.1f}"
        if steep_without_powers and continuous.state is not State.JUMP:
            return Verdict.ARTEFACT, (
                f"{metric} rises faster than a smooth curve of its own, but is {power} "
                f"(within {max(link.residual, 0.001):.3f}), and {continuous} does not jump"
            )
        if metric.state is State.UNDETERMINED and continuous.state is State.JUMP:
            return Verdict.EMERGENT, f"{continuous} jumps, and {metric}, noisier, is {power}"
        if metric.state is State.UNDETERMINED and continuous.state in (State.SMOOTH, State.FLAT):
            return Verdict.SMOOTH, f"{continuous} rises smoothly, and {metric}, noisier, is {power}"
    if metric.state is not State.UNDETERMINED and continuous.state is State.JUMP:
        reason = f"{metric} does not jump where {continuous} does: finer sizes or more items would tell"
        return Verdict.INCONCLUSIVE, reason
    return _no_jump(metric)


def _no_jump(metric: Evidence) -> tuple[Verdict, str]:
    """What a metric's own runs say where they show no jump."""
    if metric.state is State.UNDETERMINED:
        return Verdict.INCONCLUSIVE, f"{metric} could be smooth or jump"
    if metric.state is State.FLAT:
        return Verdict.SMOOTH, f"{metric.name} does not rise along the ladder by more than its noise"
    return Verdict.SMOOTH, f"{metric} rises smoothly: a jump explains it less well"
