"""Llama (Touvron et al. 2023), as Hugging Face's LlamaForCausalLM has it."""

from __future__ import annotations

import re

from harness.families.base import Shape
from harness.families.hugging_face.architecture import Architecture, Part
from harness.families.hugging_face.folder import Config

#: The base of the angles that our rotary positions turn by.
_THETA = 10_000.0
#: Tables of rotary positions, and a readout that is the embedding.
_UNUSED = re.compile(r"layers\.\d+\.self_attn\.rotary_emb\.inv_freq|lm_head\.weight")


def read_llama(config: Config) -> Architecture:
    """A Llama of this config.json.

    Raises:
        DataError: it is not a Llama as our transformer can be.
    """
    width, depth, heads = (
        config.whole("hidden_size", 4096),
        config.whole("num_hidden_layers", 32, most=10_000),
        config.whole("num_attention_heads", 32),
    )
    if width % heads:
        raise config.refused("num_attention_heads", heads, f"a divisor of hidden_size, {width}")
    vocabulary, hidden = config.whole("vocab_size", 32_000), config.whole("intermediate_size", 11_008)
    kv_heads = config.whole("num_key_value_heads", heads)
    eps, tied = config.positive("rms_norm_eps", 1e-6), config.flag("tie_word_embeddings", False)
    config.one_of("head_dim", width // heads, width // heads)
    config.one_of("hidden_act", "silu", "silu", "swish")
    config.one_of("attention_bias", False, False)
    config.one_of("mlp_bias", False, False)
    _refuse_other_angles(config)
    of_keys = kv_heads * (width // heads)

    def one(name: str, *shape: int) -> tuple[Part, ...]:
        return (Part(f"{name}.weight", shape),)

    parameters = {"embedding.weight": one("embed_tokens", vocabulary, width)}
    for i in range(depth):
        theirs, attention, mlp = f"layers.{i}", f"blocks.{i}.attention", f"blocks.{i}.mlp"
        parameters |= {
            f"{attention}.norm.weight": one(f"{theirs}.input_layernorm", width),
            f"{attention}.inner.qkv.weight": (
                *one(f"{theirs}.self_attn.q_proj", width, width),
                *one(f"{theirs}.self_attn.k_proj", of_keys, width),
                *one(f"{theirs}.self_attn.v_proj", of_keys, width),
            ),
            f"{attention}.inner.out.weight": one(f"{theirs}.self_attn.o_proj", width, width),
            f"{mlp}.norm.weight": one(f"{theirs}.post_attention_layernorm", width),
            f"{mlp}.inner.gate_and_up.weight": (
                *one(f"{theirs}.mlp.gate_proj", hidden, width),
                *one(f"{theirs}.mlp.up_proj", hidden, width),
            ),
            f"{mlp}.inner.down.weight": one(f"{theirs}.mlp.down_proj", width, hidden),
        }
    parameters["norm.weight"] = one("norm", width)
    if not tied:
        parameters["head.weight"] = one("lm_head", vocabulary, width)
    settings = {
        "norm": ("rms",),
        "biases": (False,),
        "activation": ("swiglu",),
        "positions": ("rotary",),
        "tied": (tied,),
        "kv_heads": (None, heads) if kv_heads == heads else (kv_heads,),
        "qk_norm": (False,),
        "norm_eps": (eps,),
    }
    shape = Shape(width, depth, heads)
    return Architecture("a Llama", shape, vocabulary, hidden, settings, parameters, "model.", _UNUSED)


def _refuse_other_angles(config: Config) -> None:
    """Raise DataError for rotary positions other than ours: another base, or angles that are scaled."""
    config.one_of("rope_theta", _THETA, _THETA)
    for name in ("rope_scaling", "rope_parameters"):
        rope = config.values.get(name) or {}
        usual = {"rope_theta": _THETA, "rope_type": "default", "type": "default", "partial_rotary_factor": 1.0}
        if not isinstance(rope, dict) or any(key not in usual or rope[key] != usual[key] for key in rope):
            raise config.refused(name, rope, f"rope_theta {_THETA:g} and rope_type default")
