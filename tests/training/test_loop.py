"""Training: members alone and together, determinism, divergence, what is measured and when."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tiny import NextSymbol, SignOfSum, make_settings

from harness.errors import SettingError
from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.ladder import Job, build_ladder, members
from harness.training.loop import evaluation_steps, train_job

CASES = [(MLP(), SignOfSum()), (CNN(), SignOfSum(image=True)), (Transformer(), NextSymbol())]
IDS = ["mlp", "cnn", "transformer"]


def job_of(settings, rung=0, only=None):
    rungs = build_ladder(settings)
    chosen = members(settings, rungs[rung], 0)
    return Job(settings, rungs[rung], 0, chosen if only is None else (chosen[only],))


def numbers(outcome):
    keys = ("split", "metric", "subtask", "step", "value", "stderr")
    return [tuple(row[key] for key in keys) for row in outcome.measurements]


@pytest.mark.parametrize(("family", "task"), CASES, ids=IDS)
def test_same_seed_same_numbers_to_the_bit(family, task):
    settings = make_settings(family, task)
    first, second = (train_job(job_of(settings)) for _ in range(2))
    assert [numbers(o) for o in first] == [numbers(o) for o in second]
    assert len({str(numbers(o)) for o in first}) == len(first), "seeds must differ"


@pytest.mark.parametrize(("family", "task"), [CASES[0], CASES[2]], ids=["mlp", "transformer"])
def test_a_member_is_the_same_alone_to_the_bit(family, task):
    settings = make_settings(family, task, ladder__steps=40, optimizer__lr=[0.01, 0.003], optimizer__grad_clip=0.5)
    together = train_job(job_of(settings, rung=1))
    for i in range(len(together)):
        (alone,) = train_job(job_of(settings, rung=1, only=i))
        assert numbers(alone) == numbers(together[i])


def test_a_cnn_member_is_the_same_alone_within_rounding():
    # Convolutions of members side by side are one grouped convolution, which sums in another order: the losses part
    # by rounding (about 1e-7 a step), which 12 steps of training let grow to at most 1e-4.
    settings = make_settings(CNN(), SignOfSum(image=True))
    together = train_job(job_of(settings))
    for i in range(len(together)):
        (alone,) = train_job(job_of(settings, only=i))
        a, b = ([row[4] for row in numbers(o) if row[1] == "loss"] for o in (alone, together[i]))
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("family", "task"), CASES, ids=IDS)
@pytest.mark.parametrize(("optimizer", "lr"), [("adamw", 0.01), ("sgd", 0.3)])
def test_training_learns(family, task, optimizer, lr):
    settings = make_settings(family, task, ladder__steps=150, optimizer__kind=optimizer, optimizer__lr=lr)
    outcomes = train_job(job_of(settings, rung=1))
    chance = math.log(task.signature.n_outputs)
    for outcome in outcomes:
        losses = [row[4] for row in numbers(outcome) if row[:3] == ("eval", "loss", "all")]
        assert losses[-1] < 0.6 * chance


def test_a_diverged_member_is_recorded_and_the_others_go_on():
    settings = make_settings(MLP(), SignOfSum(), optimizer__kind="sgd", optimizer__lr=[0.1, 1e30], ladder__steps=60)
    outcomes = train_job(job_of(settings))
    assert [o.status for o in outcomes] == ["finished"] * 3 + ["diverged"] * 3
    assert all("optimizer.lr" in o.error for o in outcomes[3:])
    (alone,) = train_job(job_of(settings, only=0))
    assert numbers(alone) == numbers(outcomes[0])
    assert all(math.isfinite(row[4]) for o in outcomes for row in numbers(o))


def test_measurements_carry_what_the_table_needs():
    settings = make_settings(MLP(), SignOfSum())
    job = job_of(settings)
    (outcome, *_) = train_job(job)
    last = [row for row in outcome.measurements if row["step"] == job.steps and row["split"] == "eval"]
    assert {(row["metric"], row["subtask"]) for row in last} == {
        (metric, subtask) for metric in ("loss", "accuracy") for subtask in ("all", "first below", "first above")
    }
    assert all(row["tokens"] == job.tokens and row["flops"] == job.flops for row in last)
    by_name = {(row["metric"], row["subtask"]): row for row in last}
    parts = [by_name["loss", name] for name in SignOfSum.subtasks]
    whole = by_name["loss", "all"]
    assert whole["n_eval"] == sum(part["n_eval"] for part in parts) == settings.task.n_eval
    assert whole["value"] == pytest.approx(sum(p["value"] * p["n_eval"] for p in parts) / whole["n_eval"])
    assert by_name["accuracy", "all"]["paired_metric"] == "loss"


def test_evaluation_steps_are_log_spaced_and_end_at_the_last():
    assert evaluation_steps(1000, 4) == {1, 10, 100, 1000}
    assert evaluation_steps(5, 20) == {1, 2, 3, 4, 5}
    assert evaluation_steps(100, 1) == {100}


def test_progress_ends_at_the_last_step():
    seen = []
    settings = make_settings(MLP(), SignOfSum())
    train_job(job_of(settings), seen.append)
    assert (seen[-1].step, seen[-1].steps, len(seen[-1].losses)) == (12, 12, settings.seeds)


def test_a_device_that_is_not_there():
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(SettingError, match=r"training\.device=cuda"):
        train_job(job_of(make_settings(MLP(), SignOfSum(), training__device="cuda")))


def test_bfloat16_is_close_to_float32():
    # bfloat16 keeps 8 bits: products part by 2^-8 = 0.4 %; a learnt task must end in about the same place.
    finals = []
    for precision in ("float32", "bfloat16"):
        settings = make_settings(Transformer(), NextSymbol(), ladder__steps=100, training__precision=precision)
        rows = numbers(train_job(job_of(settings, rung=1))[0])
        finals.append([row[4] for row in rows if row[:3] == ("eval", "loss", "all")])
    np.testing.assert_allclose(finals[1], finals[0], rtol=0.1, atol=0.05)


@pytest.mark.gpu
@pytest.mark.parametrize(("family", "task"), CASES, ids=IDS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_cuda_gives_the_losses_of_cpu(family, task, precision):
    # The random streams are the CPU's on both, so only rounding differs: 1e-3 relative in float32 (TF32 is off by
    # default), 10 % in bfloat16, over 12 steps.
    losses = {}
    for device in ("cpu", "cuda"):
        settings = make_settings(family, task, training__device=device, training__precision=precision)
        outcomes = train_job(job_of(settings, rung=1))
        losses[device] = [[row[4] for row in numbers(o) if row[:2] == ("eval", "loss")] for o in outcomes]
    tolerance = {"float32": 2e-3, "bfloat16": 0.1}[precision]
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], rtol=tolerance, atol=tolerance / 4)


@pytest.mark.gpu
def test_cuda_members_together_are_the_same_as_alone():
    settings = make_settings(Transformer(), NextSymbol(), training__device="cuda", ladder__steps=40)
    together = train_job(job_of(settings))
    for i in range(len(together)):
        (alone,) = train_job(job_of(settings, only=i))
        a, b = ([row[4] for row in numbers(o) if row[1] == "loss"] for o in (alone, together[i]))
        np.testing.assert_allclose(a, b, rtol=5e-3, atol=1e-3)
