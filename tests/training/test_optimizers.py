"""Optimizers: torch's own, entry by entry; weight decay at every width; clipping by member."""

from __future__ import annotations

import pytest
import torch
from tiny import NextSymbol, SignOfSum, job_of, make_settings

from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.settings import OptimizerSettings
from harness.training.members import Stack
from harness.training.optimizers import OPTIMIZERS, SGD, AdamW, Rates, clip_by_member

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("ours", "theirs", "settings"),
    [
        (AdamW, torch.optim.AdamW, {"weight_decay": 0.1, "eps": 1e-3}),
        (SGD, torch.optim.SGD, {"momentum": 0.9}),
    ],
    ids=["adamw", "sgd"],
)
def test_optimizers_are_those_of_torch(ours, theirs, settings):
    generator = torch.Generator().manual_seed(0)
    start, grads = torch.randn(2, 5, generator=generator), torch.randn(20, 2, 5, generator=generator)
    reference = torch.nn.Parameter(start.clone())
    torch_optimizer = theirs([reference], lr=0.01, **settings)
    params, asked = start.clone(), OptimizerSettings(**settings)
    lr_MP = torch.full_like(params, 0.01)
    decay_MP = lr_MP * asked.weight_decay if asked.weight_decay else None
    optimizer = ours(params, Rates(lr_MP, decay_MP, torch.tensor([asked.eps])), asked)
    for grad in grads:
        reference.grad = grad
        torch_optimizer.step()
        optimizer.step(grad, 1.0)
    torch.testing.assert_close(params, reference.detach())


def test_epsilon_is_that_of_each_entry():
    params, grad = torch.zeros(1, 3), torch.full((1, 3), 1e-3)
    rates = Rates(torch.ones(1, 3), None, torch.tensor([0.0, 1e-3, 1.0]))
    AdamW(params, rates, OptimizerSettings()).step(grad, 1.0)
    # The first step is g / (|g| + eps).
    torch.testing.assert_close(params, torch.tensor([[-1.0, -0.5, -1e-3 / (1e-3 + 1.0)]]))


def shrinkage(family, task, width, optimizer, decay, depth="none"):
    """Share by which one step without a gradient, at half the learning rate, shrinks each parameter, by name."""
    settings = make_settings(
        family,
        task,
        ladder__widths=[width],
        ladder__depths=[4],
        optimizer__kind=optimizer,
        optimizer__lr=0.2,
        optimizer__weight_decay=0.3,
        parametrization__kind="mup",
        parametrization__decay=decay,
        parametrization__depth=depth,
        seeds=1,
    )
    stack = Stack.of(job_of(settings), CPU)
    stack.params_MP.fill_(1.0)
    OPTIMIZERS[optimizer](stack.params_MP, stack.rates, settings.optimizer).step(torch.zeros_like(stack.params_MP), 0.5)
    return {name: 1 - float(values.mean()) for name, values in stack.by_name().items()}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("width", [16, 64, 256])
def test_independent_decay_shrinks_weights_alike_at_every_width(optimizer, width):
    shrunk = shrinkage(MLP(), SignOfSum(), width, optimizer, "independent")
    for name in ("layers.0.weight", "layers.1.weight", "layers.2.weight", "head.weight"):
        assert shrunk[name] == pytest.approx(0.5 * 0.2 * 0.3, rel=1e-4)
    assert shrunk["layers.0.bias"] == shrunk["head.bias"] == 0


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [("adamw", {"input": 1, "hidden": 1 / 4, "output": 1 / 4}), ("sgd", {"input": 4, "hidden": 1, "output": 1 / 4})],
)
def test_coupled_decay_has_the_factors_of_the_learning_rate(optimizer, expected):
    shrunk = shrinkage(MLP(), SignOfSum(), 64, optimizer, "coupled")
    for name, kind in {"layers.0.weight": "input", "layers.1.weight": "hidden", "head.weight": "output"}.items():
        assert shrunk[name] == pytest.approx(0.5 * 0.2 * 0.3 * expected[kind], rel=1e-4)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("rule", ["sqrt", "complete"])
def test_independent_decay_knows_no_depth_either(optimizer, rule):
    shrunk = shrinkage(Transformer(), NextSymbol(), 64, optimizer, "independent", rule)
    assert shrunk["blocks.3.mlp.inner.up.weight"] == pytest.approx(0.5 * 0.2 * 0.3, rel=1e-4)


def test_clipping_is_a_matter_of_each_member():
    grad = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    torch.testing.assert_close(clip_by_member(grad, 1.0), torch.tensor([[0.6, 0.8], [0.3, 0.4]]))
