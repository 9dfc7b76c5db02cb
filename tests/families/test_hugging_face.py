"""Folders of Hugging Face: our model gives the logits of the papers' formulas; what cannot be read is a line."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from command import run
from safetensors.torch import save_file
from tiny import NextSymbol, job_of, make_settings
from weight_folders import DEPTH, GPT2, HEADS, KV_HEADS, LLAMA, WIDTH, Tensors, gpt2, llama, sharded, written

from harness.errors import UserError
from harness.families.base import Family, Shape
from harness.families.hugging_face import describe
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.ladder import Job
from harness.records.pieces import recorded
from harness.settings import Settings
from harness.sweeping.parents import with_parents
from harness.sweeping.start_check import check_starts
from harness.sweeping.starting import weights_of
from harness.training.members import Stack

#: float32 logits of up to 8 in size; a term left out changes them by more than 0.1.
CLOSE = {"rtol": 1e-5, "atol": 3e-5}
TOKENS = torch.randint(7, (5, 8), generator=torch.Generator().manual_seed(1))
MUP = {
    "parametrization__kind": "mup",
    "parametrization__base_width": 4,
    "parametrization__base_heads": 2,
    "parametrization__depth": "complete",
}


def study_of(folder: Path, family: Family, task: NextSymbol | None = None, **changes: Any) -> Settings:
    size = {"ladder__widths": [WIDTH], "ladder__depths": [DEPTH], "ladder__heads": HEADS}
    study = make_settings(family, task or NextSymbol(), init_from=str(folder), **size, seeds=2, **changes)
    return with_parents([study])[0]


def logits_of(job: Job, tokens: torch.Tensor = TOKENS) -> torch.Tensor:
    """(members, B, T, V)."""
    stack = Stack.of(job, torch.device("cpu"), partial(weights_of, job))
    with torch.no_grad():
        return stack.logits(stack.by_name(), tokens.expand(len(job.members), *tokens.shape))


# --------------------------------------------------------------------------------------------------- the models by hand


def attended(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """(B, heads, T, K) each -> (B, T, W)."""
    later = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1)
    scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(later, -torch.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def by_head(x: torch.Tensor, heads: int) -> torch.Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def gpt2_logits(t: Tensors, tokens: torch.Tensor) -> torch.Tensor:
    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        x = x - x.mean(-1, keepdim=True)
        return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * t[f"{name}.weight"] + t[f"{name}.bias"]

    def conv1d(x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ t[f"{name}.weight"] + t[f"{name}.bias"]

    x = t["wte.weight"][tokens] + t["wpe.weight"][: tokens.shape[1]]
    for i in range(DEPTH):
        q, k, v = (by_head(a, HEADS) for a in conv1d(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn").chunk(3, -1))
        x = x + conv1d(attended(q, k, v), f"h.{i}.attn.c_proj")
        u = conv1d(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")
        u = 0.5 * u * (1 + torch.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))
        x = x + conv1d(u, f"h.{i}.mlp.c_proj")
    return norm(x, "ln_f") @ t["wte.weight"].T


def llama_logits(t: Tensors, tokens: torch.Tensor) -> torch.Tensor:
    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * t[f"model.{name}.weight"]

    def turned(x: torch.Tensor) -> torch.Tensor:
        # Features j and j + K/2 are a complex number, which position p turns by p / 10000^(2j/K).
        K = x.shape[-1]
        angles = torch.outer(torch.arange(x.shape[-2]), 10_000 ** (-torch.arange(0, K, 2) / K))
        z = torch.complex(*x.chunk(2, -1)) * torch.polar(torch.ones_like(angles), angles)
        return torch.cat((z.real, z.imag), -1)

    x = t["model.embed_tokens.weight"][tokens]
    for i in range(DEPTH):
        own = {name.split(".")[-2]: w for name, w in t.items() if name.startswith(f"model.layers.{i}.")}
        y = norm(x, f"layers.{i}.input_layernorm")
        q, k, v = (by_head(y @ own[f"{n}_proj"].T, h) for n, h in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)))
        k, v = (a.repeat_interleave(HEADS // KV_HEADS, 1) for a in (k, v))
        x = x + attended(turned(q), turned(k), v) @ own["o_proj"].T
        y = norm(x, f"layers.{i}.post_attention_layernorm")
        x = x + (F.silu(y @ own["gate_proj"].T) * (y @ own["up_proj"].T)) @ own["down_proj"].T
    return norm(x, "norm") @ t.get("lm_head.weight", t["model.embed_tokens.weight"]).T


@pytest.mark.parametrize("scaled", [{}, MUP], ids=["standard", "mup"])
@pytest.mark.parametrize(
    ("made", "family", "by_hand"),
    [
        (gpt2(), Transformer(**GPT2), gpt2_logits),
        (llama(), Transformer(**LLAMA), llama_logits),
        (llama(tied=True), Transformer(**LLAMA, tied=True), llama_logits),
    ],
    ids=["gpt2", "llama", "llama, tied"],
)
def test_a_model_that_starts_from_a_folder_has_its_logits(
    tmp_path: Path, made: Any, family: Transformer, by_hand: Callable[..., torch.Tensor], scaled: dict[str, Any]
) -> None:
    # What our models multiply by, under muP and a depth rule too, is divided out of the parameters.
    config, tensors = made
    job = job_of(study_of(written(tmp_path, config, tensors), family, **scaled))
    expected = by_hand(tensors, TOKENS)
    assert float(expected.std()) > 0.5
    for found in logits_of(job):
        torch.testing.assert_close(found, expected, **CLOSE)


def test_shards_prefixes_buffers_and_half_precision_are_read(tmp_path: Path) -> None:
    config, tensors = gpt2()
    whole = job_of(study_of(written(tmp_path / "whole", config, tensors), Transformer(**GPT2)))
    stored = {f"transformer.{name}": tensor for name, tensor in tensors.items()}
    stored |= {"transformer.h.0.attn.bias": torch.ones(1, 1, 12, 12), "lm_head.weight": torch.zeros(7, WIDTH)}
    parts = job_of(study_of(sharded(tmp_path / "sharded", config, stored), Transformer(**GPT2)))
    assert torch.equal(logits_of(whole), logits_of(parts))
    halves = {name: tensor.bfloat16() for name, tensor in tensors.items()}
    half = job_of(study_of(written(tmp_path / "half", config, halves), Transformer(**GPT2)))
    rounded = gpt2_logits({name: tensor.float() for name, tensor in halves.items()}, TOKENS)
    torch.testing.assert_close(logits_of(half)[0], rounded, **CLOSE)
    assert len({job.members[0].run_id for job in (whole, parts, half)}) == 3  # other files, other parents


# --------------------------------------------------------------------------------------------------------- other tasks


@pytest.mark.parametrize(
    ("task", "layer", "shapes"),
    [
        (NextSymbol(n_symbols=9), "embedding.weight", r"\(7, 16\).*\(9, 16\)"),
        (NextSymbol(length=20), "positions.weight", r"\(12, 16\).*\(20, 16\)"),
    ],
    ids=["vocabulary", "context"],
)
def test_another_vocabulary_and_more_positions_are_drawn_anew_when_asked(
    tmp_path: Path, task: NextSymbol, layer: str, shapes: str
) -> None:
    folder, family = written(tmp_path, *gpt2()), Transformer(**GPT2, embedding_std=0.02)
    study = study_of(folder, family, task)
    says = rf"{layer} has the shape {shapes}.*; finetune\.reset=\[{layer}\] draws it anew"
    with pytest.raises(UserError, match=says):
        check_starts([study], {Path(study.results): recorded(Path(study.results))})
    with pytest.raises(UserError, match=says):
        logits_of(job_of(study))
    anew = study_of(folder, family, task, finetune__reset=[layer.partition(".")[0]])
    check_starts([anew], {Path(study.results): recorded(Path(study.results))})
    tokens = torch.zeros(1, task.length, dtype=torch.int64)
    first, second = logits_of(job_of(anew), tokens)
    assert not torch.equal(first, second)  # each seed draws its own
    assert float(first.std()) < 3  # beside a final norm that carries the factor of a tied readout, with embedding_std


def test_of_more_positions_the_first_are_taken(tmp_path: Path) -> None:
    config, tensors = gpt2(positions=12)
    job = job_of(study_of(written(tmp_path, config, tensors), Transformer(**GPT2), NextSymbol(length=5)))
    torch.testing.assert_close(logits_of(job, TOKENS[:, :5])[0], gpt2_logits(tensors, TOKENS[:, :5]), **CLOSE)


def test_a_sweep_trains_adapters_on_a_folder_and_records_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = written(tmp_path / "weights", *gpt2(vocabulary=17, positions=64))
    settings = [f"family.{name}={json.dumps(value)}" for name, value in GPT2.items()]
    size = [f"ladder.widths=[{WIDTH}]", f"ladder.depths=[{DEPTH}]", f"ladder.heads={HEADS}", "ladder.steps=3"]
    few = ["task.n_eval=16", "seeds=1", "training.device=cpu", "launcher=serial", "name=tuned"]
    tuned = ["finetune=lora", "finetune.rank=2", "init_from=weights"]
    ran = run(capsys, "sweep", "family=transformer", "task=copy", *settings, *size, *few, *tuned)
    assert ran.code == 0, ran.err
    (row,) = recorded(Path("results/tuned")).rows.values()
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert (row["status"], row["parent_run"], row["parent_digest"]) == ("finished", digest[:16], digest)
    # Of each block: rank times (in + out) of qkv, out, up and down.
    assert row["params_trained"] == DEPTH * 2 * (64 + 32 + 80 + 80)
    assert row["pretraining_tokens"] is row["total_flops"] is None  # as nobody here knows
    again = run(capsys, "sweep", "family=transformer", "task=copy", *settings, *size, *few, *tuned)
    assert "Nothing to train" in again.out


# ------------------------------------------------------------------------------------------------------------ refusals


def test_a_family_of_other_settings_is_told_all_that_it_needs(tmp_path: Path) -> None:
    folder = written(tmp_path / "g", *gpt2())
    needs = "family.norm=layer family.biases=true family.activation=gelu_tanh family.positions=learned family.tied=true"
    says = f"family.norm=rms: allowed is layer, for {folder} holds a GPT-2, which needs {needs}"
    with pytest.raises(UserError, match=rf"^{re.escape(says)}$"):
        describe(folder, Transformer(), 8)
    needs = "family.activation=swiglu family.kv_heads=2 family.norm_eps=1e-05"
    with pytest.raises(UserError, match=rf"^family.activation=gelu: allowed is swiglu, .* a Llama, .* {needs}$"):
        describe(written(tmp_path / "l", *llama()), Transformer(), 8)


@pytest.mark.parametrize(
    ("made", "family", "says"),
    [
        (gpt2, MLP(), "family=mlp: allowed is transformer, for .* holds a GPT-2"),
        (gpt2, Transformer(**GPT2, norm_eps=1e-6), "family.norm_eps=1e-06: allowed is null"),
        (gpt2, Transformer(**GPT2, mlp_ratio=2), "family.mlp_ratio=2: allowed is 4.0"),
        (llama, Transformer(**LLAMA, mlp_ratio=0), "family.mlp_ratio=0: allowed is 4.0"),
        (llama, Transformer(**LLAMA | {"kv_heads": None}), "family.kv_heads=None: allowed is 2"),
        (llama, Transformer(**LLAMA, qk_norm=True), "family.qk_norm=True: allowed is false"),
    ],
)
def test_the_setting_at_fault_is_named(tmp_path: Path, made: Any, family: Family, says: str) -> None:
    with pytest.raises(UserError, match=f"^{says}"):
        describe(written(tmp_path, *made()), family, 8)


@pytest.mark.parametrize(
    ("made", "changes", "says"),
    [
        (gpt2, {"architectures": ["BertModel"]}, r'architectures=\["BertModel"\]: allowed is one of GPT2LMHeadModel, '),
        (gpt2, {"architectures": None, "model_type": None}, "model_type=null: allowed is one of GPT2LMHeadModel, "),
        (gpt2, {"n_layer": 10**6}, "n_layer=1000000: allowed is a whole number from 1 to 10,000"),
        (gpt2, {"n_head": 3}, "n_head=3: allowed is a divisor of n_embd, 16"),
        (gpt2, {"activation_function": "tanh"}, 'activation_function="tanh": allowed is "gelu_new" or '),
        (gpt2, {"layer_norm_epsilon": math.nan}, "layer_norm_epsilon=NaN: allowed is a number above 0"),
        (gpt2, {"scale_attn_by_inverse_layer_idx": True}, "=true: allowed is false"),
        (gpt2, {"n_positions": 13}, r"wpe.weight has the shape \(12, 16\), and \(13, 16\) is what config.json says"),
        (gpt2, {"n_layer": 3}, "has no h.2.ln_1.weight, which a GPT-2 has"),
        (gpt2, {"n_layer": 1}, "holds h.1.attn.c_attn.bias, which a GPT-2 has not"),
        (gpt2, {"tie_word_embeddings": False}, "family.tied=True: allowed is false"),
        (llama, {"rope_parameters": None, "rope_theta": 5e5}, "rope_theta=500000.0: allowed is 10000.0"),
        (llama, {"rope_scaling": {"type": "linear", "factor": 2}}, "rope_scaling=.*: allowed is rope_theta 10000"),
        (llama, {"rope_parameters": {"rope_theta": 5e5}}, "rope_parameters=.*: allowed is rope_theta 10000"),
        (llama, {"head_dim": 8}, "head_dim=8: allowed is 4"),
        (llama, {"attention_bias": True}, "attention_bias=true: allowed is false"),
        (llama, {"intermediate_size": 50}, r"family.mlp_ratio=4.0: allowed is 4.7, .* family.mlp_ratio=4.7"),
    ],
)
def test_other_models_are_refused_in_one_line(tmp_path: Path, made: Any, changes: dict[str, Any], says: str) -> None:
    config, tensors = made()
    tensors = dict(sorted(tensors.items()))
    folder = written(tmp_path, config | changes, tensors)
    with pytest.raises(UserError, match=says) as refused:
        describe(folder, Transformer(**(GPT2 if made is gpt2 else LLAMA)), 8)
    assert "\n" not in str(refused.value)


def test_files_that_cannot_be_read_are_refused_in_one_line(tmp_path: Path) -> None:
    weights, index = tmp_path / "model.safetensors", tmp_path / "model.safetensors.index.json"
    config, tensors = gpt2()

    def refused(says: str) -> None:
        with pytest.raises(UserError, match=rf"^{re.escape(str(tmp_path))}.*: {says}") as error:
            describe(tmp_path, Transformer(**GPT2), 8)
        assert "\n" not in str(error.value)

    written(tmp_path, config, tensors)
    (tmp_path / "config.json").write_text("[1]")
    refused("is no JSON object")
    (tmp_path / "config.json").write_text("{")
    refused("is not JSON")
    written(tmp_path, config, tensors)
    weights.write_bytes(weights.read_bytes()[:-1])
    refused("cannot be read: ")
    weights.write_bytes(b"not at all")
    refused("cannot be read: ")
    save_file({"wte.weight": torch.zeros(7, WIDTH, dtype=torch.int8)}, weights)
    refused("wte.weight is of I8: allowed is one of F32, F16, BF16, F64")
    weights.unlink()
    refused("has neither model.safetensors nor model.safetensors.index.json")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    refused("pytorch_model.bin is a pickle, which can run code and is never loaded: allowed is model.safetensors")
    for places, says in (
        ([], "its weight_map does not name the file of each tensor"),
        ({"wte.weight": "../other.safetensors"}, "'../other.safetensors' is no safetensors file of this folder"),
        ({"wte.weight": "a.safetensors"}, "a.safetensors is missing"),
    ):
        index.write_text(json.dumps({"weight_map": places}))
        refused(says)


def test_other_sizes_and_what_chooses_among_runs_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path, *gpt2())
    (study,) = with_parents([make_settings(Transformer(**GPT2), NextSymbol(), init_from=str(folder))])
    with pytest.raises(UserError, match=r"width 8, depth 1 too; it has \(width 16, depth 2, 4 heads\)"):
        job_of(study)
    with pytest.raises(UserError, match=r"finetune\.step=3: allowed is null, for init_from=.* holds one model"):
        study_of(folder, Transformer(**GPT2), finetune__step=3)


def test_a_folder_whose_weights_change_is_another_parent(tmp_path: Path) -> None:
    config, tensors = gpt2()
    before = describe(written(tmp_path, config, tensors), Transformer(**GPT2), 8)
    assert (before.shape, before.n_outputs) == (Shape(WIDTH, DEPTH, HEADS), 7)
    after = describe(written(tmp_path, config, tensors | {"ln_f.bias": torch.ones(WIDTH)}), Transformer(**GPT2), 8)
    assert after.digest != before.digest
    assert dataclasses.replace(after, digest=before.digest) == before
