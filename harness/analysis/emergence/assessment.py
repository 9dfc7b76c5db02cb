"""The curves of a frame, assessed together: p values are adjusted over every discontinuous metric and its pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeGuard

import numpy as np

from harness.analysis.curves import Curve
from harness.analysis.emergence.evidence import MIN_TESTED, Finding, examine, n_sizes
from harness.analysis.emergence.verdicts import JUMPED, State
from harness.analysis.false_discovery import adjusted


@dataclass(frozen=True)
class Assessed:
    """A curve and what its runs say.

    Attributes:
        curve: what was tested.
        finding: None where it has too few sizes, or values that are all equal.
        p_adjusted: after Benjamini and Hochberg over all claims of the call; NaN where it was not tested.
        alpha: error rate of what is said of it.
    """

    curve: Curve
    finding: Finding | None
    p_adjusted: float
    alpha: float

    @cached_property
    def state(self) -> State:
        """What its runs say."""
        if self.finding is None or np.isnan(self.p_adjusted):
            return State.TOO_FEW_SIZES if n_sizes(self.curve) < MIN_TESTED else State.FLAT
        return self.finding.state(self.p_adjusted, self.alpha)

    @property
    def has_jump_place(self) -> bool:
        """Whether it jumps, up or down, at one place; seeds that were tested one by one jump at places of their own."""
        return self.finding is not None and self.state in JUMPED and not self.finding.test.by_seed


def claims(curves: Sequence[Curve]) -> list[tuple[int, int | None]]:
    """Index of each discontinuous metric's curve, and of its continuous pair's, or None."""
    by_key = {(c.study, c.task, c.subtask, c.metric): i for i, c in enumerate(curves)}
    return [
        (i, by_key.get((c.study, c.task, c.subtask, c.paired_metric))) for i, c in enumerate(curves) if c.discontinuous
    ]


def assess(curves: Sequence[Curve], alpha: float) -> list[Assessed]:
    """Assess every curve.

    A continuous metric that judges no other is no claim: its p value is its own, and adjusts no other.

    Args:
        alpha: false discovery rate.
    """
    claimed = {i for claim in claims(curves) for i in claim if i is not None}
    findings = examine(curves)
    p_values = [finding.test.p_value if _is_tested(finding) else None for finding in findings]
    of_claims = adjusted([p if i in claimed else None for i, p in enumerate(p_values)])
    return [
        Assessed(curve, finding, of_claims[i] if i in claimed or p is None else p, alpha)
        for i, (curve, finding, p) in enumerate(zip(curves, findings, p_values, strict=True))
    ]


def _is_tested(finding: Finding | None) -> TypeGuard[Finding]:
    return finding is not None and len(finding.design.t) >= MIN_TESTED
