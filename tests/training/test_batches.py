"""Training batches: each member's own streams, augmentation after the batch, two views where they must be."""

from __future__ import annotations

import numpy as np
import torch
from noisy import NoisySign
from tiny import SignOfSum, job_of, make_settings, numbers

from harness.families.mlp import MLP
from harness.training.batches import training_batches
from harness.training.loop import train_job

CPU = torch.device("cpu")


def first(settings):
    return next(training_batches(job_of(settings), CPU))


def test_augmentation_is_drawn_from_each_members_own_stream():
    (plain, targets, weights), augmented = (first(make_settings(MLP(), task)) for task in (SignOfSum(), NoisySign()))
    noise = [0.1 * np.random.default_rng([seed, 4]).standard_normal((16, 4)) for seed in range(3)]
    torch.testing.assert_close(augmented[0], plain + torch.from_numpy(np.stack(noise)).float())
    assert torch.equal(augmented[1], targets) and torch.equal(augmented[2], weights)


def test_a_member_is_augmented_alike_alone():
    settings = make_settings(MLP(), NoisySign())
    together = train_job(job_of(settings))
    (alone,) = train_job(job_of(settings, only=1))
    assert numbers(alone) == numbers(together[1])
    assert numbers(alone) != numbers(train_job(job_of(make_settings(MLP(), SignOfSum()), only=1))[0])


def test_two_views_of_each_example_weigh_as_much_as_one():
    settings = make_settings(MLP(), NoisySign(noise=0.0), loss__kind="contrastive")
    inputs, targets, weights = first(settings)
    plain = first(make_settings(MLP(), SignOfSum()))
    torch.testing.assert_close(inputs, torch.cat([plain[0], plain[0]], dim=1))
    assert targets.shape == weights.shape == (3, 32, 1)
    torch.testing.assert_close(weights.sum(dim=(1, 2)), torch.ones(3))
