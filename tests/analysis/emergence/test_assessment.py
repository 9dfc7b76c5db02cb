"""Curves of a frame assessed together: whose p values are adjusted, and what is then said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import Curve, label_runs, make_curves
from harness.analysis.emergence.assessment import assess, claims
from harness.analysis.emergence.evidence import MIN_TESTED
from harness.analysis.emergence.smooth_null import logistic
from harness.analysis.emergence.verdicts import State

T = np.arange(8.0)


def rows(
    curve: np.ndarray, metric: str, task: str = "a", sd: float = 0.03, seed: int = 0, **about: object
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rung, member = (axis.ravel() for axis in np.indices((len(curve), 3)))
    value = curve[rung] + sd * rng.standard_normal(len(rung))
    table = {"task": task, "size": 2.0**rung, "seed": member, "metric": metric, "value": value}
    return pd.DataFrame(table | about)


def curves_of(*parts: pd.DataFrame) -> list[Curve]:
    return list(make_curves(label_runs(pd.concat(parts, ignore_index=True)), "size"))


JUMP = 0.1 + 0.03 * T + 0.4 * (T > 3.5)
SMOOTH = 0.1 + 0.8 * logistic(T, 3.5, 4.5)
PAIRED = {"paired_metric": "token_accuracy", "discontinuous": True}
#: A jump with its pair, one without, and a continuous metric that judges no other.
CURVES = curves_of(
    rows(JUMP, "exact_match", seed=1, **PAIRED),
    rows(JUMP, "token_accuracy", seed=2, discontinuous=False, paired_metric=""),
    rows(SMOOTH, "accuracy", task="b", seed=3, discontinuous=True, paired_metric=""),
    rows(SMOOTH, "loss", task="b", seed=4, discontinuous=False, paired_metric=""),
)


def test_claims_are_discontinuous_metrics_with_their_pairs() -> None:
    named = [(CURVES[i].metric, None if other is None else CURVES[other].metric) for i, other in claims(CURVES)]
    assert named == [("exact_match", "token_accuracy"), ("accuracy", None)]


def test_p_values_are_adjusted_over_claims_and_their_pairs_and_no_others() -> None:
    assessed = assess(CURVES, 0.05)
    p = {each.curve.metric: each.finding.test.p_value for each in assessed if each.finding is not None}
    found = {each.curve.metric: each.p_adjusted for each in assessed}
    of_claims = ("exact_match", "token_accuracy", "accuracy")
    ordered = sorted(of_claims, key=lambda metric: p[metric])
    # Benjamini and Hochberg, from the largest down.
    least = 1.0
    for rank in (3, 2, 1):
        metric = ordered[rank - 1]
        least = min(least, p[metric] * 3 / rank)
        assert found[metric] == pytest.approx(least)
    assert found["loss"] == p["loss"], "it judges no other"
    alone = assess([curve for curve in CURVES if curve.metric != "loss"], 0.05)
    assert [each.p_adjusted for each in alone] == pytest.approx([found[each.curve.metric] for each in alone])


def test_states_are_those_of_the_adjusted_p_values() -> None:
    states = {each.curve.metric: each.state for each in assess(CURVES, 0.05)}
    assert states["exact_match"] is State.JUMP and states["token_accuracy"] is State.JUMP
    assert states["accuracy"] in (State.SMOOTH, State.UNDETERMINED) and states["loss"] is not State.JUMP
    strict = {each.curve.metric: each.state for each in assess(CURVES, 1e-300)}
    assert strict["exact_match"] is State.UNDETERMINED


def test_what_cannot_be_tested_adjusts_nothing_and_says_why() -> None:
    short = rows(JUMP[: MIN_TESTED - 1], "accuracy", task="short", seed=5)
    flat = rows(np.full(8, 0.4), "accuracy", task="flat", sd=0.0)
    few_and_flat = rows(np.full(3, 0.4), "accuracy", task="both", sd=0.0)
    more = assess([*CURVES, *curves_of(short), *curves_of(flat), *curves_of(few_and_flat)], 0.05)
    by_task = {each.curve.task: each for each in more}
    assert by_task["short"].finding is not None, "it has an N* without a p value"
    for task, state in (("short", State.TOO_FEW_SIZES), ("flat", State.FLAT), ("both", State.TOO_FEW_SIZES)):
        assert by_task[task].state is state and np.isnan(by_task[task].p_adjusted)
        assert not by_task[task].has_jump_place
    before = assess(CURVES, 0.05)
    assert [each.p_adjusted for each in more[:4]] == pytest.approx([each.p_adjusted for each in before])


def test_seeds_that_jump_apart_have_no_common_place() -> None:
    rng = np.random.default_rng(6)
    runs = (T[:, None] > np.array([1.5, 3.5, 5.5])) * 0.8 + 0.02 * rng.standard_normal((8, 3))
    frame = rows(JUMP, "accuracy").assign(value=runs.ravel())
    (apart,), (together,) = assess(curves_of(frame), 0.05), assess(curves_of(rows(JUMP, "accuracy")), 0.05)
    assert apart.state is State.JUMP and apart.finding is not None and apart.finding.test.by_seed
    assert not apart.has_jump_place and together.has_jump_place
