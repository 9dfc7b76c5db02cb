"""Verdicts: does the continuous metric on the same outputs jump where the discontinuous one does?

Schaeffer et al. 2023, "Are Emergent Abilities of Large Language Models a Mirage?".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.optimize import minimize_scalar


class State(StrEnum):
    """What the runs say of one metric's rise."""

    JUMP = "jump"
    BROKEN = "broken"
    SMOOTH = "smooth"
    FLAT = "flat"
    UNDETERMINED = "undetermined"
    TOO_FEW_RUNGS = "too few rungs"


class Verdict(StrEnum):
    """What the pair of metrics says of an ability."""

    EMERGENT = "emergent"
    ARTEFACT = "metric artefact"
    SMOOTH = "smooth"
    INCONCLUSIVE = "inconclusive"


#: The states in which the smooth null is rejected. BROKEN: steeper than the ladder resolves, but not a step either.
FLAGGED = (State.JUMP, State.BROKEN)


def judge(
    metric: State, continuous: State | None, names: tuple[str, str], not_placed: str = "", decisive: bool = True
) -> tuple[Verdict, str]:
    """Verdict and reason in a sentence, from the states of a discontinuous metric and of its continuous pair.

    Args:
        metric: state of the discontinuous metric.
        continuous: state of the continuous one; None where it was not measured.
        names: of the two.
        not_placed: why N* does not lie on the ladder, '' where it does: a jump must be seen from both sides.
        decisive: whether the continuous metric's smoothness is more than likely. A metric artefact is a claim of
            difference, for which it does not do that one test rejects and the other does not.
    """
    name, paired = names
    if metric is State.TOO_FEW_RUNGS:
        return Verdict.INCONCLUSIVE, "too few rungs to tell a jump from a smooth rise"
    if metric is State.FLAT:
        return Verdict.SMOOTH, f"{name} hardly rises along the ladder"
    if metric is State.SMOOTH:
        return Verdict.SMOOTH, f"{name} rises smoothly: rungs lie inside the rise"
    if metric is State.UNDETERMINED:
        return Verdict.INCONCLUSIVE, f"{name} could be smooth or a step: too few rungs or runs in the rise"
    if not_placed:
        return Verdict.INCONCLUSIVE, f"{name} leaps in some runs, but N* is not on the ladder: {not_placed}"
    if continuous is None:
        return Verdict.INCONCLUSIVE, f"{name} jumps, but no continuous metric was measured on the same outputs"
    if continuous is State.JUMP:
        return Verdict.EMERGENT, f"{name} jumps and so does {paired} on the same outputs"
    if continuous is State.SMOOTH and not decisive:
        return Verdict.INCONCLUSIVE, f"{name} jumps, and {paired} may be smooth, but a step describes it nearly as well"
    if continuous in (State.SMOOTH, State.FLAT):
        return Verdict.ARTEFACT, f"{name} jumps where {paired} on the same outputs rises smoothly"
    reason = f"{name} jumps, but {paired} is neither clearly smooth nor clearly a step: finer rungs would tell"
    return Verdict.INCONCLUSIVE, reason


@dataclass(frozen=True)
class PowerRelation:
    """exact = token ** length, the discontinuous metric as a plain function of the continuous one.

    Attributes:
        length: fitted, the effective number of independent answer tokens.
        residual: largest absolute deviation of a rung's mean.
    """

    length: float
    residual: float


def power_relation(exact: np.ndarray, token: np.ndarray) -> PowerRelation:
    """Fit exact = token ** length by least squares to values in [0, 1] of the same shape (R,)."""

    def squares(log_length: float) -> float:
        return float(np.sum((exact - token ** np.exp(log_length)) ** 2))

    length = float(np.exp(minimize_scalar(squares, bounds=(0.0, np.log(200.0)), method="bounded").x))
    return PowerRelation(length, float(np.max(np.abs(exact - token**length))))
