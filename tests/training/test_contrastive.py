"""Contrastive training: what is measured, that it learns, and what it asks of a task."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from noisy import NoisySign
from tiny import SignOfSum, job_of, make_settings

from harness.data.settings import DataSettings
from harness.errors import SettingError
from harness.families.mlp import MLP
from harness.tasks.images import Images
from harness.training import evaluation
from harness.training.contrastive import ContrastiveEvaluator
from harness.training.loop import train_job
from harness.training.members import Stack

CPU = torch.device("cpu")


def contrastive(**changes):
    changes = {"loss__kind": "contrastive", "loss__dimensions": 3, "seeds": 2} | changes
    return make_settings(MLP(), NoisySign(noise=0.3), **changes)


def test_one_example_has_nobody_to_be_told_from():
    with pytest.raises(SettingError, match=r"^ladder\.batch_size=1: allowed is at least 2 with loss=contrastive"):
        job_of(contrastive(ladder__batch_size=1))


def of_last(outcome):
    return {row["metric"]: row for row in outcome.measurements if row["split"] == "eval" and row["subtask"] == "all"}


def test_views_learn_to_find_each_other():
    settings = contrastive(ladder__steps=100, optimizer__lr=0.02, seeds=1)
    (outcome,) = train_job(job_of(settings, rung=1))
    last = of_last(outcome)
    assert set(last) == {"loss", "retrieval_accuracy", "probe_loss", "probe_accuracy"}
    assert last["loss"]["chance"] == pytest.approx(math.log(127)) and last["probe_accuracy"]["chance"] == 0.5
    first = next(row for row in outcome.measurements if row["metric"] == "loss")
    assert last["loss"]["value"] < 0.85 * first["value"] < 0.85 * math.log(127)
    assert last["retrieval_accuracy"]["value"] > 10 / 127
    assert last["probe_accuracy"]["value"] > 0.8 and last["probe_loss"]["value"] < 0.2


def test_images_without_labels_teach_what_their_classes_are():
    data = DataSettings("embedded:digits", prepare=["standardise"], augment=[{"crop": {"padding": 1}}])
    settings = contrastive(
        ladder__widths=[16],
        ladder__steps=80,
        ladder__batch_size=64,
        seeds=1,
        optimizer__lr=0.02,
        training__evaluations=2,
    )
    settings = replace(settings, task=Images(data=data, subtasks_by="none"), loss=replace(settings.loss, dimensions=16))
    (outcome,) = train_job(job_of(settings))
    last = of_last(outcome)
    first = {row["metric"]: row["value"] for row in reversed(outcome.measurements) if row["split"] == "eval"}
    assert last["loss"]["value"] < 0.85 * first["loss"]
    assert last["probe_accuracy"]["chance"] == 0.1
    assert last["probe_accuracy"]["value"] > first["probe_accuracy"] + 0.1
    assert last["retrieval_accuracy"]["value"] > 20 * last["retrieval_accuracy"]["chance"]


def test_the_loss_of_evaluation_is_that_of_training_on_the_first_views():
    job = job_of(contrastive())
    stack, evaluator = Stack.of(job, CPU), ContrastiveEvaluator(job.settings, CPU)
    embeddings = stack.logits(stack.by_name(), evaluator.views.expand(2, *evaluator.views.shape))
    expected = stack.criterion(embeddings, evaluator.targets)[:, :64]
    for outputs, loss in zip(evaluator.outputs(stack), expected, strict=True):
        np.testing.assert_allclose(outputs.loss, loss, rtol=1e-5)
        assert outputs.correct.mean() > 1 / 127


def test_chunks_change_no_number(monkeypatch):
    job = job_of(contrastive())
    stack = Stack.of(job, CPU)
    whole = ContrastiveEvaluator(job.settings, CPU).measure(stack)
    monkeypatch.setattr(evaluation, "MAX_LOGITS", 2 * 128 * 5)
    for rows, others in zip(whole, ContrastiveEvaluator(job.settings, CPU).measure(stack), strict=True):
        assert [row["value"] for row in rows] == pytest.approx([row["value"] for row in others], rel=1e-5)


def test_both_views_are_counted():
    plain, viewed = (job_of(make_settings(MLP(), NoisySign(), loss__kind=kind)) for kind in ("mse", "contrastive"))
    settings = viewed.settings
    signature = replace(settings.task.signature, n_outputs=settings.loss.dimensions)
    assert settings.signature == signature and plain.settings.signature == plain.settings.task.signature
    assert viewed.rung.flops_per_example == 2 * MLP().training_flops(viewed.rung.shape, signature)


def test_a_task_must_augment():
    with pytest.raises(SettingError, match=r"^loss\.kind=contrastive: .* task=sign_of_sum augments no batch"):
        job_of(make_settings(MLP(), SignOfSum(), loss__kind="contrastive"))
