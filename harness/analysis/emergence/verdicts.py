"""Verdicts: does the continuous metric on the same outputs jump where the discontinuous one does?

Source: Schaeffer, Miranda and Koyejo 2023, "Are Emergent Abilities of Large Language Models a Mirage?".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from harness.analysis.runs import Runs
from harness.wording import p_equals, rungs


class State(StrEnum):
    """What the runs say of one metric."""

    JUMP = "jump"
    DROP = "drop"
    STEEP = "steep"
    SMOOTH = "smooth"
    FLAT = "flat"
    UNDETERMINED = "undetermined"
    TOO_FEW_SIZES = "too few sizes"


class Verdict(StrEnum):
    """What the pair of metrics says of an ability."""

    EMERGENT = "emergent"
    CANDIDATE = "candidate"
    ARTEFACT = "metric artefact"
    SMOOTH = "smooth"
    DROP = "drop"
    INCONCLUSIVE = "inconclusive"
    TOO_FEW_SIZES = "too few sizes"


#: The states of a curve that jumps, up or down, at one place. STEEP: too steep for smooth, but resolved, so no jump
#: either.
JUMPED = (State.JUMP, State.DROP)
#: Statistic (ln Bayes factor) of a continuous metric above which its jump alone decides, where the discontinuous metric
#: is a power of it but shows no jump of its own. One above 0 keeps smooth pairs on slopes from being called emergent.
DECISIVE = 1.0
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

    from scipy.optimize import minimize_scalar  # slow to load, for those who only need a verdict's name

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
        p_value: adjusted, against smooth curves.
        statistic: ln Bayes factor of smooth plus a jump against smooth.
        width: steps that the rise of its mean takes from 10 to 90 %; where it jumps, steps within which it does.
        course: what the mean does: 'rises', 'falls', 'rises, then falls' or 'falls, then rises'.
        by_seed: whether seeds were tested one by one.
        in_a_gap: whether it jumps, and surely between two neighbouring sizes.
        ladder: steps of the whole ladder.
        change: by how much its runs rise along the ladder, in its unit; 0 where they have no trend.
    """

    name: str
    state: State
    p_value: float
    statistic: float = float("nan")
    width: float = float("nan")
    course: str = "rises"
    by_seed: bool = False
    in_a_gap: bool = False
    ladder: float = float("inf")
    change: float = 0.0

    def __str__(self) -> str:
        return f"{self.name} ({self._how}{p_equals(self.p_value)})"

    @property
    def without_a_jump(self) -> str:
        """What it does, where no jump was found: 'rises smoothly', or what is known of a flat curve."""
        if self.state is not State.FLAT:
            return f"{self.course} smoothly"
        if self.change == 0:
            return "does not change along the ladder by more than its noise"
        rises = "rises" if self.change > 0 else "falls"
        return f"{rises} by {abs(self.change):.2g} along the ladder, too little to tell a jump from a slope"

    @property
    def _how(self) -> str:
        if self.by_seed:
            return "seeds one by one, "
        if self.state in JUMPED:
            return "between two sizes, " if self.in_a_gap else f"within {self.width:.1f} rungs, "
        return f"10 to 90 %: {rungs(self.width, self.ladder)}, " if np.isfinite(self.width) else ""


def judge(
    metric: Evidence,
    continuous: Evidence | None,
    p_without_powers: float | None = None,
    link: PowerRelation | None = None,
    not_on_ladder: str = "",
    places: str = "sizes",
) -> tuple[Verdict, str]:
    """Verdict and reason in a sentence, from a discontinuous metric and its continuous pair.

    Args:
        metric: the discontinuous metric.
        continuous: the continuous one; None where it was not measured.
        p_without_powers: the metric's p value, adjusted, where it jumps once powers of smooth laws, which an
            all-or-nothing score may well be, do not count as smooth; None where it does not.
        link: how the one is a power of the other; None where they are not shares.
        not_on_ladder: why N* is not on the ladder, '' where it is: a jump must be seen from both sides.
        places: what the places along the ladder are called.
    """
    if metric.state is State.TOO_FEW_SIZES:
        return Verdict.TOO_FEW_SIZES, f"too few {places} to tell a jump from a smooth rise: five or more are needed"
    if metric.state is State.DROP:
        return _judge_drop(metric, continuous)
    if metric.state is State.STEEP and continuous is None:
        return Verdict.INCONCLUSIVE, f"{metric} is steeper than smooth, but wider than a jump: finer sizes would tell"
    if metric.state in (State.JUMP, State.STEEP):
        return _judge_jump(metric, continuous, link, not_on_ladder)
    if continuous is not None:
        by_pair = _judge_by_pair(metric, continuous, link, p_without_powers)
        if by_pair is not None:
            return by_pair
    return _no_jump(metric)


