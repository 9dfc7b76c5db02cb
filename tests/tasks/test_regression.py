"""Tasks of values: what is taught, that gradient descent reaches the closed form, and what a student learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.config import compose
from harness.ladder import Job, build_ladder, members
from harness.tasks.regression import LinearRegression, TeacherStudent
from harness.training.device import resolve
from harness.training.loop import train_job, training_steps
from harness.training.members import Stack


def job(*overrides: str) -> Job:
    (study,) = compose(*overrides, "loss=mse", "training.device=cpu", "training.evaluations=1")
    rung = build_ladder(study)[0]
    return Job(study, rung, 0, members(study, rung, 0))


@torch.no_grad()
def test_gradient_descent_reaches_the_closed_form() -> None:
    """Full batch, to 1e-6 in every weight and in the intercept, for three members side by side."""
    linear = job(
        *("family=linear", "ladder=one", "task=linear_regression", "optimizer=gd", "optimizer.lr=0.3"),
        *("ladder.batch_size=all", "ladder.steps=150", "seeds=3"),
    )
    stack = Stack.of(linear, resolve("cpu"))
    for _ in training_steps(linear, stack, resolve("cpu")):
        pass
    weights, intercept = linear.settings.task.solution()
    for found in stack.params_MP:
        np.testing.assert_allclose(found[:-1], weights, atol=1e-6)
        assert float(found[-1]) == pytest.approx(intercept, abs=1e-6)


def test_the_closed_form_is_near_the_teacher_and_without_noise_it_is_the_teacher() -> None:
    task = LinearRegression(n_features=3, noise=0.0)
    weights, intercept = task.solution()
    features = np.eye(4, 3)
    np.testing.assert_allclose(features @ weights + intercept, task.taught(features), atol=1e-6)


def test_smaller_training_sets_are_part_of_larger_ones() -> None:
    task = LinearRegression(n_examples=64)
    few, many = task.first_examples(16), task.first_examples(64)
    np.testing.assert_array_equal(few.inputs, many.inputs[:16])
    assert task.n_train == 64 and not np.array_equal(task.solution(16)[0], task.solution(64)[0])


def test_a_student_as_wide_as_its_teacher_explains_all_but_the_noise() -> None:
    (outcome,) = train_job(
        job(
            *("family=mlp", "task=teacher_student", "task.teacher_width=2", "task.n_features=4", "task.noise=0"),
            *("ladder.widths=[32]", "ladder.steps=400", "ladder.batch_size=128", "optimizer.lr=0.01", "seeds=1"),
        )
    )
    last = {row["metric"]: row for row in outcome.measurements if row["split"] == "eval"}
    assert last["r2"]["value"] > 0.97 and last["r2"]["chance"] == 0.0
    assert last["within_tolerance"]["paired_metric"] == "loss" and last["within_tolerance"]["discontinuous"]
    assert last["loss"]["chance"] == pytest.approx(TeacherStudent(4, 0.0, teacher_width=2).eval_batch().targets.var())
