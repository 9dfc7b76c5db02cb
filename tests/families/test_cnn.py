"""The CNN: the same wherever the image is moved, each example normalised on its own, the counts of one size by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from harness.errors import SettingError
from harness.families.base import ParameterCount, Shape
from harness.families.cnn import CNN
from harness.families.parametrization import initialise
from harness.settings import ParametrizationSettings
from harness.tasks.base import Signature

STANDARD = ParametrizationSettings()
IMAGES = Signature(n_outputs=3, feature_shape=(2, 9, 9))


def made(depth: int) -> torch.nn.Module:
    model = CNN().build(Shape(6, depth), IMAGES, STANDARD)
    initialise(model, 6, STANDARD, torch.Generator().manual_seed(0))
    return model


def test_an_image_moved_inside_its_border_has_the_same_logits():
    model, image = made(1), torch.zeros(1, 2, 9, 9)  # deeper models see the border, for a background is not 0 in them
    image[..., 3:5, 3:5] = torch.randn(1, 2, 2, 2, generator=torch.Generator().manual_seed(1))
    moved = image.roll((1, -1), dims=(2, 3))
    torch.testing.assert_close(model(image), model(moved))


def test_an_example_does_not_depend_on_the_others():
    model, images = made(2), torch.randn(4, 2, 9, 9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(model(images)[2:3], model(images[2:3]))


def test_counts_of_one_size_by_hand():
    counted = CNN().count(Shape(6, 2), IMAGES)
    assert counted == ParameterCount(mlp=9 * 6 * 2 + 9 * 6 * 6, norm=2 * 2 * 6, head=(6 + 1) * 3)
    assert CNN().forward_flops(Shape(6, 2), IMAGES) == 2 * (9 * 6 * 2 * 81 + 9 * 6 * 6 * 81 + 6 * 3)


# ---------------------------------------------------------------------------------------------------- a list of layers

REFERENCE = CNN(layers=["conv 32 3x3 valid", "max_pool 2x2", "dense 64"])
MNIST = Signature(n_outputs=10, feature_shape=(1, 28, 28))


def test_the_reference_cnn_computes_what_it_says_and_has_its_size():
    assert REFERENCE.count(Shape(32, 2), MNIST).total == 10 * 32 + (32 * 13 * 13 + 1) * 64 + 65 * 10 == 347_146
    model = REFERENCE.build(Shape(32, 2), MNIST, STANDARD)
    initialise(model, 32, STANDARD, torch.Generator().manual_seed(0))
    images = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    conv, _, dense = model.layers
    x = F.max_pool2d(F.relu(F.conv2d(images, conv.conv.weight, conv.conv.bias)), 2)
    x = F.relu(x.flatten(1) @ dense.linear.weight.T + dense.linear.bias)
    torch.testing.assert_close(model(images)[:, 0], x @ model.head.weight.T + model.head.bias)


def test_a_width_multiplies_all_layers():
    narrow = CNN(layers=["conv 4 3x3 valid", "max_pool 2x2", "dense 8"])
    for change in ("count", "forward_flops", "training_flops"):
        assert getattr(REFERENCE, change)(Shape(4, 2), MNIST) == getattr(narrow, change)(Shape(4, 2), MNIST)


def test_equal_blocks_are_a_list_too():
    listed, shape = CNN(layers=["conv 5 3x3 same norm", "conv 5 3x3 same norm", "global_mean"]), Shape(6, 2)
    assert listed.fixed_depth == 2 and CNN().fixed_depth is None
    assert listed.count(shape, IMAGES) == CNN().count(shape, IMAGES)
    assert listed.training_flops(shape, IMAGES) == CNN().training_flops(shape, IMAGES)


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        (["conv 32 3x3"], r"layers\[0\]='conv 32 3x3': allowed is 'conv CHANNELS HxW same\|valid \[norm\]', 'max_pool"),
        (["conv 0 3x3 same"], r"layers\[0\]='conv 0"),
        (["dense 8", "max_pool 2x2"], r"layers\[1\]='max_pool 2x2': allowed is 'dense UNITS', for 'dense 8' leaves no"),
        (
            ["max_pool 2x2", "global_mean"],
            r"layers=\['max_pool 2x2', 'global_mean'\]: .* one at least is conv or dense",
        ),
        ([3], r"layers=\[3\]: allowed is a list of layers"),
        ([], r"layers=\[\]"),
    ],
)
def test_a_wrong_layer_is_named(layers, says):
    with pytest.raises(SettingError, match=rf"^family\.{says}"):
        CNN(layers=layers)


@pytest.mark.parametrize("layer", ["max_pool 4x1", "conv 4 1x4 valid"])
def test_a_layer_that_leaves_nothing_is_named(layer):
    family = CNN(layers=["max_pool 3x3", layer, "dense 4"])
    with pytest.raises(SettingError, match=rf"layers\[1\]='{layer}': .* the 3 x 3 that is left of an image of 9 x 9$"):
        family.check(Shape(4, 2 if "conv" in layer else 1), IMAGES)
