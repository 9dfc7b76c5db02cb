from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.settings import OptimizerSettings, ScheduleSettings
from harness.training.optimizers import SGD, AdamW, clip_by_member
from harness.training.schedules import lr_multiplier


def curve(**settings):
    return np.array([lr_multiplier(ScheduleSettings(**settings), step, 100) for step in range(100)])


def test_constant():
    assert (curve(kind="constant") == 1).all()


@pytest.mark.parametrize("kind", ["constant", "cosine", "wsd"])
def test_warmup_rises_to_one(kind):
    values = curve(kind=kind, warmup=0.2)
    np.testing.assert_allclose(np.diff(values[:20]), 1 / 21)
    assert values[20] == 1


def test_cosine_falls_to_final():
    values = curve(kind="cosine", final=0.1)
    assert values[0] == 1
    assert values[50] == pytest.approx(0.55)
    assert (np.diff(values) < 0).all()
    assert values[-1] == pytest.approx(0.1, abs=1e-3)


def test_wsd_is_stable_then_linear():
    values = curve(kind="wsd", decay=0.4)
    assert (values[:61] == 1).all()
    np.testing.assert_allclose(np.diff(values[60:]), -1 / 40)


@pytest.mark.parametrize(
    ("ours", "theirs", "settings"),
    [
        (AdamW, torch.optim.AdamW, {"weight_decay": 0.1}),
        (SGD, torch.optim.SGD, {"momentum": 0.9}),
    ],
    ids=["adamw", "sgd"],
)
def test_optimizers_are_those_of_torch(ours, theirs, settings):
    generator = torch.Generator().manual_seed(0)
    start, grads = torch.randn(2, 5, generator=generator), torch.randn(20, 2, 5, generator=generator)
    reference = torch.nn.Parameter(start.clone())
    known = {"betas": (0.9, 0.999), "eps": 1e-8} if ours is AdamW else {}
    torch_optimizer = theirs([reference], lr=0.01, **known, **settings)
    params = start.clone()
    optimizer = ours(params, torch.full_like(params, 0.01), torch.ones(5), OptimizerSettings(**settings))
    for grad in grads:
        reference.grad = grad
        torch_optimizer.step()
        optimizer.step(grad, 1.0)
    torch.testing.assert_close(params, reference.detach())


def test_clipping_is_a_matter_of_each_member():
    grad = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    torch.testing.assert_close(clip_by_member(grad, 1.0), torch.tensor([[0.6, 0.8], [0.3, 0.4]]))
