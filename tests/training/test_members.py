"""Members side by side: the same numbers as alone, families that vmap cannot run, what an optimizer is given."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from recurrent import Recurrent
from tiny import NextSymbol, SignOfSum, job_of, make_settings, numbers
from torch import nn

from harness.families.base import ParameterCount
from harness.families.cnn import CNN
from harness.families.mlp import MLP, MLPModel
from harness.families.transformer import Transformer
from harness.training.batches import training_batches
from harness.training.gradients import gradient_of
from harness.training.loop import train_job
from harness.training.members import Stack

CPU = torch.device("cpu")


@pytest.mark.parametrize(("family", "task"), [(MLP(), SignOfSum()), (Transformer(), NextSymbol())], ids=["mlp", "tf"])
def test_a_member_is_the_same_alone_to_the_bit(family, task):
    settings = make_settings(family, task, ladder__steps=40, optimizer__lr=[0.01, 0.003], optimizer__grad_clip=0.5)
    together = train_job(job_of(settings, rung=1))
    for i in range(len(together)):
        (alone,) = train_job(job_of(settings, rung=1, only=i))
        assert numbers(alone) == numbers(together[i])


@pytest.mark.parametrize("layers", [None, ["conv 8 3x3 same", "max_pool 1x2", "dense 4"]])
def test_a_cnn_member_is_the_same_alone_within_rounding(layers):
    # Convolutions of members side by side are one grouped convolution, which sums in another order: the losses part
    # by rounding (about 1e-7 a step), which 12 steps of training let grow to at most 1e-4.
    settings = make_settings(CNN(layers=layers), SignOfSum(image=True))
    assert Stack.of(job_of(settings), CPU).unbatched is None
    together = train_job(job_of(settings))
    for i in range(len(together)):
        (alone,) = train_job(job_of(settings, only=i))
        a, b = ([row[4] for row in numbers(o) if row[1] == "loss"] for o in (alone, together[i]))
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
def test_cuda_members_together_are_the_same_as_alone():
    settings = make_settings(Transformer(), NextSymbol(), training__device="cuda", ladder__steps=40)
    together = train_job(job_of(settings))
    for i in range(len(together)):
        (alone,) = train_job(job_of(settings, only=i))
        a, b = ([row[4] for row in numbers(o) if row[1] == "loss"] for o in (alone, together[i]))
        np.testing.assert_allclose(a, b, rtol=5e-3, atol=1e-3)


# ------------------------------------------------------------------------------------------- families without batching


def test_a_family_that_vmap_cannot_run_trains_and_learns():
    settings = make_settings(Recurrent(), NextSymbol(), ladder__steps=150)
    job = job_of(settings, rung=1)
    assert "aten::gru" in Stack.of(job, CPU).unbatched
    for outcome in train_job(job):
        losses = [row[4] for row in numbers(outcome) if row[:3] == ("eval", "loss", "all")]
        assert losses[-1] < 0.6 * math.log(settings.task.signature.n_outputs)


def test_a_member_of_such_a_family_is_the_same_alone_to_the_bit():
    settings = make_settings(Recurrent(), NextSymbol(), optimizer__lr=[0.01, 0.003])
    together = train_job(job_of(settings))
    for i in range(len(together)):
        (alone,) = train_job(job_of(settings, only=i))
        assert numbers(alone) == numbers(together[i])


def test_its_gradient_is_that_of_plain_autograd():
    settings = make_settings(Recurrent(), NextSymbol(), seeds=2)
    settings.optimizer.lr = 0.01
    job = job_of(settings)
    stack = Stack.of(job, CPU)
    stack.params_MP += 0.1  # so that the readout, zero at first, passes gradients on
    batch = next(training_batches(job, CPU))
    losses_M, grad_MP = gradient_of(stack, *batch, {})(*batch, {})
    for m in range(2):
        model = settings.family.build(job.rung.shape, settings.task.signature, settings.parametrization)
        nn.utils.vector_to_parameters(stack.params_MP[m], model.parameters())
        log_probs = model(batch[0][m]).log_softmax(dim=-1)
        loss = -(log_probs.gather(-1, batch[1][m].unsqueeze(-1)).squeeze(-1) * batch[2][m]).sum()
        loss.backward()
        assert losses_M[m].item() == pytest.approx(loss.item())
        expected = torch.cat([p.grad.flatten() for p in model.parameters()])
        assert (expected != 0).float().mean() > 0.5
        torch.testing.assert_close(grad_MP[m], expected)


class Shifted(MLPModel):
    """An MLP whose inputs are shifted by a table that is not trained, and whose path depends on the data."""

    def __init__(self, *args):
        super().__init__(*args)
        self.register_buffer("shift", torch.full((4,), 0.5))

    def forward(self, x):
        if x.mean() > 1e6:
            raise AssertionError
        return super().forward(x + self.shift)


@dataclass
class ShiftedMLP(MLP):
    @property
    def name(self):
        return "shifted"

    def build(self, shape, signature, parametrization):
        return Shifted([4, *[shape.width] * shape.depth], signature.n_outputs, self.zero_head)


def test_tables_of_a_model_come_along_and_data_may_choose_its_path():
    settings = make_settings(ShiftedMLP(), SignOfSum(), ladder__steps=100)
    stack = Stack.of(job_of(settings), CPU)
    assert "data-dependent" in stack.unbatched
    assert set(stack.buffers) == {"shift"}
    (outcome, *_) = train_job(job_of(settings, rung=1))
    losses = [row[4] for row in numbers(outcome) if row[:3] == ("eval", "loss", "all")]
    assert losses[-1] < 0.4


def test_the_error_of_a_model_that_cannot_run_is_its_own():
    @dataclass
    class Broken(Recurrent):
        def build(self, shape, signature, parametrization):
            model = super().build(shape, signature, parametrization)
            model.head = nn.Linear(shape.width + 1, signature.n_outputs, bias=False)
            return model

        def count(self, shape, signature):
            return ParameterCount(**(vars(super().count(shape, signature)) | {"head": (shape.width + 1) * 7}))

    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        Stack.of(job_of(make_settings(Broken(), NextSymbol())), CPU)


# ------------------------------------------------------------------------------------------------ the optimizer's rates


def test_rates_are_those_of_each_parameter_times_the_member():
    settings = make_settings(
        MLP(), SignOfSum(), optimizer__lr=[0.1, 0.2], seeds=1, parametrization__kind="mup", ladder__depths=[2]
    )
    stack = Stack.of(job_of(settings, rung=0), CPU)
    assert stack.rates.decay_MP is None
    assert stack.rates.eps_P.tolist() == [pytest.approx(1e-8)]
    by_name, start = {}, 0
    for name, parameter in stack.skeleton.named_parameters():
        by_name[name] = stack.rates.lr_MP[:, start : start + parameter.numel()]
        start += parameter.numel()
    base, width = settings.parametrization.base_width, 8
    for name, factor in {"layers.0.weight": 1.0, "layers.1.weight": base / width, "head.weight": base / width}.items():
        for lr, values in zip((0.1, 0.2), by_name[name], strict=True):
            torch.testing.assert_close(values, torch.full_like(values, lr * factor))


def test_epsilon_is_of_each_parameter_under_a_depth_rule():
    settings = make_settings(Transformer(), NextSymbol(), parametrization__depth="complete", ladder__depths=[4])
    stack = Stack.of(job_of(settings), CPU)
    names_and_sizes = [(name, value[0].numel()) for name, value in stack.by_name().items()]
    parts = stack.rates.eps_P.split([size for _, size in names_and_sizes])
    for (name, _), eps in zip(names_and_sizes, parts, strict=True):
        expected = 1e-8 / 4 if name.startswith("blocks.") else 1e-8
        torch.testing.assert_close(eps, torch.full_like(eps, expected), rtol=1e-6, atol=0)
