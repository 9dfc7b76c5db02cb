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


def test_steep_but_for_powers_and_a_power_is_an_artefact() -> None:
    verdict, reason = judge(exact(State.SMOOTH), token(State.SMOOTH), steep_without_powers=True, link=HOLDS)
    assert verdict is Verdict.ARTEFACT and "to the power 8.0" in reason
    assert judge(exact(State.SMOOTH), token(State.SMOOTH), steep_without_powers=True, link=FAILS)[0] is Verdict.SMOOTH
    assert judge(exact(State.SMOOTH), token(State.SMOOTH))[0] is Verdict.SMOOTH


def test_a_jump_must_be_seen_from_both_sides() -> None:
    verdict, reason = judge(exact(State.JUMP), token(State.JUMP), not_on_ladder="not reached on the ladder")
    assert verdict is Verdict.INCONCLUSIVE and "not reached" in reason


def test_too_few_sizes_and_a_metric_alone_are_never_decided_for_a_jump() -> None:
    verdict, reason = judge(exact(State.TOO_FEW_SIZES), token(State.JUMP), link=HOLDS)
    assert verdict is Verdict.INCONCLUSIVE and "five or more" in reason
    for state, words in (
        (State.JUMP, "no continuous metric was measured"),
        (State.STEEP, "wider than a step"),
        (State.UNDETERMINED, "could be smooth or jump"),
    ):
        verdict, reason = judge(exact(state), None)
        assert verdict is Verdict.INCONCLUSIVE and words in reason
    for state in (State.SMOOTH, State.FLAT):
        assert judge(exact(state), None)[0] is Verdict.SMOOTH


@pytest.mark.parametrize("state", [State.SMOOTH, State.FLAT])
def test_a_metric_that_stays_behind_its_pair_is_inconclusive(state: State) -> None:
    verdict, reason = judge(exact(state), token(State.JUMP), link=HOLDS)
    assert verdict is Verdict.INCONCLUSIVE and "does not jump where" in reason


def test_reasons_say_how_each_metric_rises() -> None:
    assert str(Evidence("loss", State.JUMP, 0.0004, 1.5)) == "loss (10 to 90 % in 1.5 steps, p < 0.001)"
    assert str(Evidence("loss", State.JUMP, 0.012, 0.02)) == "loss (between two sizes, p = 0.012)"
    assert str(Evidence("loss", State.JUMP, 0.5, 3.0, by_seed=True)) == "loss (seeds one by one, p = 0.500)"


def test_a_relation_holds_within_a_tenth_or_within_noise_and_for_several_tokens() -> None:
    assert PowerRelation(8.0, 0.1).holds and not PowerRelation(8.0, 0.11).holds
    assert PowerRelation(8.0, 0.3, 2.9).holds and not PowerRelation(8.0, 0.3, 3.1).holds
    assert PowerRelation(1.5, 0.01).holds and not PowerRelation(1.4, 0.01).holds


def test_exact_match_as_a_power_of_token_accuracy() -> None:
    size = np.arange(1.0, 7)
    accuracy = np.array([0.09, 0.17, 0.34, 0.73, 0.99, 1.0])
    found = power_relation(gather_runs(size, accuracy**8), gather_runs(size, accuracy))
    assert found.length == pytest.approx(8, rel=1e-3) and found.residual < 1e-3 and found.holds
    assert not power_relation(gather_runs(size, accuracy), gather_runs(size, accuracy**8)).holds
    noisy = accuracy**8 + np.array([0, 0, 0, 0.06, 0, 0])
    off = power_relation(gather_runs(size, noisy), gather_runs(size, accuracy), np.full(6, 0.02))
    assert off.deviation == pytest.approx(off.residual / 0.02) and 0 < off.residual < 0.06


def test_powers_are_taken_run_by_run() -> None:
    """Runs at .5 and 1 have a mean exact match of .5, not of .75 to the power 20."""
    size, accuracy = np.repeat(np.arange(1.0, 6), 2), np.tile([0.5, 1.0], 5)
    found = power_relation(gather_runs(size, accuracy**20, np.arange(10)), gather_runs(size, accuracy, np.arange(10)))
    assert found.length == pytest.approx(20, rel=0.05) and found.holds