def _judge_drop(metric: Evidence, continuous: Evidence | None) -> tuple[Verdict, str]:
    reason = f"{metric} jumps the wrong way: further along the ladder it is worse"
    if continuous is None:
        return Verdict.DROP, f"{reason}; no continuous metric is known to be of the same outputs"
    if continuous.state is State.DROP:
        return Verdict.DROP, f"{reason}, and so does {continuous} on the same outputs"
    if continuous.state in (State.SMOOTH, State.FLAT):
        return Verdict.DROP, f"{reason}; {continuous} on the same outputs does not"
    return Verdict.DROP, f"{reason}; {continuous} on the same outputs is undecided"


def _judge_jump(
    metric: Evidence, continuous: Evidence | None, link: PowerRelation | None, not_on_ladder: str
) -> tuple[Verdict, str]:
    """A metric that jumps, or is steeper than smooth, stands or falls with its pair."""
    if continuous is None or continuous.state is State.TOO_FEW_SIZES:
        return Verdict.CANDIDATE, f"{metric} jumps, but no continuous metric is known to be of the same outputs"
    reproduced = link is not None and link.holds
    does, does_not = ("jumps", "does not") if metric.state is State.JUMP else ("is steeper than smooth", "is not")
    if continuous.state is State.JUMP and not_on_ladder and not reproduced:
        return Verdict.INCONCLUSIVE, f"{metric} {does}, but N* is not on the ladder: {not_on_ladder}"
    if continuous.state is State.JUMP:
        too = f"so does {continuous}" if metric.state is State.JUMP else f"{continuous} jumps"
        return Verdict.EMERGENT, f"{metric} {does}, and {too} on the same outputs"
    if continuous.state is State.DROP:
        return Verdict.INCONCLUSIVE, f"{metric} {does}, but {continuous} on the same outputs drops"
    if continuous.state is State.STEEP:
        reason = f"{metric} {does}; {continuous} is steeper than smooth, but wider than a jump: finer sizes would tell"
        return Verdict.INCONCLUSIVE, reason
    if continuous.state is State.UNDETERMINED:
        return Verdict.INCONCLUSIVE, f"{metric} {does}, but {continuous} could be smooth or jump: more runs would tell"
    if link is not None and not reproduced:
        return Verdict.INCONCLUSIVE, (
            f"{metric} {does} where {continuous} {does_not}, but no power of {continuous.name} reproduces it "
            f"(off by {link.residual:.2f})"
        )
    power = f", and to the power {link.length:.1f} reproduces it within {max(link.residual, 0.001):.3f}" if link else ""
    return Verdict.ARTEFACT, f"{metric} {does} where {continuous} on the same outputs {does_not}{power}"


def _judge_by_pair(
    metric: Evidence, continuous: Evidence, link: PowerRelation | None, p_without_powers: float | None
) -> tuple[Verdict, str] | None:
    """What the pair says of a metric whose own runs show no jump; None where it does not decide."""
    smooth_pair = continuous.state in (State.SMOOTH, State.FLAT)
    if link is not None and link.holds and metric.state is not State.FLAT:
        power = f"{continuous.name} to the power {link.length:.1f}"
        if p_without_powers is not None and smooth_pair:
            own = f"{metric.name} rises faster than a smooth curve of its own ({p_equals(p_without_powers)})"
            within = f"is {power} (within {max(link.residual, 0.001):.3f})"
            return Verdict.ARTEFACT, f"{own}, but {within}, and {continuous} does not jump"
        if continuous.state is State.JUMP and continuous.statistic > DECISIVE:
            return Verdict.EMERGENT, f"{continuous} jumps, and {metric} is {power}"
        if metric.state is State.UNDETERMINED and smooth_pair:
            return Verdict.SMOOTH, f"{continuous} {continuous.without_a_jump}, and {metric}, noisier, is {power}"
        if continuous.state is State.UNDETERMINED and continuous.statistic > 0:
            return Verdict.INCONCLUSIVE, f"{continuous} may jump, and {metric} is {power}: more runs would tell"
    if metric.state is State.UNDETERMINED and metric.statistic < 0 and smooth_pair and not link:
        reason = f"{metric} shows no jump, and {continuous} on the same outputs {continuous.without_a_jump}"
        return Verdict.SMOOTH, reason
    if continuous.state is State.JUMP:
        reason = f"{metric} does not jump where {continuous} does: finer sizes or more items would tell"
        return Verdict.INCONCLUSIVE, reason
    return None


def _no_jump(metric: Evidence) -> tuple[Verdict, str]:
    """What a metric's own runs say where they show no jump."""
    if metric.state is State.UNDETERMINED:
        return Verdict.INCONCLUSIVE, f"{metric} could be smooth or jump"
    if metric.state is State.FLAT:
        return Verdict.SMOOTH, f"{metric.name} {metric.without_a_jump}"
    return Verdict.SMOOTH, f"{metric} {metric.without_a_jump}: a jump explains it less well"
