"""The work of both sides is the same, shown on a stand-in that has nanoGPT's names and not its code."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from baseline import Work, loop_of
from command import REPOSITORY
from roofline import product_rate, products
from sides import SideError, alternately, importing, overrides_of, prepare, run_all

from harness.config import compose
from harness.sweeping.plan import cells
from harness.training.loop import train_job

#: A model of nanoGPT's parameters and calls, written with torch's own functions.
STAND_IN = """
from dataclasses import dataclass
import torch
import torch.nn.functional as F
from torch import nn

@dataclass
class GPTConfig:
    block_size: int
    vocab_size: int
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float
    bias: bool

class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.ModuleDict({"c_attn": nn.Linear(width, 3 * width), "c_proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, x):
        parts = self.attn["c_attn"](self.ln_1(x)).chunk(3, dim=2)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn["c_proj"](mixed.transpose(1, 2).flatten(2))
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x))))

class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config.n_embd
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(config.vocab_size, width),
            "wpe": nn.Embedding(config.block_size, width),
            "h": nn.ModuleList(Block(width, config.n_head) for _ in range(config.n_layer)),
            "ln_f": nn.LayerNorm(width),
        })
        self.lm_head = nn.Linear(width, config.vocab_size, bias=False)
        self.transformer.wte.weight = self.lm_head.weight

    def forward(self, inputs, targets):
        x = self.transformer.wte(inputs) + self.transformer.wpe.weight[: inputs.shape[1]]
        for block in self.transformer.h:
            x = block(x)
        logits = self.lm_head(self.transformer.ln_f(x))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

SMALL = ("ladder.depths=[1]", "ladder.batch_size=8", "task.context=16", "task.n_eval=32")


@pytest.fixture
def run() -> ModuleType:
    """The script, which has the name of those of other experiments."""
    path = REPOSITORY / "experiments" / "sweep_speed" / "run.py"
    spec = importlib.util.spec_from_file_location("sweep_speed_run", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "model.py").write_text(STAND_IN)
    return folder


def overrides(precision: str = "float32") -> tuple[str, ...]:
    return (*overrides_of(32, "nanogpt", 2, "cpu", precision, evaluations=3), *SMALL)


def test_both_sides_have_the_same_losses(tmp_path: Path, checkout: Path) -> None:
    rung = prepare(tmp_path / "rung", overrides(), "nanogpt", "float32", compiled=False).with_steps(6, threads=1)
    assert Work.read(rung.folder) == replace(rung.work, betas=[0.9, 0.95])
    assert rung.work.evaluate_at == [1, 2, 6]
    loop = loop_of(rung.folder, checkout)
    (study,) = compose(*rung.overrides)
    (job,) = cells(study)
    outcomes = train_job(job)
    for seed, outcome in enumerate(outcomes):
        rows = [row for row in outcome.measurements if (row["split"], row["metric"]) == ("eval", "loss")]
        # Six steps apart, in which clipping, decay and the scale of the logits all take part; only rounding differs.
        assert loop.run(seed) == pytest.approx([row["value"] for row in rows], rel=1e-5)
    assert loop.run(0) != loop.run(1)


def test_the_rate_is_that_of_the_products_that_the_family_counts() -> None:
    (study,) = compose(*overrides(), "ladder.steps=10")
    (job,) = cells(study)
    counted = sum(2.0 * m * k * n * times for m, k, n, times in products(job))
    family, shape = study.family, job.rung.shape
    attention = 3 * 2 * 16 * shape.depth * 2 * 16 * shape.width * 8
    assert counted == pytest.approx(family.training_flops(shape, study.signature) * 8 - attention)
    assert product_rate(job, torch.device("cpu"), 0.02) > 1e6


def test_sides_take_turns_and_one_that_fails_says_so_in_a_line(tmp_path: Path) -> None:
    order: list[str] = []

    def side(name: str) -> Callable[[int], float]:
        return lambda at: float(order.append(f"{name}{at}") is None)

    assert alternately({"a": side("a"), "b": side("b")}, 3) == {"a": [1.0] * 3, "b": [1.0] * 3}
    assert order == ["a0", "b0", "b1", "a1", "a2", "b2"]
    with pytest.raises(SideError, match="exit code 1: a reason"):
        run_all([["python3", "-c", "raise SystemExit('a reason')"]], tmp_path, importing())


def test_what_is_missing_is_said_and_what_is_wrong_is_refused(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HARNESS_NANOGPT", raising=False)
    out = tmp_path / "found.json"
    assert run.main(["--only", "rungs,quickstart", "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "rungs: needs a checkout of nanoGPT: --nanogpt PATH, or HARNESS_NANOGPT",
        "quickstart: its comparison needs an older checkout of this repository: --before PATH",
    ]
    for wrong in (["--nanogpt", str(tmp_path)], ["--only", "nothing"], ["--against", "nothing"]):
        with pytest.raises(SystemExit, match="2"):
            run.main([*wrong, "--out", str(out)])
        assert "allowed" in capsys.readouterr().err.splitlines()[-1]


def test_rows_become_a_table(
    run: ModuleType,
    tmp_path: Path,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("comparisons.with_duration", lambda rung, args: rung)
    monkeypatch.setattr("comparisons.swept", lambda *at: at[2].update({at[3]: [2.0, 2.2]}) or 10.0)
    monkeypatch.setattr("comparisons.looped", lambda _, __, losses: losses.update(loop=[2.0, 2.1]) or 15.0)
    words = ["--only", "rungs", "--widths", "32", "--nanogpt", str(checkout), "--rounds", "2", "--seeds", "2"]
    out = tmp_path / "found.json"
    assert run.main([*words, "--out", str(out)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "1 threads" in line)
    cells_shown = [cell.strip() for cell in line.strip("│").split("│")]
    expected = ["32", "loop, 1 threads", "10", "15.0", "10.0", "1.50", "1.50 to 1.50", "1.50"]
    assert cells_shown == [*expected, "2.0500 ± 0.0500", "2.1000 ± 0.1000", "1.0e-01"]
    (row,) = json.loads(out.read_text())["rungs"]
    assert row["seconds"] == {"loop": [15.0, 15.0], "harness": [10.0, 10.0]}
    assert str(REPOSITORY) not in out.read_text()
