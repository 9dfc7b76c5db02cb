"""Dropout: its rate and scale, masks of a member's own whoever trains beside it, none in evaluation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import NextSymbol, SignOfSum, job_of, make_settings, numbers

from harness.families.cnn import CNN
from harness.families.dropout import Dropout, dropout, keys
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.training.batches import training_batches
from harness.training.evaluation import Evaluator
from harness.training.gradients import gradient_of
from harness.training.loop import train_job
from harness.training.members import Stack

CPU = torch.device("cpu")
ONES = torch.ones(100_000)


def dropped(key, rate=0.3, x=ONES):
    layer = Dropout(rate).train()
    layer.key = torch.as_tensor(key)
    return layer(x)


def test_a_share_is_dropped_and_the_rest_scaled_up():
    found = dropped(7)
    assert sorted(found.unique().tolist()) == [0.0, pytest.approx(1 / 0.7)]
    # The standard deviation of the share is sqrt(0.3 x 0.7 / 100,000) = 0.0014.
    assert (found == 0).float().mean() == pytest.approx(0.3, abs=0.007)


def test_masks_of_members_steps_and_layers_are_strangers():
    masks = [dropped(key) for step in (0, 1) for key in keys([0, 1], step, 2).ravel()]
    correlations = np.corrcoef(torch.stack(masks).numpy()) - np.eye(8)
    assert np.abs(correlations).max() < 5 / np.sqrt(len(ONES))


def test_masks_are_known_numbers():
    # Whatever the device and the version: a change here changes the numbers of every run with dropout.
    assert keys([0, 1], 3, 2).tolist() == [[683421966, -1795694095], [1245600350, -1712822199]]
    assert (dropped(12345, 0.5, torch.ones(2, 8)) > 0).int().tolist() == [
        [1, 1, 0, 0, 0, 0, 1, 1],
        [1, 0, 0, 1, 1, 0, 0, 1],
    ]


def test_off_it_changes_nothing():
    assert torch.equal(Dropout(0.5)(ONES), ONES)
    assert isinstance(dropout(0.0), torch.nn.Identity)


CASES = [
    (MLP(dropout=0.4), SignOfSum()),
    (Transformer(dropout=0.4), NextSymbol()),
    (CNN(layers=["conv 4 2x2 same", "dense 6", "dense 5"], dropout=0.4), SignOfSum(image=True)),
]
IDS = ["mlp", "transformer", "cnn"]


def case(family, task, **changes):
    depth = {"ladder__depths": [3]} if family.name == "cnn" else {}
    return make_settings(family, task, seeds=2, **depth, **changes)


@pytest.mark.parametrize(("family", "task"), CASES[:2], ids=IDS[:2])
def test_a_member_is_the_same_alone_to_the_bit(family, task):
    settings = case(family, task)
    together = train_job(job_of(settings))
    (alone,) = train_job(job_of(settings, only=1))
    assert numbers(alone) == numbers(together[1]) != numbers(together[0])


@pytest.mark.parametrize(("family", "task"), CASES, ids=IDS)
def test_each_step_drops_anew_and_evaluation_nothing(family, task):
    job = job_of(settings := case(family, task))
    stack = Stack.of(job, CPU)
    stack.params_MP += 0.1 * torch.randn(stack.params_MP.shape, generator=torch.Generator().manual_seed(0))
    batch = next(training_batches(job, CPU))
    keys = [dict(zip(stack.dropouts, of_step.unbind(dim=1), strict=True)) for of_step in stack.dropout_keys([0, 1])]
    gradient = gradient_of(stack, *batch, keys[0])
    losses = [gradient(*batch, keys[at])[0] for at in (0, 0, 1)]
    assert torch.equal(losses[0], losses[1]) and not torch.isclose(losses[0], losses[2]).any()
    torch.testing.assert_close(losses[2], stack.losses(stack.by_name(), *batch, keys[1]))

    plain = Stack.of(job_of(case(replace(family, dropout=0.0), task)), CPU)
    plain.params_MP.copy_(stack.params_MP)
    for ours, theirs in zip(*(Evaluator(settings, CPU).outputs(each) for each in (stack, plain)), strict=True):
        np.testing.assert_array_equal(ours.loss, theirs.loss)


def test_no_dropout_is_no_other_run():
    runs = [job_of(make_settings(MLP(dropout=rate), SignOfSum())).members for rate in (0.0, 0.1)]
    assert runs[0] == job_of(make_settings(MLP(), SignOfSum())).members != runs[1]
