"""Early stopping: the rule, what a stopped run records, and that members beside it go on."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tiny import SignOfSum, job_of, make_settings, numbers

from harness.errors import SettingError
from harness.families.mlp import MLP
from harness.metrics import ACCURACY
from harness.records.integrity import examine
from harness.settings import TrainingSettings
from harness.sweeping.worker import run_job
from harness.training.loop import train_job
from harness.training.stopping import EarlyStopping


def end_of(losses, **settings):
    """Position of the evaluation that ends training; None for none."""
    rule = EarlyStopping(TrainingSettings(evaluate="even", **settings))
    return next((i for i, loss in enumerate(losses) if rule.ends(loss)), None)


def test_patience_counts_evaluations_without_a_new_lowest_loss():
    losses = [3.0, 2.0, 2.5, 1.0, 1.5, 1.0, 0.9]
    assert end_of(losses, patience=1) == 2
    assert end_of(losses, patience=2) == 5
    assert end_of(losses, patience=2, min_delta=1.5) == 2
    assert end_of(losses, patience=3) is None
    assert end_of([1.0] * 50) is None


# A learning rate of 1e-12 changes nothing, so that no evaluation is better than the first; 0.01 learns.
STOPPING = {"training__evaluate": "even", "training__evaluations": 6, "training__patience": 2}


def stopping_settings(**changes):
    lr = {"optimizer__kind": "sgd", "optimizer__lr": [0.1, 1e-12], "seeds": 1}
    return make_settings(MLP(), SignOfSum(), **lr, **STOPPING, **changes)


def test_a_member_stops_and_the_others_go_on():
    stuck_last = train_job(job_of(settings := stopping_settings(training__min_delta=1e-6)))
    learner, stuck = stuck_last
    assert (learner.stopped, stuck.stopped, stuck.status) == (False, True, "finished")
    assert max(row["step"] for row in learner.measurements) == 12
    assert sorted({row["step"] for row in stuck.measurements}) == [2, 4, 6]
    for i, outcome in enumerate(stuck_last):
        (alone,) = train_job(job_of(settings, only=i))
        assert numbers(alone) == numbers(outcome)


def test_a_stopped_run_says_what_it_trained(tmp_path):
    settings = stopping_settings(training__min_delta=1e-6, results=str(tmp_path))
    run_job(job_of(settings, only=1), None)
    found = examine(tmp_path)
    (run,) = found.runs
    assert found.problems == []
    assert (run["status"], run["steps"], run["tokens"]) == ("finished", 12, 6 * settings.ladder.batch_size)


def test_what_does_not_stop_is_no_other_run():
    plain = make_settings(MLP(), SignOfSum())
    geometric = make_settings(MLP(), SignOfSum(), training__evaluate="geometric")
    assert job_of(geometric).members == job_of(plain).members
    for changes in ({"training__evaluate": "even", "training__patience": 3}, {"training__evaluate": "even"}):
        assert job_of(make_settings(MLP(), SignOfSum(), **changes)).members != job_of(plain).members


@dataclass
class AccuracyAlone(SignOfSum):
    metrics = (ACCURACY,)


def test_patience_needs_a_loss():
    with pytest.raises(SettingError, match=r"^training\.patience=2: allowed is null, for task=sign_of_sum does not"):
        job_of(make_settings(MLP(), AccuracyAlone(), training__evaluate="even", training__patience=2))


def test_patience_needs_even_evaluations():
    with pytest.raises(SettingError, match=r"^training\.evaluate=geometric: allowed is even"):
        TrainingSettings(patience=2)
