"""GPT-2 (Radford et al. 2019), as Hugging Face's GPT2LMHeadModel has it."""

from __future__ import annotations

import re

from harness.families.base import Shape
from harness.families.hugging_face.architecture import Architecture, Part
from harness.families.hugging_face.folder import Config

#: What config.json calls activations -> our settings.
_ACTIVATIONS = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu": "gelu", "relu": "relu"}
#: Of LayerNorm in torch, and of GPT-2.
_EPS = 1e-5
#: Masks of attention, and a readout that is the embedding.
_UNUSED = re.compile(r"h\.\d+\.attn\.(masked_)?bias|lm_head\.weight")


def read_gpt2(config: Config) -> Architecture:
    """A GPT-2 of this config.json.

    Raises:
        DataError: it is not a GPT-2 as our transformer can be.
    """
    width, depth, heads = (
        config.whole("n_embd", 768),
        config.whole("n_layer", 12, most=10_000),
        config.whole("n_head", 12),
    )
    if width % heads:
        raise config.refused("n_head", heads, f"a divisor of n_embd, {width}")
    vocabulary, positions = config.whole("vocab_size", 50_257), config.whole("n_positions", 1024)
    hidden = config.whole("n_inner", 4 * width)
    activation = config.one_of("activation_function", "gelu_new", *_ACTIVATIONS)
    eps, tied = config.positive("layer_norm_epsilon", _EPS), config.flag("tie_word_embeddings", True)
    config.one_of("scale_attn_weights", True, True)
    config.one_of("scale_attn_by_inverse_layer_idx", False, False)
    config.one_of("add_cross_attention", False, False)

    def norm(own: str, theirs: str) -> dict[str, tuple[Part, ...]]:
        return {f"{own}.{part}": (Part(f"{theirs}.{part}", (width,)),) for part in ("weight", "bias")}

    def linear(own: str, theirs: str, n_in: int, n_out: int) -> dict[str, tuple[Part, ...]]:
        weight = Part(f"{theirs}.weight", (n_in, n_out), transposed=True)  # a Conv1D of theirs
        return {f"{own}.weight": (weight,), f"{own}.bias": (Part(f"{theirs}.bias", (n_out,)),)}

    parameters: dict[str, tuple[Part, ...]] = {
        "embedding.weight": (Part("wte.weight", (vocabulary, width)),),
        "positions.weight": (Part("wpe.weight", (positions, width)),),
    }
    for i in range(depth):
        attention, mlp = f"blocks.{i}.attention", f"blocks.{i}.mlp"
        parameters |= norm(f"{attention}.norm", f"h.{i}.ln_1")
        parameters |= linear(f"{attention}.inner.qkv", f"h.{i}.attn.c_attn", width, 3 * width)
        parameters |= linear(f"{attention}.inner.out", f"h.{i}.attn.c_proj", width, width)
        parameters |= norm(f"{mlp}.norm", f"h.{i}.ln_2")
        parameters |= linear(f"{mlp}.inner.up", f"h.{i}.mlp.c_fc", width, hidden)
        parameters |= linear(f"{mlp}.inner.down", f"h.{i}.mlp.c_proj", hidden, width)
    parameters |= norm("norm", "ln_f")
    if not tied:
        parameters["head.weight"] = (Part("lm_head.weight", (vocabulary, width)),)
    settings = {
        "norm": ("layer",),
        "biases": (True,),
        "activation": (_ACTIVATIONS[activation],),
        "positions": ("learned",),
        "tied": (tied,),
        "kv_heads": (None, heads),
        "qk_norm": (False,),
        "norm_eps": (None, eps) if eps == _EPS else (eps,),
    }
    shape = Shape(width, depth, heads)
    return Architecture("a GPT-2", shape, vocabulary, hidden, settings, parameters, "transformer.", _UNUSED)
