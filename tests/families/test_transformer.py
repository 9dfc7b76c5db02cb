"""The transformer: causal, positions by distance, attention as it is read, residual branches scaled."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import NextSymbol

from harness.errors import SettingError
from harness.families.base import Shape
from harness.families.parametrization import initialise
from harness.families.transformer import Transformer, rotate
from harness.settings import ParametrizationSettings

STANDARD = ParametrizationSettings()


def test_transformer_is_causal():
    task = NextSymbol()
    model = Transformer(zero_head=False).build(Shape(16, 2, 2), task.signature, STANDARD)
    tokens = torch.arange(8)[None] % task.n_symbols
    changed = tokens.clone()
    changed[0, 5] = (changed[0, 5] + 1) % task.n_symbols
    same = (model(tokens) == model(changed)).all(dim=-1)[0]
    assert same.tolist() == [True] * 5 + [False] * 3


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_attention_weights_are_those_that_forward_mixes_by(positions):
    task, shape = NextSymbol(), Shape(8, 2, 2)
    model = Transformer(positions=positions).build(shape, task.signature, ParametrizationSettings()).double()
    tokens = torch.from_numpy(task.eval_batch().inputs[:5])
    weights = model.attention_weights(tokens)
    assert weights.shape == (5, 2, 2, tokens.shape[1], tokens.shape[1])
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones_like(weights[..., 0]))
    assert not weights.triu(1).any()
    # What the first layer adds, from its weights and values, is what it adds in the forward pass.
    norm, attention = model.blocks[0].attention
    x = norm(model.embed(tokens))
    mixed = weights[:, 0] @ attention.heads_of(x)[2]
    torch.testing.assert_close(attention.out(mixed.transpose(1, 2).flatten(2)), attention(x))


def test_rotary_scores_depend_on_distance_alone():
    q, k = torch.randn(2, 1, 1, 1, 8, generator=torch.Generator().manual_seed(0)).expand(2, 1, 1, 6, 8)
    scores = (rotate(q) @ rotate(k).transpose(-1, -2))[0, 0]
    for distance in range(6):
        diagonal = scores.diagonal(-distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))


@pytest.mark.parametrize("changes", [{"mlp_ratio": -1}, {"positions": "absolute"}, {"embedding_std": 0}])
def test_transformer_settings_out_of_range(changes):
    with pytest.raises(SettingError, match=f"family.{next(iter(changes))}"):
        Transformer(**changes)


def test_tied_asks_for_one_vocabulary_and_heads_divide_the_width():
    task = NextSymbol()
    with pytest.raises(SettingError, match=r"family\.tied=True"):
        Transformer(tied=True).check(Shape(8, 1, 1), type(task.signature)(n_outputs=5, vocab_size=7, context=8))
    with pytest.raises(SettingError, match=r"ladder\.widths=10: allowed is multiples of 4, for 2 heads"):
        Transformer().check(Shape(10, 1, 2), task.signature)


@pytest.mark.parametrize(("rule", "alpha"), [("sqrt", 0.5), ("complete", 1.0)])
def test_each_residual_branch_is_scaled_by_depth(rule, alpha):
    task, shape = NextSymbol(), Shape(16, 8, 2)
    tokens = torch.from_numpy(task.eval_batch().inputs[:3])
    settings = ParametrizationSettings(depth=rule, base_depth=2)
    model = Transformer().build(shape, task.signature, settings)
    initialise(model, 16, settings, torch.Generator().manual_seed(0))
    x = model.embed(tokens)
    block = model.blocks[0]
    after_attention = x + 4**-alpha * block.attention(x)
    torch.testing.assert_close(block(x), after_attention + 4**-alpha * block.mlp(after_attention))


def test_muP_scales_attention_by_head_width_and_agrees_at_the_base():
    task = NextSymbol()
    settings = ParametrizationSettings("mup", base_width=16, base_heads=2)
    scales = {
        width: Transformer().build(Shape(width, 1, 2), task.signature, settings).blocks[0].attention.inner.scale
        for width in (16, 64)
    }
    assert scales[16] == pytest.approx(1 / math.sqrt(8))
    assert scales[64] == pytest.approx(1 / math.sqrt(8) / 4)
