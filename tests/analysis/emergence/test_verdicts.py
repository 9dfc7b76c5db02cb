"""Every pair of states has the verdict that it should, and the paired relation is found."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.emergence.verdicts import Evidence, PowerRelation, State, Verdict, judge, power_relation
from harness.analysis.runs import gather_runs

HOLDS, FAILS = PowerRelation(8.0, 0.01), PowerRelation(8.0, 0.4)


def exact(state: State) -> Evidence:
    return Evidence("exact_match", state, 0.2, 1.0)


def token(state: State) -> Evidence:
    return Evidence("token_accuracy", state, 0.2, 4.0)


@pytest.mark.parametrize("flagged", [State.JUMP, State.STEEP])
@pytest.mark.parametrize(
    ("continuous", "link", "verdict"),
    [
        (State.JUMP, HOLDS, Verdict.EMERGENT),
        (State.JUMP, None, Verdict.EMERGENT),
        (State.SMOOTH, HOLDS, Verdict.ARTEFACT),
        (State.SMOOTH, None, Verdict.ARTEFACT),
        (State.SMOOTH, FAILS, Verdict.INCONCLUSIVE),
        (State.FLAT, HOLDS, Verdict.ARTEFACT),
        (State.STEEP, HOLDS, Verdict.ARTEFACT),
        (State.STEEP, None, Verdict.INCONCLUSIVE),
        (State.UNDETERMINED, HOLDS, Verdict.INCONCLUSIVE),
    ],
)
def test_a_flagged_metric_is_judged_by_its_pair(
    flagged: State, continuous: State, link: PowerRelation | None, verdict: Verdict
) -> None:
    assert judge(exact(flagged), token(continuous), link=link)[0] is verdict
    assert judge(exact(flagged), None)[0] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("continuous", [*State, None])
def test_without_a_link_a_metric_that_is_not_flagged_is_never_emergent(continuous: State | None) -> None:
    pair = None if continuous is None else token(continuous)
    for state in (State.SMOOTH, State.FLAT, State.UNDETERMINED, State.TOO_FEW_SIZES):
        assert judge(exact(state), pair)[0] in (Verdict.SMOOTH, Verdict.INCONCLUSIVE)


def test_a_noisy_power_of_a_metric_is_judged_by_that_metric() -> None:
    undecided = exact(State.UNDETERMINED)
    assert judge(undecided, token(State.JUMP), link=HOLDS)[0] is Verdict.EMERGENT
    assert judge(undecided, token(State.SMOOTH), link=HOLDS)[0] is Verdict.SMOOTH
    for link in (None, FAILS):
        assert judge(undecided, token(State.JUMP), link=link)[0] is Verdict.INCONCLUSIVE


def test_steep_at_face_value_and_a_power_is_an_artefact() -> None:
    verdict, reason = judge(exact(State.SMOOTH), token(State.SMOOTH), steep_at_face=True, link=HOLDS)
    assert verdict is Verdict.ARTEFACT and "to the power 8.0" in reason
    assert judge(exact(State.SMOOTH), token(State.SMOOTH), steep_at_face=True, link=FAILS)[0] is Verdict.SMOOTH
    assert judge(exact(State.SMOOTH), token(State.SMOOTH))[0] is Verdict.SMOOTH


def test_a_jump_must_be_seen_from_both_sides() -> None:
    verdict, reason = judge(exact(State.JUMP), token(State.JUMP), not_placed="not reached on the ladder")
    assert verdict is Verdict.INCONCLUSIVE and "not reached" in reason


def test_exact_match_as_a_power_of_token_accuracy() -> None:
    size = np.arange(1.0, 7)
    accuracy = np.array([0.09, 0.17, 0.34, 0.73, 0.99, 1.0])
    found = power_relation(gather_runs(size, accuracy**8), gather_runs(size, accuracy))
    assert found.length == pytest.approx(8, rel=1e-3) and found.residual < 1e-3 and found.holds
    assert not power_relation(gather_runs(size, accuracy), gather_runs(size, accuracy**8)).holds


def test_powers_are_taken_run_by_run() -> None:
    """Runs at .5 and 1 have a mean exact match of .5, not of .75 to the power 20."""
    size, accuracy = np.repeat(np.arange(1.0, 6), 2), np.tile([0.5, 1.0], 5)
    found = power_relation(gather_runs(size, accuracy**20, np.arange(10)), gather_runs(size, accuracy, np.arange(10)))
    assert found.length == pytest.approx(20, rel=0.05) and found.holds
