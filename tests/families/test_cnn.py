"""The CNN: the same wherever the image is moved, each example normalised on its own, the counts of one size by hand."""

from __future__ import annotations

import torch

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
