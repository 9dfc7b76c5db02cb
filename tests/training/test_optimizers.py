"""Optimizers: torch's own, entry by entry; weight decay at every width; clipping by member."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import NextSymbol, SignOfSum, job_of, make_settings, numbers

from harness.errors import SettingError
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.settings import OptimizerSettings
from harness.training.adamw import AdamW
from harness.training.loop import train_job
from harness.training.members import Stack
from harness.training.optimizers import OPTIMIZERS, clip_by_member, take_step
from harness.training.rates import Rates

CPU = torch.device("cpu")


def optimizer_of(params, settings, matrices=()):
    lr_MP = torch.full_like(params, settings.learning_rates[0])
    decay_MP = lr_MP * settings.weight_decay if settings.weight_decay else None
    rates = Rates(lr_MP, decay_MP, torch.tensor([settings.eps]), matrices)
    return OPTIMIZERS[settings.kind](params, rates, settings)


@pytest.mark.parametrize(
    ("kind", "theirs", "settings"),
    [
        ("gd", torch.optim.SGD, {}),
        ("sgd", torch.optim.SGD, {"momentum": 0.9}),
        ("sgd", torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        ("adam", torch.optim.Adam, {"eps": 1e-3}),
        ("adamw", torch.optim.AdamW, {"weight_decay": 0.1, "eps": 1e-3}),
    ],
    ids=["gd", "sgd", "nesterov", "adam", "adamw"],
)
def test_optimizers_are_those_of_torch(kind, theirs, settings):
    generator = torch.Generator().manual_seed(0)
    start, grads = torch.randn(2, 5, generator=generator), torch.randn(20, 2, 5, generator=generator)
    reference = torch.nn.Parameter(start.clone())
    torch_optimizer = theirs([reference], lr=0.01, **settings)
    params = start.clone()
    optimizer = optimizer_of(params, OptimizerSettings(kind, lr=0.01, **settings))
    for step, grad in enumerate(grads):
        reference.grad = grad
        torch_optimizer.step()
        take_step(optimizer, grad, step)
    torch.testing.assert_close(params, reference.detach())


#: (1, r, c) matrices of two members after one another: wide, tall, and wide again.
SHAPES = [(3, 5), (5, 3), (3, 5)]


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch.optim.Muon came with torch 2.9")
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_is_that_of_torch(monkeypatch, nesterov):
    # torch orthogonalises in bfloat16, whose eight bits would hide a mistake; here it keeps float32, as ours does.
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self.clone())
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(2, r, c, generator=generator) for r, c in SHAPES]
    params = torch.cat([each.flatten(1) for each in start], dim=1)
    matrices = ((0, 3, 5), (15, 5, 3), (30, 3, 5))
    asked = OptimizerSettings("muon", lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.2)
    optimizer = optimizer_of(params, asked, matrices)
    references = [torch.nn.Parameter(matrix.clone()) for each in start for matrix in each]
    theirs = torch.optim.Muon(references, lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.2)
    for step in range(5):
        grads = [torch.randn(2, r, c, generator=generator) for r, c in SHAPES]
        take_step(optimizer, torch.cat([each.flatten(1) for each in grads], dim=1), step)
        for reference, grad in zip(references, [matrix for each in grads for matrix in each], strict=True):
            reference.grad = grad
        theirs.step()
    parts = [part.view(2, r, c) for part, (r, c) in zip(params.split(15, dim=1), SHAPES, strict=True)]
    expected = [torch.stack([references[2 * i].detach(), references[2 * i + 1].detach()]) for i in range(3)]
    for part, reference in zip(parts, expected, strict=True):
        torch.testing.assert_close(part, reference, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (OptimizerSettings("gd", lr=0.1), [0.9, 0.7, 0.8]),
        # v = 1, 2.5, 0.25
        (OptimizerSettings("sgd", lr=0.1, momentum=0.5), [0.9, 0.65, 0.625]),
        # g + v / 2 = 1.5, 3.25, -0.875
        (OptimizerSettings("sgd", lr=0.1, momentum=0.5, nesterov=True), [0.85, 0.525, 0.6125]),
        # Steps of 0.1 (m / (1 - 0.9^t)) / sqrt(v / (1 - 0.999^t)), with m = 0.1, 0.29, 0.161 and v = 0.001, 0.004999,
        # 0.005994001.
        (OptimizerSettings("adam", lr=0.1), [0.9, 0.8034818, 0.7614729]),
        # The same steps, after w <- 0.95 w.
        (OptimizerSettings("adamw", lr=0.1, weight_decay=0.5), [0.85, 0.7109818, 0.6334238]),
    ],
    ids=["gd", "sgd", "nesterov", "adam", "adamw"],
)
def test_three_steps_by_hand(settings, expected):
    params = torch.tensor([[1.0]])
    optimizer, found = optimizer_of(params, settings), []
    for step, grad in enumerate((1.0, 2.0, -1.0)):
        take_step(optimizer, torch.tensor([[grad]]), step)
        found.append(params.item())
    assert found == pytest.approx(expected, rel=1e-6)


def test_three_steps_of_muon_by_hand():
    # A column of two has one singular value, 1 once normalised, which the quintic takes to 0.701, 1.113620, 0.720706,
    # 1.089974, 0.696436; the scale is sqrt(2 / 1). v = (1.5, 2), (0.75, -1), (-0.75, 1), the third entry AdamW's.
    params = torch.tensor([[0.0, 0.0, 1.0]])
    optimizer = optimizer_of(params, OptimizerSettings("muon", lr=0.1, momentum=0.5), ((0, 2, 1),))
    scale, found = 0.1 * 2**0.5 * 0.696436, []
    for step, grad in enumerate(([3.0, 4.0, 1.0], [0.0, -4.0, 2.0], [-2.25, 3.0, -1.0])):
        take_step(optimizer, torch.tensor([grad]), step)
        found.append(params[0].tolist())
    expected = [[-0.6, -0.8, 0.9], [-1.2, 0.0, 0.8034818], [-0.6, -0.8, 0.7614729]]
    for one, (a, b, c) in zip(found, expected, strict=True):
        assert one == pytest.approx([a * scale, b * scale, c], rel=1e-5, abs=1e-7)


def test_muon_trains_hidden_matrices_and_adamw_the_rest():
    settings = make_settings(MLP(), SignOfSum(), ladder__depths=[2], optimizer__kind="muon", seeds=2)
    settings.optimizer.lr, settings.optimizer.adamw_lr = [0.02], 0.003
    stack = Stack.of(job_of(settings), CPU)
    # 4 inputs and width 8: the second layer's 8 x 8 lie after the first layer's 8 x 4 and 8 biases.
    assert stack.rates.matrices == ((40, 8, 8),)
    lr = dict.fromkeys(stack.by_name(), 0.003) | {"layers.1.weight": 0.02}
    sizes = [values[0].numel() for values in stack.by_name().values()]
    for expected, found in zip(lr.values(), stack.rates.lr_MP.split(sizes, dim=1), strict=True):
        torch.testing.assert_close(found, torch.full_like(found, expected))


def test_a_member_trained_by_muon_is_the_same_alone_to_the_bit():
    settings = make_settings(MLP(), SignOfSum(), ladder__depths=[2], optimizer__kind="muon", optimizer__lr=[0.02, 0.05])
    together = train_job(job_of(settings, rung=1))
    for i in (0, 5):
        (alone,) = train_job(job_of(settings, rung=1, only=i))
        assert numbers(alone) == numbers(together[i])
    assert [row[4] for row in numbers(together[0]) if row[1] == "loss"][-1] < math.log(2)


def test_adam_has_no_weight_decay():
    with pytest.raises(SettingError, match=r"^optimizer\.weight_decay=0\.1: allowed is 0 with optimizer\.kind=adam"):
        OptimizerSettings("adam", weight_decay=0.1)


def test_epsilon_is_that_of_each_entry():
    params, grad = torch.zeros(1, 3), torch.full((1, 3), 1e-3)
    rates = Rates(torch.ones(1, 3), None, torch.tensor([0.0, 1e-3, 1.0]))
    take_step(AdamW(params, rates, OptimizerSettings()), grad, 0)
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
    made = OPTIMIZERS[optimizer](stack.params_MP, stack.rates, settings.optimizer)
    take_step(made, torch.zeros_like(stack.params_MP), 0, 0.5)
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
    clipped = clip_by_member(grad, 1.0, grad.norm(dim=1, keepdim=True))
    torch.testing.assert_close(clipped, torch.tensor([[0.6, 0.8], [0.3, 0.4]]))
