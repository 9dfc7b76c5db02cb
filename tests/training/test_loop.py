"""Training: determinism, divergence, what is measured and when."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from tiny import NextSymbol, SignOfSum, job_of, make_settings, numbers

from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.metrics import ACCURACY, LOSS, Metric
from harness.training import loop
from harness.training.evaluation_steps import evaluation_flops, evaluation_steps
from harness.training.loop import train_job

CASES = [(MLP(), SignOfSum()), (CNN(), SignOfSum(image=True)), (Transformer(), NextSymbol())]
IDS = ["mlp", "cnn", "transformer"]


@pytest.mark.parametrize(("family", "task"), CASES, ids=IDS)
def test_same_seed_same_numbers_to_the_bit(family, task):
    settings = make_settings(family, task)
    first, second = (train_job(job_of(settings)) for _ in range(2))
    assert [numbers(o) for o in first] == [numbers(o) for o in second]
    assert len({str(numbers(o)) for o in first}) == len(first), "seeds must differ"


@pytest.mark.parametrize(("family", "task"), CASES, ids=IDS)
@pytest.mark.parametrize(("optimizer", "lr"), [("adamw", 0.01), ("sgd", 0.3)])
def test_training_learns(family, task, optimizer, lr):
    settings = make_settings(family, task, ladder__steps=150, optimizer__kind=optimizer, optimizer__lr=lr)
    outcomes = train_job(job_of(settings, rung=1))
    chance = math.log(task.signature.n_outputs)
    for outcome in outcomes:
        losses = [row[4] for row in numbers(outcome) if row[:3] == ("eval", "loss", "all")]
        assert losses[-1] < 0.6 * chance


def test_bfloat16_is_close_to_float32():
    # bfloat16 keeps 8 bits: products part by 2^-8 = 0.4 %; a learnt task must end in about the same place.
    finals = []
    for precision in ("float32", "bfloat16"):
        settings = make_settings(Transformer(), NextSymbol(), ladder__steps=100, training__precision=precision)
        rows = numbers(train_job(job_of(settings, rung=1))[0])
        finals.append([row[4] for row in rows if row[:3] == ("eval", "loss", "all")])
    np.testing.assert_allclose(finals[1], finals[0], rtol=0.1, atol=0.05)


# ---------------------------------------------------------------------------------------------------------- divergence


def test_a_diverged_member_is_recorded_and_the_others_go_on():
    settings = make_settings(MLP(), SignOfSum(), optimizer__kind="sgd", optimizer__lr=[0.1, 1e30], ladder__steps=60)
    outcomes = train_job(job_of(settings))
    assert [o.status for o in outcomes] == ["finished"] * 3 + ["diverged"] * 3
    assert all("optimizer.lr" in o.error for o in outcomes[3:])
    (alone,) = train_job(job_of(settings, only=0))
    assert numbers(alone) == numbers(outcomes[0])
    assert all(math.isfinite(row[4]) for o in outcomes for row in numbers(o))


@dataclass
class UndefinedFirst(SignOfSum):
    """Its first metric is undefined, whatever the model does; the loss is not."""

    metrics = (Metric("undefined", lambda o: np.full(len(o.correct), np.nan), False, True), LOSS, ACCURACY)


def test_a_first_metric_that_is_not_the_loss_says_nothing_of_divergence():
    outcomes = train_job(job_of(make_settings(MLP(), UndefinedFirst())))
    assert [o.status for o in outcomes] == ["finished"] * 3
    assert {row[1] for row in numbers(outcomes[0])} == {"undefined", "loss", "accuracy"}


@dataclass
class AccuracyFirst(SignOfSum):
    metrics = (ACCURACY, LOSS)

    def eval_batch(self):
        batch = super().eval_batch()
        batch.inputs[0] = np.nan  # so that the evaluation loss is not finite, and the training loss is
        return batch


def test_the_evaluation_loss_is_found_by_its_name():
    outcomes = train_job(job_of(make_settings(MLP(), AccuracyFirst())))
    assert [o.status for o in outcomes] == ["diverged"] * 3
    assert "at step 1:" in outcomes[0].error


@dataclass
class AccuracyAlone(SignOfSum):
    metrics = (ACCURACY,)


def test_a_task_that_does_not_measure_its_loss_is_judged_by_that_of_training():
    settings = make_settings(MLP(), AccuracyAlone(), optimizer__kind="sgd", optimizer__lr=[0.1, 1e30], seeds=1)
    assert [o.status for o in train_job(job_of(settings))] == ["finished", "diverged"]


# --------------------------------------------------------------------------------------------------- what is recorded


def test_measurements_say_where_in_training_they_were_made():
    job = job_of(make_settings(MLP(), SignOfSum()))
    (outcome, *_) = train_job(job)
    steps = sorted({row["step"] for row in outcome.measurements})
    assert steps == sorted(evaluation_steps(job))
    last = [row for row in outcome.measurements if row["step"] == job.steps]
    assert all(row["tokens"] == job.tokens and row["flops"] == job.flops for row in last)
    assert {row["run_id"] for row in outcome.measurements} == {outcome.member.run_id}


def test_training_losses_are_means_since_the_evaluation_before():
    settings = make_settings(MLP(), SignOfSum(), training__evaluations=3)
    (outcome, *_) = train_job(job_of(settings))
    trained = [row for row in outcome.measurements if row["split"] == "train"]
    assert [row["n_eval"] // settings.ladder.batch_size for row in trained] == [1, 2, 9]  # steps 1, 3 and 12
    assert all(row["metric"] == "loss" and row["stderr"] is None for row in trained)


def evaluated_at(steps, **training):
    changes = {f"training__{name}": value for name, value in training.items()}
    return evaluation_steps(job_of(make_settings(MLP(), SignOfSum(), ladder__steps=steps, **changes)))


def test_evaluation_steps_are_log_spaced_and_end_at_the_last():
    assert evaluated_at(1000, evaluations=4) == {1, 10, 100, 1000}
    assert evaluated_at(5, evaluations=20) == {1, 2, 3, 4, 5}
    assert evaluated_at(100, evaluations=1) == {100}


def test_evaluation_steps_may_be_evenly_spaced():
    assert evaluated_at(1000, evaluations=4, evaluate="even") == {250, 500, 750, 1000}
    assert evaluated_at(3, evaluations=8, evaluate="even") == {1, 2, 3}


def test_evaluations_cost_no_more_than_their_share():
    # Layers of 4 x 8 and 8 x 2 are 48 multiply-adds forward, and 144 - 32 with the backward pass, which inputs need
    # none of; batches are of 16, the evaluation set of 64.
    settings = make_settings(MLP(), SignOfSum())
    assert evaluation_flops(settings, job_of(settings).rung.shape) == 64 * 2 * 48
    assert job_of(settings).flops == 12 * 16 * 2 * 112
    costs = 64 * 48 / (16 * 112)  # of an evaluation, in steps
    for share, n in ((1.0, 8), (2.5 * costs / 1000, 2), (0.5 * costs / 1000, 1)):
        assert len(evaluated_at(1000, evaluations=8, eval_share=share)) == n
        assert 1000 in evaluated_at(1000, evaluations=8, eval_share=share)


def test_a_share_of_evaluations_is_part_of_a_run_and_its_absence_is_not():
    ids = [
        job_of(make_settings(MLP(), SignOfSum(), **of)).members[0].run_id for of in ({}, {"training__eval_share": 0.5})
    ]
    assert ids[0] == job_of(make_settings(MLP(), SignOfSum(), training__eval_share=None)).members[0].run_id != ids[1]


def test_progress_ends_at_the_last_step(monkeypatch):
    monkeypatch.setattr(loop, "PROGRESS_INTERVAL_S", -1.0)
    seen = []
    settings = make_settings(MLP(), SignOfSum())
    train_job(job_of(settings), seen.append)
    assert [progress.step for progress in seen] == list(range(1, 13))
    assert (seen[-1].steps, len(seen[-1].losses)) == (12, settings.seeds)
