"""Files of other tools for ``harness import``: real ones damaged, and built ones with fields changed."""

from __future__ import annotations

import gzip
import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import odd
from sandbox import Case

_REAL = Path(__file__).parents[2] / "tests" / "records" / "imported"


@cache
def _real() -> tuple[tuple[str, str, bytes], ...]:
    """Format, name and content of the files that tests import."""
    files = sorted(path for path in _REAL.rglob("*") if path.is_file() and path.suffix != ".md")
    return tuple((path.relative_to(_REAL).parts[0], path.name, path.read_bytes()) for path in files)


def _trainer() -> dict[str, Any]:
    logged = [{"step": step, "epoch": step / 100, "loss": 5 / step, "learning_rate": 1e-3} for step in (10, 20, 30)]
    evaluated = [{"step": step, "eval_loss": 6 / step, "eval_accuracy": 0.5} for step in (10, 20, 30)]
    return {"global_step": 30, "max_steps": 30, "log_history": logged + evaluated, "num_input_tokens_seen": 1000}


def _lm_eval() -> dict[str, Any]:
    scores = {"acc,none": 0.5, "acc_stderr,none": 0.02, "alias": "arc_easy"}
    return {
        "results": {"arc_easy": scores, "hellaswag": {"acc_norm,none": 0.3, "acc_norm_stderr,none": "N/A"}},
        "configs": {"arc_easy": {"metric_list": [{"metric": "acc", "higher_is_better": True}]}},
        "n-samples": {"arc_easy": {"original": 500, "effective": 500}},
        "config": {
            "model": "hf",
            "model_args": "pretrained=org/model,revision=step1000",
            "model_num_parameters": 10**6,
        },
        "higher_is_better": {"arc_easy": {"acc": True}},
        "model_name": "org/model",
        "date": 1700000000.5,
    }


def _nanogpt(rng: random.Random) -> bytes:
    def figure() -> str:
        return str(rng.choice((2.5, 3, "nan", "inf", "1e999", "N/A", "3,9", odd.number(rng), odd.text(rng))))

    lines = [f"step {rng.choice((i, 0, 10**30))}: train loss {figure()}, val loss {figure()}" for i in range(0, 50, 10)]
    lines += [f"iter {i}: loss {figure()}, time 12ms" for i in range(0, 50, 10)]
    lines.append(f"tokens per iteration will be: {rng.choice(('4,096', '9' * 40, ',,,', '0'))}")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _wandb(rng: random.Random) -> bytes:
    header = ["Step", f"run{rng.choice(('', ' a', '/x'))} - eval/loss", "run b - eval/acc", "run b - eval/acc__MIN"]
    if rng.random() < 0.3:
        header[rng.randrange(4)] = odd.text(rng)
    rows = [[str(odd.number(rng) if rng.random() < 0.1 else i) for i in range(4)] for _ in range(4)]
    return "\n".join(",".join(f'"{cell}"' for cell in row) for row in (header, *rows)).encode("utf-8", "surrogatepass")


def make(rng: random.Random) -> Case:
    """One or two files, and an import of them."""
    kind, name, content = rng.choice(_real())
    built = rng.random()
    if built < 0.2:
        kind, name, content = "trainer", "trainer_state.json", odd.as_json(odd.json_near(rng, _trainer()))
    elif built < 0.4:
        kind, name, content = "lm_eval", "results_x.json", odd.as_json(odd.json_near(rng, _lm_eval()))
    elif built < 0.5:
        kind, name, content = "nanogpt", "a.log", _nanogpt(rng)
    elif built < 0.6:
        kind, name, content = "wandb", "a.csv", _wandb(rng)
    elif name.endswith(".json") and rng.random() < 0.5:
        content = odd.as_json(odd.json_near(rng, json.loads(content)))
    elif rng.random() < 0.9:
        content = odd.bytes_near(rng, content)
    if rng.random() < 0.05:
        name, content = f"{name}.gz", gzip.compress(content)[: rng.choice((None, 30))]
    files = {f"in/{name}": content}
    if rng.random() < 0.1:
        files[f"in/more/{name}"] = odd.bytes_near(rng, content)
    if rng.random() < 0.05:
        kind = rng.choice((*(each for each, *_ in _real()), "nosuch", odd.text(rng)))
    stated = ["params_non_embedding=124e6"]
    if rng.random() < 0.2:
        stated.append(f"{rng.choice(('seed', 'tokens', 'family', 'flops', 'lr', odd.text(rng)))}={odd.value(rng)}")
    sets = [word for one in stated for word in ("--set", one)]
    where = "in" if rng.random() < 0.5 else f"in/{name}"
    return Case(
        ("import", kind, where, "--into", "results/x", *sets), files, ("in", "--set", kind, "sidecar", "allowed is")
    )
