"""Criteria against torch's own and by hand, penalties, and training under each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import SignOfSum, job_of, make_settings, numbers

from harness.errors import SettingError
from harness.families.mlp import MLP
from harness.metrics import LOSS, MSE, R2, WITHIN_TOLERANCE
from harness.settings import LossSettings
from harness.tasks.base import Batch, Signature
from harness.training.loop import train_job
from harness.training.losses import add_penalties, criterion
from harness.training.members import Stack

GENERATOR = torch.Generator().manual_seed(0)
OUTPUTS = torch.randn(2, 3, 4, 5, generator=GENERATOR)
CLASSES = torch.randint(5, (2, 3, 4), generator=GENERATOR)
SOFT = torch.randn(2, 3, 4, 5, generator=GENERATOR).softmax(dim=-1)
ONE_HOT = F.one_hot(CLASSES, 5).float()


def loss(kind, targets, **settings):
    return criterion(LossSettings(kind=kind, **settings))(OUTPUTS, targets)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("targets", [CLASSES, SOFT], ids=["classes", "soft"])
def test_cross_entropy(targets, smoothing):
    hard = ONE_HOT if targets is CLASSES else SOFT
    smoothed = (1 - smoothing) * hard + smoothing / 5
    expected = -(smoothed * OUTPUTS.log_softmax(dim=-1)).sum(dim=-1)
    torch.testing.assert_close(loss("cross_entropy", targets, label_smoothing=smoothing), expected)


def test_squared_error_of_one_hot_classes_and_of_values():
    expected = F.mse_loss(OUTPUTS, ONE_HOT, reduction="none").mean(dim=-1)
    torch.testing.assert_close(loss("mse", CLASSES), expected)
    torch.testing.assert_close(loss("mse", ONE_HOT), expected)


def test_sigmoid_cross_entropy():
    p = OUTPUTS.sigmoid()
    expected = -(0.9 * ONE_HOT + 0.05) * p.log() - (0.95 - 0.9 * ONE_HOT) * (1 - p).log()
    torch.testing.assert_close(loss("binary", CLASSES, label_smoothing=0.1), expected.mean(dim=-1))


def test_contrastive_by_hand():
    # Two pairs, at right angles to each other, the views of a pair alike: cosines 1 with the partner, 0 with the rest.
    views = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 3.0]])[None, :, None]
    found = criterion(LossSettings(kind="contrastive", temperature=0.5))(views, torch.zeros(1, 4, 1))
    assert found.shape == (1, 4, 1)
    expected = -math.log(math.exp(2) / (math.exp(2) + 2))
    torch.testing.assert_close(found, torch.full_like(found, expected))


def test_penalties_are_the_gradient_of_their_formula():
    params = torch.tensor([[1.0, -2.0, 3.0]], requires_grad=True)
    decays = torch.tensor([True, True, False])
    (0.3 * (params * decays).abs().sum() + 0.5 / 2 * ((params * decays) ** 2).sum()).backward()
    found = add_penalties(torch.ones(1, 3), params.detach(), decays, LossSettings(l1=0.3, l2=0.5))
    torch.testing.assert_close(found, 1 + params.grad)


def test_penalties_apply_to_weights_that_decay():
    stack = Stack.of(job_of(make_settings(MLP(), SignOfSum())), torch.device("cpu"))
    sizes = {name: values[0].numel() for name, values in stack.by_name().items()}
    for name, decays in zip(sizes, stack.decays_P.split(list(sizes.values())), strict=True):
        assert decays.unique().tolist() == ["bias" not in name]


def test_smoothing_is_refused_where_it_means_nothing():
    with pytest.raises(SettingError, match=r"^loss\.label_smoothing=0\.1: allowed is 0 with loss\.kind=mse"):
        LossSettings(kind="mse", label_smoothing=0.1)


# ------------------------------------------------------------------------------------------------------------- training


def last(outcome, metric):
    return [row[4] for row in numbers(outcome) if row[:3] == ("eval", metric, "all")][-1]


@pytest.mark.parametrize("kind", ["mse", "binary"])
def test_classes_are_learnt_under_other_losses(kind):
    settings = make_settings(MLP(), SignOfSum(), loss__kind=kind, ladder__steps=100, optimizer__lr=0.01)
    outcome = train_job(job_of(settings, rung=1))[0]
    assert last(outcome, "accuracy") > 0.85
    losses = [row for row in outcome.measurements if row["metric"] == "loss"]
    # The mean of two one-hot outputs' variances, and the entropy of a coin: what a constant reaches.
    assert losses[-1]["value"] < 0.5 * {"mse": 0.25, "binary": math.log(2)}[kind]


def test_smoothing_and_penalties_change_training_and_not_the_measured_criterion():
    plain, smooth, shrunk = (
        make_settings(MLP(), SignOfSum(), ladder__steps=20, seeds=1, **{f"loss__{k}": v for k, v in own.items()})
        for own in ({}, {"label_smoothing": 0.5}, {"l2": 1.0})
    )
    outcomes = [train_job(job_of(settings))[0] for settings in (plain, smooth, shrunk)]
    assert last(outcomes[0], "loss") < min(last(outcomes[1], "loss"), last(outcomes[2], "loss"))
    assert len({job_of(settings).members[0].run_id for settings in (plain, smooth, shrunk)}) == 3


@dataclass
class Plane(SignOfSum):
    """Two values that are linear in four features."""

    metrics = (LOSS, MSE, R2, WITHIN_TOLERANCE)
    name = "plane"
    subtasks = ()

    @property
    def signature(self):
        return Signature(n_outputs=2, feature_shape=(4,), answers="values")

    def train_batch(self, rng, batch_size):
        x = rng.standard_normal((batch_size, 4)).astype(np.float32)
        y = np.stack([x.sum(axis=1), 2 * x[:, 0] - x[:, 1]], axis=1)[:, None]
        return Batch.of_answers(x, y.astype(np.float32))

    def chance(self, metric):
        return {"loss": 4.5}.get(metric)


def test_values_are_learnt_by_squared_error():
    settings = make_settings(MLP(), Plane(), loss__kind="mse", ladder__steps=300, optimizer__lr=0.02, seeds=1)
    (outcome,) = train_job(job_of(settings, rung=1))
    assert last(outcome, "mse") == pytest.approx(last(outcome, "loss"))
    assert last(outcome, "r2") > 0.95 and 0 < last(outcome, "within_tolerance") <= 1
    assert {row["chance"] for row in outcome.measurements if row["metric"] == "loss"} == {4.5}


def test_values_ask_for_a_loss_of_values():
    with pytest.raises(
        SettingError, match=r"^loss\.kind=cross_entropy: allowed is mse or binary, for .* task=plane .* loss=mse$"
    ):
        job_of(make_settings(MLP(), Plane()))


def test_yes_or_no_for_each_value():
    @dataclass
    class Signs(Plane):
        def train_batch(self, rng, batch_size):
            batch = super().train_batch(rng, batch_size)
            return Batch.of_answers(batch.inputs, (batch.targets > 0).astype(np.float32))

    settings = make_settings(MLP(), Signs(), loss__kind="binary", ladder__steps=200, optimizer__lr=0.02, seeds=1)
    assert last(train_job(job_of(settings, rung=1))[0], "r2") > 0.5
