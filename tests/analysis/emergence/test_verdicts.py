"""Every pair of states has the verdict that it should, and the paired relation is found."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from harness.analysis.emergence.verdicts import (
    DECISIVE,
    MIN_POWER,
    REPRODUCES,
    REPRODUCES_SD,
    Evidence,
    PowerRelation,
    State,
    Verdict,
    judge,
    power_relation,
)
from harness.analysis.runs import gather_runs

HOLDS, FAILS = PowerRelation(8.0, 0.01), PowerRelation(8.0, 0.4)
UNJUDGED = (State.SMOOTH, State.FLAT, State.UNDETERMINED)


def exact(state: State, statistic: float = 0.5) -> Evidence:
    return Evidence("exact_match", state, 0.2, statistic, 1.0)


def token(state: State, statistic: float = 5.0) -> Evidence:
    return Evidence("token_accuracy", state, 0.2, statistic, 4.0)


@pytest.mark.parametrize("flagged", [State.JUMP, State.STEEP])
@pytest.mark.parametrize(
    ("continuous", "link", "verdict"),
    [
        (State.JUMP, HOLDS, Verdict.EMERGENT),
        (State.JUMP, None, Verdict.EMERGENT),
        (State.JUMP, FAILS, Verdict.EMERGENT),
        (State.SMOOTH, HOLDS, Verdict.ARTEFACT),
        (State.SMOOTH, None, Verdict.ARTEFACT),
        (State.SMOOTH, FAILS, Verdict.INCONCLUSIVE),
        (State.FLAT, HOLDS, Verdict.ARTEFACT),
        (State.FLAT, FAILS, Verdict.INCONCLUSIVE),
        (State.DROP, HOLDS, Verdict.INCONCLUSIVE),
        (State.STEEP, HOLDS, Verdict.INCONCLUSIVE),
        (State.STEEP, None, Verdict.INCONCLUSIVE),
        (State.UNDETERMINED, HOLDS, Verdict.INCONCLUSIVE),
    ],
)
def test_a_flagged_metric_is_judged_by_its_pair(
    flagged: State, continuous: State, link: PowerRelation | None, verdict: Verdict
) -> None:
    assert judge(exact(flagged), token(continuous), link=link)[0] is verdict


def test_an_artefact_takes_a_pair_that_is_smooth() -> None:
    """Whatever else is known: a pair that jumps, drops, is steep or is undecided never makes a metric artefact."""
    decided, tested = set(), [state for state in State if state is not State.TOO_FEW_SIZES]
    for state, continuous, link, steep, off in product(State, tested, (HOLDS, FAILS, None), (None, 0.01), ("", "why")):
        verdict, reason = judge(exact(state), token(continuous), steep, link, off)
        assert reason
        if verdict is Verdict.ARTEFACT:
            decided.add(continuous)
    assert decided == {State.SMOOTH, State.FLAT}


@pytest.mark.parametrize(
    ("state", "verdict", "words"),
    [
        (State.JUMP, Verdict.CANDIDATE, "no continuous metric is known"),
        (State.DROP, Verdict.DROP, "it is worse"),
        (State.STEEP, Verdict.INCONCLUSIVE, "wider than a jump: finer sizes would tell"),
        (State.SMOOTH, Verdict.SMOOTH, "rises smoothly"),
        (State.FLAT, Verdict.SMOOTH, "does not change along the ladder by more than its noise"),
        (State.UNDETERMINED, Verdict.INCONCLUSIVE, "could be smooth or jump"),
        (State.TOO_FEW_SIZES, Verdict.TOO_FEW_SIZES, "five or more are needed"),
    ],
)
def test_a_metric_without_a_pair(state: State, verdict: Verdict, words: str) -> None:
    found, reason = judge(exact(state), None)
    assert found is verdict and words in reason


def test_a_flat_curve_with_a_trend_is_not_said_to_stay_as_it_is() -> None:
    for change, words in ((0.043, "exact_match rises by 0.043"), (-0.043, "exact_match falls by 0.043")):
        verdict, reason = judge(replace(exact(State.FLAT), change=change), None)
        assert verdict is Verdict.SMOOTH
        assert reason == f"{words} along the ladder, too little to tell a jump from a slope"


@pytest.mark.parametrize("continuous", [*State, None])
def test_a_drop_stays_a_drop_and_its_reason_says_what_the_pair_does(continuous: State | None) -> None:
    verdict, reason = judge(exact(State.DROP), None if continuous is None else token(continuous), link=HOLDS)
    assert verdict is Verdict.DROP and "it is worse" in reason
    assert ("and so does" in reason) == (continuous is State.DROP)
    assert ("on the same outputs does not" in reason) == (continuous in (State.SMOOTH, State.FLAT))


@pytest.mark.parametrize("continuous", [*State, None])
@pytest.mark.parametrize("link", [None, FAILS])
def test_without_a_link_a_metric_that_is_not_flagged_is_never_emergent(
    continuous: State | None, link: PowerRelation | None
) -> None:
    pair = None if continuous is None else token(continuous)
    for state in UNJUDGED:
        assert judge(exact(state), pair, link=link)[0] in (Verdict.SMOOTH, Verdict.INCONCLUSIVE)
    assert judge(exact(State.TOO_FEW_SIZES), pair, link=link)[0] is Verdict.TOO_FEW_SIZES


def test_a_power_of_a_metric_is_judged_by_that_metric() -> None:
    """A jump of tokens on a slope makes a power of them steep: that the power by itself looks smooth says nothing."""
    for state in (State.UNDETERMINED, State.SMOOTH):
        verdict, reason = judge(exact(state), token(State.JUMP), link=HOLDS)
        assert verdict is Verdict.EMERGENT and "token_accuracy to the power 8.0" in reason
    undecided = exact(State.UNDETERMINED)
    assert judge(undecided, token(State.SMOOTH), link=HOLDS)[0] is Verdict.SMOOTH
    assert judge(undecided, token(State.UNDETERMINED), link=HOLDS)[0] is Verdict.INCONCLUSIVE


def test_the_jump_of_a_pair_decides_alone_only_where_it_is_clear() -> None:
    for state in (State.UNDETERMINED, State.SMOOTH):
        just_below, just_above = (
            judge(exact(state), token(State.JUMP, DECISIVE + by), link=HOLDS)[0] for by in (-0.01, 0.01)
        )
        assert (just_below, just_above) == (Verdict.INCONCLUSIVE, Verdict.EMERGENT)


def test_an_undecided_metric_that_no_power_could_link_is_smooth_with_its_pair_where_a_jump_is_less_likely() -> None:
    """A loss is no share: there is no link to ask for."""
    for statistic, verdict in ((-0.2, Verdict.SMOOTH), (0.2, Verdict.INCONCLUSIVE)):
        undecided = exact(State.UNDETERMINED, statistic)
        assert judge(undecided, token(State.SMOOTH))[0] is verdict
        assert judge(undecided, token(State.SMOOTH), link=FAILS)[0] is Verdict.INCONCLUSIVE


def test_steep_but_for_powers_and_a_power_is_an_artefact() -> None:
    for state in (State.SMOOTH, State.UNDETERMINED):
        verdict, reason = judge(exact(state), token(State.SMOOTH), p_without_powers=0.01, link=HOLDS)
        assert verdict is Verdict.ARTEFACT and "to the power 8.0" in reason
    smooth, pair = exact(State.SMOOTH), token(State.SMOOTH)
    assert judge(smooth, pair, p_without_powers=0.01, link=FAILS)[0] is Verdict.SMOOTH
    assert judge(smooth, pair)[0] is Verdict.SMOOTH
    assert judge(exact(State.FLAT), pair, p_without_powers=0.01, link=HOLDS)[0] is Verdict.SMOOTH


def test_a_jump_must_be_seen_from_both_sides() -> None:
    verdict, reason = judge(exact(State.JUMP), token(State.JUMP), not_on_ladder="not reached on the ladder")
    assert verdict is Verdict.INCONCLUSIVE and "not reached" in reason


@pytest.mark.parametrize("state", [State.SMOOTH, State.FLAT])
def test_a_metric_that_stays_behind_its_pair_is_inconclusive(state: State) -> None:
    for link in (None, FAILS):
        verdict, reason = judge(exact(state), token(State.JUMP), link=link)
        assert verdict is Verdict.INCONCLUSIVE and "does not jump where" in reason


def test_reasons_say_how_each_metric_rises() -> None:
    jump = Evidence("loss", State.JUMP, 0.0004, 3.0, 1.5)
    assert str(jump) == "loss (within 1.5 rungs, p < 0.001)"
    assert str(replace(jump, width=1.0, in_a_gap=True, p_value=0.012)) == "loss (between two sizes, p = 0.012)"
    assert str(replace(jump, state=State.DROP, width=1.0, in_a_gap=True)) == "loss (between two sizes, p < 0.001)"
    assert str(replace(jump, by_seed=True)) == "loss (seeds one by one, p < 0.001)"
    assert str(replace(jump, state=State.SMOOTH, width=5.25)) == "loss (10 to 90 %: 5.2 rungs, p < 0.001)"
    beyond = replace(jump, state=State.SMOOTH, width=9.0, ladder=5.0)
    assert str(beyond) == "loss (10 to 90 %: longer than the ladder, p < 0.001)"
    # A curve that falls has no rise to take the width of.
    assert str(Evidence("loss", State.SMOOTH, 0.5)) == "loss (p = 0.500)"


@pytest.mark.parametrize("course", ["rises", "falls", "falls, then rises", "rises, then falls"])
def test_a_smooth_verdict_says_what_the_curve_does(course: str) -> None:
    assert f"{course} smoothly" in judge(replace(exact(State.SMOOTH), course=course), None)[1]


def test_a_relation_holds_within_a_tenth_or_within_noise_and_for_several_tokens() -> None:
    assert PowerRelation(8.0, REPRODUCES).holds and not PowerRelation(8.0, REPRODUCES + 0.01).holds
    assert PowerRelation(8.0, 0.3, REPRODUCES_SD - 0.1).holds
    assert not PowerRelation(8.0, 0.3, REPRODUCES_SD + 0.1).holds
    assert PowerRelation(MIN_POWER, 0.01).holds and not PowerRelation(MIN_POWER - 0.1, 0.01).holds


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
