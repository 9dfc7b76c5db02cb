"""A results folder that looks like the quickstart's: five studies with planted patterns, and some runs that failed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from harness.records.schema import LINEAGE
from harness.records.store import collect
from harness.records.writer import write_run

Numbers = dict[tuple[str, str], float]

#: metric -> (discontinuous, higher is better, paired metric)
METRICS = {
    "loss": (False, False, None),
    "accuracy": (True, True, "loss"),
    "token_accuracy": (False, True, None),
    "exact_match": (True, True, "token_accuracy"),
}


def parity(rng: np.random.Generator, width: int, n_subtasks: int) -> Numbers:
    """Each subtask is learnt at a width of its own, which differs a little by seed."""
    spread = rng.normal(0.0, 0.25, n_subtasks)
    onset = 10.0 * np.arange(1, n_subtasks + 1) ** 0.6 * 2**spread
    learnt = width > onset
    accuracy = np.where(learnt, 1.0, 0.5 + rng.normal(0, 0.03, n_subtasks))
    loss = np.where(learnt, 0.005, 0.69) * np.exp(rng.normal(0, 0.03, n_subtasks))
    share = np.arange(1, n_subtasks + 1) ** -1.6
    share /= share.sum()
    numbers = {("accuracy", "all"): share @ accuracy, ("loss", "all"): share @ loss}
    for i in range(n_subtasks):
        numbers[("accuracy", f"subtask {i + 1:02}")] = accuracy[i]
        numbers[("loss", f"subtask {i + 1:02}")] = loss[i]
    return numbers


def induction(rng: np.random.Generator, width: int) -> Numbers:
    widths = [8, 12, 16, 20, 24, 28, 32, 40]
    loss = np.interp(width, widths, [3.41, 3.34, 3.25, 3.13, 3.02, 2.91, 0.008, 0.003])
    token = np.interp(width, widths, [0.06, 0.08, 0.10, 0.12, 0.15, 0.17, 1.0, 1.0])
    noise = np.exp(rng.normal(0, 0.02))
    exact = 1.0 if width >= 32 else 0.0
    return {
        ("loss", "all"): loss * noise,
        ("token_accuracy", "all"): min(1, token * noise),
        ("exact_match", "all"): exact,
    }


def lookup(rng: np.random.Generator, width: int) -> Numbers:
    widths = [8, 12, 16, 24, 32, 48, 64]
    token = np.interp(width, widths, [0.09, 0.17, 0.34, 0.73, 0.988, 0.9995, 1.0]) * np.exp(rng.normal(0, 0.01))
    token = min(token, 1.0)
    return {
        ("loss", "all"): 0.002 - 1.3 * np.log(token),
        ("token_accuracy", "all"): token,
        ("exact_match", "all"): token**8,
    }


def text(rng: np.random.Generator, width: int) -> Numbers:
    loss = 3.4 * (12 * width**2) ** -0.055 * np.exp(rng.normal(0, 0.006))
    return {("loss", "all"): loss, ("accuracy", "all"): 0.68 - 0.14 * loss}


def digits(rng: np.random.Generator, width: int) -> Numbers:
    loss = (0.09 + 2.0 * (width * 70) ** -0.5) * np.exp(rng.normal(0, 0.02))
    return {("loss", "all"): loss, ("accuracy", "all"): 0.99 - 0.45 * loss + rng.normal(0, 0.002)}


STUDIES: dict[str, dict[str, Any]] = {
    "parity": {
        "make": parity,
        "family": "mlp",
        "widths": [8, 11, 16, 23, 32, 45, 64, 91, 128],
        "seeds": 8,
        "chance": {"accuracy": 0.5, "loss": np.log(2)},
        "notes": "Thresholds are onsets at this number of training steps: trained longer, rarer subtasks come earlier.",
    },
    "induction": {
        "make": induction,
        "family": "transformer",
        "widths": [8, 12, 16, 20, 24, 28, 32, 40],
        "seeds": 3,
        "chance": {"token_accuracy": 1 / 32, "exact_match": 0.0},
        "notes": "The jump is one of depth, not of parameters.",
    },
    "lookup": {
        "make": lookup,
        "family": "transformer",
        # So many that token accuracy, which takes 1.7 in ln N, takes more than four steps: it is smooth.
        "widths": [8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64],
        "seeds": 3,
        "chance": {"token_accuracy": 1 / 40, "exact_match": 40.0**-8},
        "notes": "The table is memorised: <this> is capacity, not generalisation.",
    },
    "text": {
        "make": text,
        "family": "transformer",
        "widths": [8, 12, 16, 24, 32, 48, 64],
        "seeds": 3,
        "chance": {"accuracy": 1 / 256},
        "notes": "Every size sees the same tokens, so the exponent is not a compute-optimal one.",
    },
    "digits": {
        "make": digits,
        "family": "mlp",
        "widths": [8, 16, 32, 64, 128, 256],
        "seeds": 8,
        "chance": {"accuracy": 0.1, "loss": np.log(10)},
        "notes": "",
    },
}


def make_results(
    folder: Path,
    studies: tuple[str, ...] = tuple(STUDIES),
    n_subtasks: int = 32,
    max_seeds: int = 8,
    failures: bool = True,
    shifts: Mapping[str, float] | None = None,
) -> Path:
    """Write and collect a results folder; with `failures`, two more runs, one failed and one diverged.

    Args:
        shifts: name -> by how much a share is lower there on a probit scale, and a loss higher as a share of itself.
    """
    rng = np.random.default_rng(0)
    for study in studies:
        plan = STUDIES[study]
        for rung, width in enumerate(plan["widths"]):
            for seed in range(min(plan["seeds"], max_seeds)):
                numbers = plan["make"](rng, width, n_subtasks) if study == "parity" else plan["make"](rng, width)
                run = _run(folder, study, rung, seed)
                rows = list(_measurements(study, numbers, run["flops"]))
                for name, cost in (shifts or {}).items():
                    there = {key: _shifted(key[0], value, cost) for key, value in numbers.items()}
                    rows += [row | {"split": name} for row in _measurements(study, there, run["flops"])]
                write_run(folder, run, rows)
    if failures:
        killed = _run(folder, studies[0], 0, 90) | {"status": "failed", "error": "killed by signal 9 <out of memory?>"}
        write_run(folder, killed, [])
        diverged = _run(folder, studies[-1], 0, 91) | {"status": "diverged", "error": "loss is nan at step 3"}
        write_run(folder, diverged, [])
    collect(folder)
    return folder


def _shifted(metric: str, value: float, cost: float) -> float:
    return value * (1 + cost) if metric == "loss" else float(ndtr(ndtri(np.clip(value, 0, 1)) - cost))


def make_grid(folder: Path, lrs: tuple[float, ...] = (0.003, 0.01, 0.03)) -> Path:
    """Write and collect the study text at three durations and several learning rates, 0.01 the best of them."""
    rng = np.random.default_rng(0)
    for rung, duration, lr in product(range(len(STUDIES["text"]["widths"])), range(3), lrs):
        run = _run(folder, "text", rung, 0)
        tokens = run["tokens"] * 4**duration
        run |= {"run_id": f"{run['run_id']}-{duration}-{lr:g}", "duration": duration, "lr": lr, "tokens": tokens}
        run |= {"flops": 6.0 * run["params_total"] * tokens, "member": f"lr={lr:g}"}
        loss = 1.8 + 40 * run["params_total"] ** -0.4 + 900 * tokens**-0.5 + abs(np.log(lr / 0.01))
        numbers = {("loss", "all"): loss * np.exp(rng.normal(0, 0.002))}
        rows = [row | {"tokens": tokens} for row in _measurements("text", numbers, run["flops"])]
        write_run(folder, run, rows)
    collect(folder)
    return folder


def make_training(folder: Path, lrs: tuple[float, ...] = (0.005, 0.01, 0.02), several: bool = False) -> Path:
    """Write and collect the study text at five sizes, two seeds and several learning rates, measured at five steps.

    The best rate is 0.01 at every size; `several` names a study for each rate, as a multirun does.
    """
    rng = np.random.default_rng(0)
    for rung, seed, lr in product(range(5), range(2), lrs):
        study = f"text (optimizer.lr={lr:g})" if several else "text"
        run = _run(folder, "text", rung, seed) | {"lr": lr, "study": study, "member": f"seed{seed}-lr{lr:g}"}
        run |= {"run_id": f"{run['run_id']}-{lr:g}"}
        rows = []
        for share in (0.002, 0.01, 0.05, 0.25, 1.0):
            loss = 1.8 + 40 * run["params_total"] ** -0.4 + 0.5 * share**-0.25 + 0.3 * np.log(lr / 0.01) ** 2
            numbers = {("loss", "all"): loss * np.exp(rng.normal(0, 0.002)), ("accuracy", "all"): 0.7 - 0.1 * loss}
            done = {"step": round(500 * share), "tokens": round(run["tokens"] * share)}
            rows += [row | done for row in _measurements("text", numbers, run["flops"] * share)]
        write_run(folder, run, rows)
    collect(folder)
    return folder


def _run(folder: Path, study: str, rung: int, seed: int) -> dict[str, Any]:
    plan = STUDIES[study]
    width, depth = plan["widths"][rung], 2 if study == "induction" and plan["widths"][rung] >= 32 else 1
    transformer = plan["family"] == "transformer"
    body = depth * (4 if study == "induction" else 12) * width**2 if transformer else 49 * width
    tables = 80 * width if transformer else 0
    head = 40 * width if transformer else 2 * width + 2
    total = body + tables + head
    tokens = 500 * 16 * 40
    return {
        "run_id": f"{study}-{rung}-{seed}",
        "experiment": folder.name,
        "study": study,
        "family": plan["family"],
        "task": study,
        "rung": rung,
        "duration": 0,
        "member": f"seed{seed}",
        "seed": seed,
        "lr": 0.01,
        "width": width,
        "depth": depth,
        "heads": int(transformer),
        "params_total": total,
        "params_embedding": tables,
        "params_attention": body // 3 if transformer else 0,
        "params_mlp": body - body // 3 if transformer else body,
        "params_norm": 0,
        "params_head": head,
        "params_non_embedding": body,
        "steps": 500,
        "batch_size": 16,
        "micro_batches": None,
        "params_trained": None,
        "spent_flops": None,
        **dict.fromkeys(LINEAGE),
        "tokens": tokens,
        "unique_examples": None,
        "epochs": None,
        "flops": 6.0 * total * tokens,
        "status": "finished",
        "error": None,
        "wall_s": 2.0 + 0.01 * rung,
        "tokens_per_s": 1e5,
        "device": "cpu",
        "config": json.dumps({"study": study, "notes": plan["notes"], "optimizer": {"lr": 0.01}}),
        "versions": json.dumps({"python": "3.11.9", "torch": "2.13.0", "harness": "0.1.0"}),
        "git_revision": "0123456789abcdef",
        "finished_at": datetime(2025, 1, 2, tzinfo=UTC),
    }


def _measurements(study: str, numbers: Numbers, flops: float) -> Iterator[dict[str, Any]]:
    for (metric, subtask), value in numbers.items():
        discontinuous, higher_is_better, paired = METRICS[metric]
        bounded = metric != "loss"
        n_eval = 256 if subtask != "all" else 2048
        yield {
            "step": 500,
            "tokens": 500 * 16 * 40,
            "flops": flops,
            "split": "eval",
            "subtask": subtask,
            "metric": metric,
            "value": float(np.clip(value, 0, 1)) if bounded else float(value),
            "stderr": float(np.sqrt(max(value * (1 - value), 1e-6) / n_eval)) if bounded else 0.01 * float(value),
            "n_eval": n_eval,
            "chance": STUDIES[study]["chance"].get(metric),
            "higher_is_better": higher_is_better,
            "discontinuous": discontinuous,
            "paired_metric": paired,
        }
