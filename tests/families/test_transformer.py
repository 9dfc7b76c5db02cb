"""The transformer: causal, positions by distance, attention as it is read, residual branches scaled."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from tiny import Frames, NextSymbol, job_of, make_settings, numbers

from harness.errors import SettingError
from harness.families.base import ParameterCount, Shape
from harness.families.check import check_counts, check_size, flops_by_torch
from harness.families.parametrization import initialise
from harness.families.transformer import Attention, SwiGLU, Transformer, rotate
from harness.ranges import identity_of
from harness.settings import ParametrizationSettings
from harness.training.loop import train_job
from harness.training.members import Stack

STANDARD, FRAMES = ParametrizationSettings(), Frames().signature


def test_transformer_is_causal():
    task = NextSymbol()
    model = Transformer(zero_head=False).build(Shape(16, 2, 2), task.signature, STANDARD)
    tokens = torch.arange(8)[None] % task.n_symbols
    changed = tokens.clone()
    changed[0, 5] = (changed[0, 5] + 1) % task.n_symbols
    same = (model(tokens) == model(changed)).all(dim=-1)[0]
    assert same.tolist() == [True] * 5 + [False] * 3


@pytest.mark.parametrize(
    "options", [{"positions": "learned"}, {"positions": "rotary"}, {"kv_heads": 1, "qk_norm": True}]
)
def test_attention_weights_are_those_that_forward_mixes_by(options):
    task, shape = NextSymbol(), Shape(8, 2, 2)
    model = Transformer(**options).build(shape, task.signature, ParametrizationSettings()).double()
    tokens = torch.from_numpy(task.eval_batch().inputs[:5])
    weights = model.attention_weights(tokens)
    assert weights.shape == (5, 2, 2, tokens.shape[1], tokens.shape[1])
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones_like(weights[..., 0]))
    assert not weights.triu(1).any()
    # What the first layer adds, from its weights and values, is what it adds in the forward pass.
    norm, attention, _ = model.blocks[0].attention
    x = norm(model.embed(tokens))
    mixed = weights[:, 0] @ attention.heads_of(x)[2]
    torch.testing.assert_close(attention.out(mixed.transpose(1, 2).flatten(2)), attention(x))


def test_rotary_scores_depend_on_distance_alone():
    q, k = torch.randn(2, 1, 1, 1, 8, generator=torch.Generator().manual_seed(0)).expand(2, 1, 1, 6, 8)
    scores = (rotate(q) @ rotate(k).transpose(-1, -2))[0, 0]
    for distance in range(6):
        diagonal = scores.diagonal(-distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))


@pytest.mark.parametrize(
    "changes",
    [
        {"mlp_ratio": -1},
        {"positions": "absolute"},
        {"embedding_std": 0},
        {"activation": "tanh"},
        {"kv_heads": 0},
        {"norm_eps": 0},
    ],
)
def test_transformer_settings_out_of_range(changes):
    with pytest.raises(SettingError, match=f"family.{next(iter(changes))}"):
        Transformer(**changes)


def test_tied_asks_for_one_vocabulary_and_heads_divide_the_width():
    task = NextSymbol()
    with pytest.raises(SettingError, match=r"family\.tied=True"):
        Transformer(tied=True).check(Shape(8, 1, 1), type(task.signature)(n_outputs=5, vocab_size=7, context=8))
    with pytest.raises(SettingError, match=r"ladder\.widths=10: allowed is multiples of 4, for 2 heads"):
        Transformer().check(Shape(10, 1, 2), task.signature)


# ------------------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize("activation", ["gelu", "relu", "swiglu"])
@pytest.mark.parametrize("kv_heads", [None, 1, 2])
@pytest.mark.parametrize("qk_norm", [False, True])
def test_counts_and_flops_of_all_options_together(activation, kv_heads, qk_norm):
    family = Transformer(activation=activation, kv_heads=kv_heads, qk_norm=qk_norm)
    for signature, shape in itertools.product((NextSymbol().signature, FRAMES), (Shape(12, 1, 2), Shape(24, 3, 4))):
        with torch.device("meta"):
            model = family.build(shape, signature, STANDARD)
            check_counts(model, family, shape, signature)
            counted = flops_by_torch(model, signature)
        assert counted == (family.forward_flops(shape, signature), family.training_flops(shape, signature))


@pytest.mark.parametrize("activation", ["gelu_tanh", "swiglu"])
@pytest.mark.parametrize("options", [{"norm": "layer"}, {"biases": True, "kv_heads": 2, "qk_norm": True}])
@pytest.mark.parametrize("mlp_ratio", [0, 4])
def test_counts_and_flops_with_layer_norms_and_biases(activation, options, mlp_ratio):
    family = Transformer(activation=activation, mlp_ratio=mlp_ratio, **options)
    for signature in (NextSymbol().signature, FRAMES):
        check_size(family, Shape(24, 3, 4), signature, STANDARD, flops=True)
        model = family.build(Shape(24, 3, 4), signature, STANDARD)
        counted = flops_by_torch(model, signature)
        assert counted == tuple(of(Shape(24, 3, 4), signature) for of in (family.forward_flops, family.training_flops))


def test_gains_begin_at_one_and_biases_at_zero_and_none_decays():
    model = Transformer(norm="layer", biases=True).build(Shape(16, 1, 2), NextSymbol().signature, STANDARD)
    initialise(model, 16, STANDARD, torch.Generator().manual_seed(0))
    values, roles = dict(model.named_parameters()), model.roles()
    assert {role.group for name, role in roles.items() if name.endswith("bias")} == {"attention", "mlp", "norm"}
    for name, role in roles.items():
        if values[name].ndim == 1:
            assert values[name].eq(0.0 if name.endswith("bias") else 1.0).all(), name
            assert (role.kind, role.decays, role.residual) == ("input", False, name.startswith("blocks."))


def test_norms_add_what_they_are_told_to():
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(0)) / 100
    for norm, usual in (("rms", torch.finfo(torch.float32).eps), ("layer", 1e-5)):
        centred = x - x.mean(-1, keepdim=True) if norm == "layer" else x
        for eps in (None, 1e-3):
            by_hand = centred / (centred.square().mean(-1, keepdim=True) + (eps or usual)).sqrt()
            torch.testing.assert_close(Transformer(norm=norm, norm_eps=eps).normalisation(8)(x), by_hand)


def test_counts_of_one_size_by_hand():
    family = Transformer(activation="swiglu", kv_heads=2, qk_norm=True, positions="learned")
    # Width 24, 4 heads of 6: queries and output 2 x 24 x 24, keys and values 2 x 24 x 12; 64 is 2/3 of 4 x 24.
    assert family.count(Shape(24, 3, 4), FRAMES) == ParameterCount(
        embedding=24 * (5 + 6),
        attention=3 * (2 * 24 * 24 + 2 * 24 * 12),
        mlp=3 * 3 * 24 * 64,
        norm=3 * (2 * 24 + 2 * 6) + 24,
        head=24 * 5,
    )
    family = Transformer(norm="layer", biases=True, kv_heads=2)
    # Biases: queries and output 24 each, keys and values 12 each; 96 up and 24 down. Norms have a gain and a bias.
    assert family.count(Shape(24, 3, 4), FRAMES) == ParameterCount(
        embedding=24 * 5,
        attention=3 * (2 * 24 * 24 + 2 * 24 * 12 + 24 + 24 + 12 + 12),
        mlp=3 * (2 * 24 * 96 + 96 + 24),
        norm=3 * 4 * 24 + 2 * 24,
        head=24 * 5,
    )
    gelu, swiglu = (Transformer(activation=kind).count(Shape(24, 3, 4), FRAMES) for kind in ("gelu", "swiglu"))
    assert swiglu == gelu


def test_swiglu_is_the_paper_s_formula():
    layer, x = SwiGLU(4, 6), torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    gate, up = layer.gate_and_up.weight.chunk(2)
    torch.testing.assert_close(layer(x), (F.silu(x @ gate.T) * (x @ up.T)) @ layer.down.weight.T)


def test_neighbouring_heads_share_keys_and_values():
    task, shape = NextSymbol(), Shape(16, 1, 4)
    shared, full = (Transformer(kv_heads=k).build(shape, task.signature, STANDARD).blocks[0] for k in (2, None))
    queries, keys, values = shared.attention.inner.qkv.weight.detach().view(8, 4, 16).split((4, 2, 2))
    copied = (queries, keys.repeat_interleave(2, 0), values.repeat_interleave(2, 0))
    full.attention.inner.qkv.weight.data = torch.cat(copied).flatten(0, 1)
    full.attention.inner.out.weight.data = shared.attention.inner.out.weight.data
    x = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(shared.attention(x), full.attention(x))


def test_kv_heads_divide_the_heads():
    with pytest.raises(SettingError, match=r"family\.kv_heads=3: allowed is a divisor of 4, the heads at width 16"):
        Transformer(kv_heads=3).check(Shape(16, 1, 4), NextSymbol().signature)


def test_with_qk_norm_the_size_of_queries_does_not_matter():
    attention = Attention(8, 2, 2, rotary=True, qk_norm=True, scale=1.0)
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    before = attention.weights(x)
    attention.qkv.weight.data[:16] *= 3  # queries and keys
    torch.testing.assert_close(attention.weights(x), before)


def test_new_options_leave_run_ids_alone_at_their_defaults():
    assert identity_of(Transformer()).keys() == {"mlp_ratio", "positions", "tied", "embedding_std", "zero_head"}
    assert identity_of(Transformer(kv_heads=2))["kv_heads"] == 2


# -------------------------------------------------------------------------------------------------------------- frames


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_frames_are_answered_once_and_in_order(positions):
    family = Transformer(positions=positions, zero_head=False)
    model = family.build(Shape(16, 1, 2), FRAMES, STANDARD)
    initialise(model, 16, STANDARD, torch.Generator().manual_seed(0))
    frames = torch.randn(64, 6, 5, generator=torch.Generator().manual_seed(1))
    assert model(frames).shape == (64, 1, 5)
    assert not torch.allclose(model(frames), model(frames.roll(1, dims=1)))
    embedded = model.embedding(frames)
    assert float(embedded.detach().std()) == pytest.approx(1.0, rel=0.15)  # standardised frames are as large as tokens


def test_frames_train_with_members_together():
    settings = make_settings(Transformer(), Frames(), ladder__steps=60, optimizer__lr=0.01, seeds=2)
    job = job_of(settings)
    assert Stack.of(job, torch.device("cpu")).unbatched is None
    for outcome in train_job(job):
        losses = [row[4] for row in numbers(outcome) if row[:3] == ("eval", "loss", "all")]
        assert losses[-1] < 0.8 * math.log(5)


# ------------------------------------------------------------------------------------------------------ width and depth


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
