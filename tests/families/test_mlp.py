"""The MLP: what it computes, and the counts of one size by hand."""

from __future__ import annotations

import pytest
import torch
from tiny import SignOfSum

from harness.errors import SettingError
from harness.families.base import ParameterCount, Shape
from harness.families.mlp import MLP
from harness.families.parametrization import initialise
from harness.ladder import build_ladder
from harness.settings import LadderSettings, ParametrizationSettings, Settings
from harness.tasks.base import Signature

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


DIGITS_28 = Signature(n_outputs=10, feature_shape=(1, 28, 28))


def test_the_reference_mlp_has_its_published_size():
    reference = MLP(layers=[128, 64])
    assert reference.count(Shape(128, 2), DIGITS_28).total == 785 * 128 + 129 * 64 + 65 * 10 == 109_386
    model = reference.build(Shape(128, 2), DIGITS_28, STANDARD)
    assert [layer.out_features for layer in model.layers] == [128, 64]


def test_a_width_multiplies_the_whole_list_and_the_list_fixes_the_depth():
    def shapes(**ladder):
        ladder = LadderSettings(steps=1, **ladder)
        rungs = build_ladder(Settings(family=MLP(layers=[128, 64, 2]), task=SignOfSum(), ladder=ladder))
        return [(rung.shape.width, rung.shape.depth, rung.params.mlp) for rung in rungs]

    found = [(16, 3, 5 * 16 + 17 * 8 + 9 * 1), (256, 3, 5 * 256 + 257 * 128 + 129 * 4)]
    assert shapes(widths=[16, 256]) == found
    assert shapes(widths=[16, 256], depths=[3]) == shapes(first_width=16, width_step=16, count=2) == found
    says = "for family=mlp lists its layers, 3 of them with weights"
    for wrong, allowed in ({"depths": [2]}, "3"), ({"first_depth": 2}, "3"), ({"depth_step": 2.0}, "1"):
        with pytest.raises(SettingError, match=rf"ladder\.{next(iter(wrong))}=.*: allowed is {allowed}, {says}"):
            shapes(**wrong)


@pytest.mark.parametrize("layers", [[], [0], [2.5], "wide"])
def test_layers_are_widths(layers):
    with pytest.raises(SettingError, match=r"family\.layers="):
        MLP(layers=layers)


def test_a_zero_head_starts_with_all_logits_equal():
    model = MLP(zero_head=True).build(Shape(5, 1), FEATURES, STANDARD)
    initialise(model, 5, STANDARD, torch.Generator().manual_seed(0))
    assert not model(torch.ones(2, 4)).any()


def test_features_of_any_shape_are_flattened():
    image = SignOfSum(image=True)
    ladder = LadderSettings(widths=[8], steps=1)
    (rung,) = build_ladder(Settings(family=MLP(), task=image, ladder=ladder))
    assert rung.params == MLP().count(Shape(8, 1), FEATURES)
