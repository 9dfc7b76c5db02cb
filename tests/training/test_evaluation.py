"""Scores on the evaluation set: by subtask and of the whole, in chunks of any size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tiny import NextSymbol, SignOfSum, job_of, make_settings, numbers

from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.metrics import ACCURACY, LOSS, Outputs
from harness.tasks.sequences.rearrangement import Copy
from harness.training import evaluation
from harness.training.evaluation import Evaluator, score
from harness.training.loop import evaluators_of, train_job
from harness.training.members import Stack

CPU = torch.device("cpu")


def measured(task, family=None):
    settings = make_settings(family or MLP(), task)
    return Evaluator(settings, CPU).measure(Stack.of(job_of(settings), CPU))


def test_a_row_for_each_metric_and_subtask():
    of_members = measured(SignOfSum())
    assert len(of_members) == 3
    by_name = {(row["metric"], row["subtask"]): row for row in of_members[0]}
    names = ("all", "first below", "first above")
    assert set(by_name) == {(metric, subtask) for metric in ("loss", "accuracy") for subtask in names}
    assert by_name["accuracy", "all"]["paired_metric"] == "loss"
    assert all(row["split"] == "eval" for row in of_members[0])


def test_the_whole_is_the_mean_over_its_subtasks():
    by_name = {(row["metric"], row["subtask"]): row for row in measured(SignOfSum(n_eval=50))[0]}
    parts = [by_name["loss", name] for name in SignOfSum.subtasks]
    whole = by_name["loss", "all"]
    assert whole["n_eval"] == sum(part["n_eval"] for part in parts) == 50
    assert whole["value"] == pytest.approx(sum(p["value"] * p["n_eval"] for p in parts) / 50)


@dataclass
class Weighted(SignOfSum):
    def subtask_weight(self):
        return np.array([0.9, 0.1])


def test_weights_of_subtasks_are_those_of_the_task():
    by_name = {(row["metric"], row["subtask"]): row for row in measured(Weighted())[0]}
    below, above, whole = (by_name["loss", name] for name in ("first below", "first above", "all"))
    assert whole["value"] == pytest.approx(0.9 * below["value"] + 0.1 * above["value"])
    assert whole["stderr"] == pytest.approx(np.hypot(0.9 * below["stderr"], 0.1 * above["stderr"]))


def test_standard_errors_are_those_of_a_mean():
    task, rng = SignOfSum(n_eval=64), np.random.default_rng(0)
    batch = task.eval_batch()
    losses = rng.exponential(size=(64, 1))
    outputs = Outputs(-losses, rng.random((64, 1)) < 0.5, batch.scored, losses)
    rows = {row["subtask"]: row for row in score(task, batch, LOSS, outputs)}
    losses = losses[batch.subtask == 1, 0]
    assert rows["first above"]["stderr"] == pytest.approx(losses.std(ddof=1) / np.sqrt(len(losses)))
    (alone,) = score(NextSymbol(), NextSymbol().eval_batch(), ACCURACY, Outputs(*[np.ones((32, 8), dtype=bool)] * 4))
    assert (alone["subtask"], alone["value"], alone["stderr"]) == ("all", 1.0, 0.0)


@pytest.mark.parametrize(
    ("bound", "of_an_example"), [("MAX_LOGITS", lambda stack: 8 * 7), ("MAX_FLOPS", lambda stack: stack.forward_flops)]
)
def test_chunks_change_no_number(monkeypatch, bound, of_an_example):
    settings = make_settings(Transformer(zero_head=False), NextSymbol())
    stack = Stack.of(job_of(settings), CPU)
    whole = Evaluator(settings, CPU).measure(stack)
    monkeypatch.setattr(evaluation, bound, 5 * len(stack.params_MP) * of_an_example(stack))
    assert evaluation.examples_at_once(stack, 8 * 7, 32) == 5  # of 32
    for rows, others in zip(whole, Evaluator(settings, CPU).measure(stack), strict=True):
        assert [row["value"] for row in rows] == pytest.approx([row["value"] for row in others], rel=1e-6)


def test_answers_are_those_of_the_model():
    settings = make_settings(Transformer(zero_head=False), NextSymbol())
    job = job_of(settings)
    stack, evaluator = Stack.of(job, CPU), Evaluator(settings, CPU)
    outputs = evaluator.outputs(stack)[1]
    model = settings.family.build(job.rung.shape, settings.task.signature, settings.parametrization)
    torch.nn.utils.vector_to_parameters(stack.params_MP[1], model.parameters())
    logits = model(evaluator.inputs).detach()
    expected = logits.log_softmax(dim=-1).gather(-1, evaluator.targets.unsqueeze(-1)).squeeze(-1)
    np.testing.assert_allclose(outputs.log_prob, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(outputs.loss, -outputs.log_prob)
    np.testing.assert_array_equal(outputs.correct, logits.argmax(dim=-1) == evaluator.targets)


def test_shifts_add_rows_and_change_no_other_number():
    plain = make_settings(MLP(), SignOfSum())
    shifted = make_settings(MLP(), SignOfSum(), shifts={"noisy": {"noise": 0.3}, "same": {"noise": 0.0}})
    job, other = job_of(plain), job_of(shifted)
    assert not {m.run_id for m in job.members} & {m.run_id for m in other.members}
    for before, after in zip(train_job(job), train_job(other), strict=True):
        assert [row for row in numbers(after) if row[0] in ("eval", "train")] == numbers(before)
        own, same, noisy = (
            {row[1:4]: row[4:] for row in numbers(after) if row[0] == split} for split in ("eval", "same", "noisy")
        )
        assert own == same and own.keys() == noisy.keys() and own != noisy


def test_a_longer_set_has_the_chance_of_its_own_answers():
    settings = make_settings(Transformer(), Copy(length=3, n_symbols=6, n_eval=64), shifts={"longer": {"length": 2}})
    own, longer = (
        {row["metric"]: row for row in evaluator.measure(Stack.of(job_of(settings), CPU))[0]}
        for evaluator in evaluators_of(settings, CPU)
    )
    chances = [rows["exact_match"]["chance"] for rows in (own, longer)]
    assert chances == pytest.approx([6**-3, 6**-6])
    assert own["exact_match"]["split"] == "eval" and longer["exact_match"]["split"] == "longer"


def test_a_run_without_shifts_keeps_its_identity():
    plain, none = (make_settings(MLP(), SignOfSum(), shifts=shifts) for shifts in (None, {}))
    assert job_of(plain).members == job_of(none).members == job_of(make_settings(MLP(), SignOfSum())).members
