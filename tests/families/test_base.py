"""What every family keeps: formulas equal to what is built, logits for each answer, errors for other tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import Frames, Mixed, NextSymbol, SignOfSum, make_settings
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from harness.errors import UserError
from harness.families.base import ParameterCount, Shape
from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.parametrization import count_by_group
from harness.families.transformer import Transformer
from harness.ladder import build_ladder
from harness.settings import ParametrizationSettings

CASES = [
    (MLP(), SignOfSum()),
    (MLP(layers=[6, 3, 7]), Frames()),
    (CNN(), SignOfSum(image=True)),
    (CNN(layers=["conv 6 3x2 valid", "max_pool 2x2", "conv 4 3x1 same norm", "dense 3"]), Frames()),
    (CNN(layers=["max_pool 1x2", "conv 6 1x3 same", "global_mean"]), Frames()),
    (Transformer(), NextSymbol()),
    (Transformer(mlp_ratio=0, positions="learned"), NextSymbol()),
    (Transformer(tied=True, mlp_ratio=2.5), NextSymbol(n_symbols=40, length=16)),
    (Transformer(activation="swiglu", kv_heads=1, qk_norm=True, positions="learned"), Frames()),
    (Transformer(encoder="mlp"), Frames()),
    (Transformer(positions="learned"), Mixed()),
    (Transformer(encoder="mlp", activation="swiglu"), Mixed()),
]
SHAPES = [Shape(8, 1, 1), Shape(12, 3, 2), Shape(32, 2, 4)]
STANDARD = ParametrizationSettings()


@pytest.mark.parametrize(("family", "task"), CASES, ids=lambda case: getattr(case, "name", None))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_counts_are_those_of_the_model(family, task, shape):
    model = family.build(shape, task.signature, STANDARD)
    counted = family.count(shape, task.signature)
    assert ParameterCount(**count_by_group(model)) == counted
    assert counted.total == sum(p.numel() for p in model.parameters())
    assert counted.non_embedding == counted.total - counted.embedding - counted.head


@pytest.mark.parametrize(("family", "task"), CASES, ids=lambda case: getattr(case, "name", None))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_flops_are_those_that_torch_counts(family, task, shape):
    model = family.build(shape, task.signature, STANDARD)
    batch = task.train_batch(np.random.default_rng(0), 4)
    # The counter knows the products inside attention only where attention is made of products.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as forward:
        logits = model(torch.from_numpy(batch.inputs))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as training:
        logits = model(torch.from_numpy(batch.inputs))
        F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten()).backward()
    assert family.forward_flops(shape, task.signature) * 4 == pytest.approx(forward.get_total_flops(), rel=0.01)
    assert family.training_flops(shape, task.signature) * 4 == pytest.approx(training.get_total_flops(), rel=0.01)


@pytest.mark.parametrize(("family", "task"), CASES, ids=lambda case: getattr(case, "name", None))
def test_logits_have_a_row_for_each_answer(family, task):
    batch = task.train_batch(np.random.default_rng(0), 4)
    logits = family.build(Shape(8, 1, 1), task.signature, STANDARD)(torch.from_numpy(batch.inputs))
    assert logits.shape == (*batch.targets.shape, task.signature.n_outputs)


@pytest.mark.parametrize(
    ("family", "task", "says"),
    [
        (MLP(), NextSymbol(), "family=mlp reads features, images, frames, and task=next_symbol gives tokens: .*transf"),
        (CNN(), SignOfSum(), "family=cnn reads images, frames, and task=sign_of_sum gives features: .*mlp.*digits"),
        (CNN(), NextSymbol(), "family=cnn reads images, frames, and task=next_symbol gives tokens: .*transf.*digits"),
        (
            Transformer(),
            SignOfSum(image=True),
            "family=transformer reads tokens, frames, mixed, and .* gives images",
        ),
    ],
)
def test_a_family_and_a_task_that_do_not_fit_are_both_named(family, task, says):
    with pytest.raises(UserError, match=says):
        build_ladder(make_settings(family, task))


def test_a_family_that_does_not_say_what_it_reads_is_named_with_its_task():
    @dataclass
    class Silent(Transformer):
        reads = ()

        def count(self, shape, signature):
            return ParameterCount(embedding=shape.width * signature.vocab_size)

    says = r"family=transformer cannot count .* task=sign_of_sum, which gives features: .*NoneType"
    with pytest.raises(UserError, match=says):
        build_ladder(make_settings(Silent(), SignOfSum()))
