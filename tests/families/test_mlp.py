"""The MLP: what it computes, and the counts of one size by hand."""

from __future__ import annotations

import torch
from tiny import SignOfSum

from harness.families.base import ParameterCount, Shape
from harness.families.mlp import MLP
from harness.families.parametrization import initialise
from harness.ladder import build_ladder
from harness.settings import LadderSettings, ParametrizationSettings, Settings

STANDARD, FEATURES = ParametrizationSettings(), SignOfSum().signature


def test_it_is_relu_layers_and_a_linear_readout():
    model = MLP().build(Shape(5, 2), FEATURES, STANDARD)
    initialise(model, 5, STANDARD, torch.Generator().manual_seed(0))
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    (w1, b1), (w2, b2) = ((layer.weight, layer.bias) for layer in model.layers)
    hidden = torch.clamp(torch.clamp(x @ w1.T + b1, min=0) @ w2.T + b2, min=0)
    torch.testing.assert_close(model(x)[:, 0], hidden @ model.head.weight.T + model.head.bias)


def test_counts_of_one_size_by_hand():
    assert MLP().count(Shape(5, 2), FEATURES) == ParameterCount(mlp=(4 + 1) * 5 + (5 + 1) * 5, head=(5 + 1) * 2)
    assert MLP().forward_flops(Shape(5, 2), FEATURES) == 2 * (4 * 5 + 5 * 5 + 5 * 2)
    assert MLP().training_flops(Shape(5, 2), FEATURES) == 6 * (4 * 5 + 5 * 5 + 5 * 2) - 2 * 4 * 5


def test_a_zero_head_starts_with_all_logits_equal():
    model = MLP(zero_head=True).build(Shape(5, 1), FEATURES, STANDARD)
    initialise(model, 5, STANDARD, torch.Generator().manual_seed(0))
    assert not model(torch.ones(2, 4)).any()


def test_features_of_any_shape_are_flattened():
    image = SignOfSum(image=True)
    ladder = LadderSettings(widths=[8], steps=1)
    (rung,) = build_ladder(Settings(family=MLP(), task=image, ladder=ladder))
    assert rung.params == MLP().count(Shape(8, 1), FEATURES)
