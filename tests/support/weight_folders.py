"""Small folders of random weights in the layout of Hugging Face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

Tensors = dict[str, torch.Tensor]

#: Settings of our family that make it the models of these folders.
GPT2: dict[str, Any] = {
    "norm": "layer",
    "biases": True,
    "activation": "gelu_tanh",
    "positions": "learned",
    "tied": True,
}
LLAMA: dict[str, Any] = {"activation": "swiglu", "kv_heads": 2, "norm_eps": 1e-5}

WIDTH, DEPTH, HEADS, KV_HEADS = 16, 2, 4, 2
HIDDEN = {"gpt2": 4 * WIDTH, "llama": 43}  # round(4 x 16 x 2/3)


def gpt2(vocabulary: int = 7, positions: int = 12) -> tuple[dict[str, Any], Tensors]:
    """config.json and tensors of a GPT-2."""
    config = {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": vocabulary,
        "n_positions": positions,
        "n_embd": WIDTH,
        "n_layer": DEPTH,
        "n_head": HEADS,
    }
    W, H = WIDTH, HIDDEN["gpt2"]
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (vocabulary, W), "wpe.weight": (positions, W)}
    for i in range(DEPTH):
        for layer, shape in {
            "attn.c_attn": (W, 3 * W),
            "attn.c_proj": (W, W),
            "mlp.c_fc": (W, H),
            "mlp.c_proj": (H, W),
            "ln_1": (W,),
            "ln_2": (W,),
        }.items():
            shapes |= {f"h.{i}.{layer}.weight": shape, f"h.{i}.{layer}.bias": shape[-1:]}
    return config, _drawn(shapes | {"ln_f.weight": (W,), "ln_f.bias": (W,)})


def llama(vocabulary: int = 7, tied: bool = False) -> tuple[dict[str, Any], Tensors]:
    """config.json and tensors of a Llama."""
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary,
        "hidden_size": WIDTH,
        "num_hidden_layers": DEPTH,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "intermediate_size": HIDDEN["llama"],
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": tied,
        "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
    }
    W, H, K = WIDTH, HIDDEN["llama"], KV_HEADS * WIDTH // HEADS
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (vocabulary, W), "model.norm.weight": (W,)}
    for i in range(DEPTH):
        for layer, shape in {
            "self_attn.q_proj": (W, W),
            "self_attn.k_proj": (K, W),
            "self_attn.v_proj": (K, W),
            "self_attn.o_proj": (W, W),
            "mlp.gate_proj": (H, W),
            "mlp.up_proj": (H, W),
            "mlp.down_proj": (W, H),
            "input_layernorm": (W,),
            "post_attention_layernorm": (W,),
        }.items():
            shapes[f"model.layers.{i}.{layer}.weight"] = shape
    return config, _drawn(shapes | ({} if tied else {"lm_head.weight": (vocabulary, W)}))


def written(folder: Path, config: dict[str, Any], tensors: Tensors) -> Path:
    """The folder with its two files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def sharded(folder: Path, config: dict[str, Any], tensors: Tensors) -> Path:
    """The same with two files of weights and their index."""
    written(folder, config, {})
    (folder / "model.safetensors").unlink()
    places = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(tensors)}
    for file in set(places.values()):
        save_file({name: tensors[name] for name, place in places.items() if place == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


def _drawn(shapes: dict[str, tuple[int, ...]]) -> Tensors:
    """Large enough values for every term to count: gains about 1, the rest about 0."""
    generator = torch.Generator().manual_seed(0)
    gain = ("ln_1.weight", "ln_2.weight", "ln_f.weight", "norm.weight")
    return {
        name: 0.3 * torch.randn(shape, generator=generator) + (1.0 if name.endswith(gain) else 0.0)
        for name, shape in shapes.items()
    }
