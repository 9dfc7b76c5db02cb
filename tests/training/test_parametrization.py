"""muP: activations keep their size as width grows; under the standard parametrization they do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import NextSymbol, SignOfSum

from harness.families.base import Shape
from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.parametrization import Role, initialise, lr_factor
from harness.families.transformer import Transformer
from harness.settings import ParametrizationSettings
from harness.training.coordinate_check import coordinate_sizes, width_exponents

WIDTHS = [32, 64, 128, 256, 512]
FAMILIES = [
    (MLP(), SignOfSum(), 2),
    (CNN(), SignOfSum(image=True), 2),
    (Transformer(), NextSymbol(), 1),
    (Transformer(tied=True), NextSymbol(), 1),
]


@pytest.mark.parametrize(("family", "task", "depth"), FAMILIES, ids=["mlp", "cnn", "transformer", "tied"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_activations_under_mup_do_not_grow_with_width(family, task, depth, optimizer):
    lr = 0.01 if optimizer == "adamw" else 0.1
    exponents = width_exponents(coordinate_sizes(family, task, depth, WIDTHS, "mup", optimizer, lr))
    # A size that must be constant grows as width^0; 0.5 is what a missing factor of sqrt(width) would show.
    assert exponents.max() < 0.25, exponents


@pytest.mark.parametrize(("family", "task", "depth"), FAMILIES[:3], ids=["mlp", "cnn", "transformer"])
def test_activations_under_standard_parametrization_do(family, task, depth):
    exponents = width_exponents(coordinate_sizes(family, task, depth, WIDTHS, "standard", "adamw", 0.01))
    assert exponents.max() > 0.4, exponents


def test_both_kinds_agree_at_the_base_width():
    task, family, shape = NextSymbol(), Transformer(zero_head=False), Shape(16, 2, 2)
    logits = []
    for kind in ("standard", "mup"):
        settings = ParametrizationSettings(kind, base_width=16, base_heads=2)
        model = family.build(shape, task.signature, settings)
        initialise(model, shape.width, settings, torch.Generator().manual_seed(0))
        logits.append(model(torch.from_numpy(task.eval_batch().inputs)))
    torch.testing.assert_close(*logits)


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [("adamw", {"input": 1, "hidden": 1 / 4, "output": 1 / 4}), ("sgd", {"input": 4, "hidden": 1, "output": 1 / 4})],
)
def test_learning_rate_factors_are_those_of_table_3(optimizer, expected):
    settings = ParametrizationSettings("mup", base_width=16)
    found = {kind: lr_factor(Role("mlp", kind, 1.0), 64, settings, optimizer) for kind in expected}
    assert found == expected
    assert lr_factor(Role("mlp", "hidden", 1.0), 64, ParametrizationSettings("standard"), optimizer) == 1


def test_initial_values_have_the_size_that_their_role_says():
    settings = ParametrizationSettings("mup", base_width=16)
    model = Transformer(zero_head=False).build(Shape(256, 1, 4), NextSymbol(n_symbols=512).signature, settings)
    initialise(model, 256, settings, torch.Generator().manual_seed(0))
    stds = {name: float(p.detach().std()) for name, p in model.named_parameters()}
    # Each table has over 60,000 entries: its standard deviation is known to 0.3 %.
    assert stds["embedding.weight"] == pytest.approx(1.0, rel=0.02)
    assert stds["blocks.0.attention.inner.qkv.weight"] == pytest.approx(1 / 16, rel=0.02)
    assert stds["head.weight"] == pytest.approx(1 / 16 / 4, rel=0.02)
    assert np.isclose(float(model.norm.weight.detach().mean()), 1.0)
