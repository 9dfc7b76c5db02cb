"""Formulas for parameters and FLOPs against models: right ones pass, each kind of mistake is named."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import pytest
import torch
from tiny import NextSymbol, SignOfSum, make_settings
from torch import nn

from harness.errors import UserError
from harness.families.base import Family, ParameterCount, Shape
from harness.families.check import FLOPS_TOLERANCE, check_counts, check_size, flops_by_torch
from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.parametrization import Role
from harness.families.transformer import Transformer
from harness.ladder import Job, build_ladder, members
from harness.settings import ParametrizationSettings
from harness.tasks.base import Signature
from harness.training.members import Stack

STANDARD = ParametrizationSettings()
FEATURES = SignOfSum().signature
SHAPE = Shape(8, 2)

FAMILIES = [
    (MLP(), SignOfSum()),
    (CNN(), SignOfSum(image=True)),
    (Transformer(), NextSymbol()),
    (Transformer(mlp_ratio=0, positions="learned"), NextSymbol()),
    (Transformer(tied=True, mlp_ratio=2.5), NextSymbol(n_symbols=40, length=16)),
]


@pytest.mark.parametrize(("family", "task"), FAMILIES, ids=lambda case: getattr(case, "name", None))
@pytest.mark.parametrize("shape", [Shape(8, 1, 1), Shape(12, 3, 2), Shape(32, 2, 4)], ids=str)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_formulas_of_our_families_are_exact(family, task, shape, device):
    # To the last FLOP, on a CPU and where no number is computed alike: the tolerance is for others' families.
    with torch.device(device):
        forward, training = flops_by_torch(family.build(shape, task.signature, STANDARD), task.signature)
    assert family.forward_flops(shape, task.signature) == forward
    assert family.training_flops(shape, task.signature) == training
    check_size(family, shape, task.signature, STANDARD, flops=True)


@dataclass
class Wrong(MLP):
    """An MLP with one mistake."""

    mistake: str = ""

    def count(self, shape, signature):
        counted = super().count(shape, signature)
        if self.mistake == "count":
            return ParameterCount(mlp=counted.mlp - 8, head=counted.head + 1)
        return counted

    def forward_flops(self, shape, signature):
        return super().forward_flops(shape, signature) * (2 if self.mistake == "forward" else 1)

    def training_flops(self, shape, signature):
        return 3 * MLP.forward_flops(self, shape, signature) - 2.0 * prod(signature.feature_shape) * shape.width * (
            self.mistake != "training"
        )

    def build(self, shape, signature, parametrization):
        model = super().build(shape, signature, parametrization)
        if self.mistake == "extra":
            model.bias = nn.Parameter(torch.zeros(3))
        roles = model.roles()
        if self.mistake == "group":
            model.roles = lambda: roles | {"head.bias": Role("readout", "input", 0.0)}
        if self.mistake == "roles":
            model.roles = lambda: {name: role for name, role in roles.items() if "bias" not in name}
        return model


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("count", ["width 8, depth 2", "mlp is 104 by count() and 112 in the model", "head is 19 by count() and 18"]),
        ("extra", ["MLPModel.roles()", ": bias"]),
        ("group", ["readout is 0 by count() and 2", "groups are embedding, attention, mlp, norm, head"]),
        ("roles", ["MLPModel.roles()", ": head.bias, layers.0.bias"]),
        ("forward", ["forward_flops() gives 448", "torch counts 224", "5 %"]),
        ("training", ["training_flops() gives 672", "torch counts 608"]),
    ],
)
def test_a_mistake_is_named_with_both_numbers(mistake, words):
    with pytest.raises(UserError) as refused:
        check_size(Wrong(mistake=mistake), SHAPE, FEATURES, STANDARD, flops=True)
    assert len(str(refused.value).splitlines()) == 1
    for word in words:
        assert word in str(refused.value)


def test_flops_are_checked_when_asked_and_where_torch_can_count_them():
    check_size(Wrong(mistake="forward"), SHAPE, FEATURES, STANDARD, flops=False)

    class Hidden(Wrong):
        counted_by_torch = False

    check_size(Hidden(mistake="forward"), SHAPE, FEATURES, STANDARD, flops=True)


def test_a_difference_within_the_tolerance_passes():
    class Near(MLP):
        def forward_flops(self, shape, signature):
            return super().forward_flops(shape, signature) * (1 + 0.9 * FLOPS_TOLERANCE)

        def training_flops(self, shape, signature):
            return MLP().training_flops(shape, signature) * (1 - 0.9 * FLOPS_TOLERANCE)

    check_size(Near(), SHAPE, FEATURES, STANDARD, flops=True)


def test_logits_of_a_wrong_shape_are_named():
    class Flat(MLP):
        def build(self, shape, signature, parametrization):
            model = super().build(shape, signature, parametrization)
            model.forward = lambda x: model.head(torch.relu(model.layers[1](torch.relu(model.layers[0](x)))))
            return model

    with pytest.raises(UserError, match=r"shape \(2, 2\), and \(2, 1, 2\) is wanted: examples, answers, outputs"):
        check_size(Flat(), SHAPE, FEATURES, STANDARD, flops=False)


def test_a_model_that_needs_numbers_runs_on_the_cpu():
    class Numeric(MLP):
        def build(self, shape, signature, parametrization):
            model = super().build(shape, signature, parametrization)
            float(torch.ones(()).item())  # which the meta device cannot tell
            return model

    check_size(Numeric(), SHAPE, FEATURES, STANDARD, flops=True)

    class Failing(MLP):
        def build(self, shape, signature, parametrization):
            raise ZeroDivisionError("of the family's own")

    with pytest.raises(ZeroDivisionError):
        check_size(Failing(), SHAPE, FEATURES, STANDARD, flops=True)


@dataclass
class Recurrent(Family):
    """A GRU with 3 x forward as its training FLOPs, though the state before the first token needs no gradient."""

    name = "gru"

    def build(self, shape, signature, parametrization):
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding = nn.Embedding(signature.vocab_size, shape.width)
                self.gru = nn.GRU(shape.width, shape.width, batch_first=True, bias=False)
                self.head = nn.Linear(shape.width, signature.n_outputs, bias=False)

            def forward(self, tokens):
                return self.head(self.gru(self.embedding(tokens))[0])

            def roles(self):
                groups = {"embedding": "embedding", "gru": "mlp", "head": "head"}
                names = [name for name, _ in self.named_parameters()]
                return {name: Role(groups[name.split(".")[0]], "hidden", 0.1) for name in names}

        return Model()

    def count(self, shape, signature):
        w = shape.width
        return ParameterCount(embedding=signature.vocab_size * w, mlp=6 * w * w, head=w * signature.n_outputs)

    def forward_flops(self, shape, signature):
        return 2.0 * signature.context * (6 * shape.width**2 + shape.width * signature.n_outputs)

    def training_flops(self, shape, signature):
        return 3 * self.forward_flops(shape, signature)


def test_a_recurrent_family_of_the_users_passes_within_the_tolerance():
    family, signature = Recurrent(), Signature(n_outputs=7, vocab_size=7, context=8)
    check_size(family, SHAPE, signature, STANDARD, flops=True)
    forward, training = flops_by_torch(family.build(SHAPE, signature, STANDARD), signature)
    assert family.forward_flops(SHAPE, signature) == forward
    assert family.training_flops(SHAPE, signature) - training == 6 * SHAPE.width**2
    assert 0.015 < family.training_flops(SHAPE, signature) / training - 1 < 0.02


def test_counts_are_compared_whenever_a_model_is_built_to_be_trained():
    settings = make_settings(Wrong(mistake="count"), SignOfSum())
    rung = build_ladder(settings)[1]
    with pytest.raises(UserError, match="width 16, depth 1: parameters are counted wrongly: mlp"):
        Stack.of(Job(settings, rung, 0, members(settings, rung, 0)), torch.device("cpu"))
    check_counts(MLP().build(SHAPE, FEATURES, STANDARD), MLP(), SHAPE, FEATURES)
