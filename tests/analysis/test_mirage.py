"""Every pair of states has the verdict that it should, and the paired relation is found."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.mirage import State, Verdict, judge, power_relation

NAMES = ("exact_match", "token_accuracy")


@pytest.mark.parametrize("flagged", [State.JUMP, State.BROKEN])
@pytest.mark.parametrize(
    ("continuous", "verdict"),
    [
        (State.JUMP, Verdict.EMERGENT),
        (State.SMOOTH, Verdict.ARTEFACT),
        (State.FLAT, Verdict.ARTEFACT),
        (State.BROKEN, Verdict.INCONCLUSIVE),
        (State.UNDETERMINED, Verdict.INCONCLUSIVE),
        (None, Verdict.INCONCLUSIVE),
    ],
)
def test_a_flagged_metric_is_judged_by_its_pair(flagged: State, continuous: State | None, verdict: Verdict) -> None:
    assert judge(flagged, continuous, NAMES)[0] is verdict


@pytest.mark.parametrize("continuous", [*State, None])
def test_a_metric_that_is_not_flagged_is_never_emergent(continuous: State | None) -> None:
    assert judge(State.SMOOTH, continuous, NAMES)[0] is Verdict.SMOOTH
    assert judge(State.FLAT, continuous, NAMES)[0] is Verdict.SMOOTH
    assert judge(State.UNDETERMINED, continuous, NAMES)[0] is Verdict.INCONCLUSIVE
    assert judge(State.TOO_FEW_RUNGS, continuous, NAMES)[0] is Verdict.INCONCLUSIVE


def test_a_jump_must_be_seen_from_both_sides() -> None:
    verdict, reason = judge(State.JUMP, State.JUMP, NAMES, "not reached on the ladder")
    assert verdict is Verdict.INCONCLUSIVE and "not reached" in reason


def test_an_artefact_is_a_claim_of_difference() -> None:
    verdict, reason = judge(State.JUMP, State.SMOOTH, NAMES, decisive=False)
    assert verdict is Verdict.INCONCLUSIVE and "nearly as well" in reason
    assert judge(State.JUMP, State.JUMP, NAMES, decisive=False)[0] is Verdict.EMERGENT


def test_exact_match_as_a_power_of_token_accuracy() -> None:
    token = np.array([0.09, 0.17, 0.34, 0.73, 0.99, 1.0])
    found = power_relation(token**8, token)
    assert found.length == pytest.approx(8, rel=1e-3) and found.residual < 1e-3
    assert power_relation(token, token**8).residual > 0.3
