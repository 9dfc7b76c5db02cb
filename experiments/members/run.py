"""Time one training step of M members: alone, under vmap, traced, and with a hand-written member dimension.

python experiments/members/run.py [--steps 200]      (one core, about 2 minutes)
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table

from harness.families.base import Family
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.ladder import Job, build_ladder, members
from harness.settings import LadderSettings, Settings
from harness.tasks.base import Task
from harness.tasks.digits import Digits
from harness.tasks.sequences.recall import Lookup
from harness.training.batches import training_batches
from harness.training.gradients import gradient_of
from harness.training.members import Stack
from harness.training.optimizers import OPTIMIZERS, take_step
from harness.training.rates import Rates

Step = Callable[[], object]


def job_of(family: Family, task: Task, width: int, n_members: int) -> Job:
    settings = Settings(
        family=family, task=task, ladder=LadderSettings(widths=[width], steps=1, batch_size=64), seeds=n_members
    )
    (rung,) = build_ladder(settings)
    return Job(settings, rung, 0, members(settings, rung, 0))


def steps_of(job: Job) -> dict[str, Step]:
    """One training step, members together: under vmap and autograd, and traced."""
    stack = Stack.of(job, torch.device("cpu"))
    optimizer = OPTIMIZERS["adamw"](stack.params_MP, stack.rates, job.settings.optimizer)
    batch = next(training_batches(job, torch.device("cpu")))
    traced = gradient_of(stack, *batch, {})
    params = stack.by_name()

    def under_vmap() -> None:
        losses, pull, *_ = torch.func.vjp(lambda p: stack.losses(p, *batch), params)
        (grads,) = pull(torch.ones_like(losses))
        take_step(optimizer, torch.cat([grad.flatten(1) for grad in grads.values()], dim=1), 0)

    return {"vmap": under_vmap, "traced": lambda: take_step(optimizer, traced(*batch, {})[1], 0)}


def leading_dimension_step(job: Job) -> Step:
    """The MLP of the same shape written by hand with baddbmm over members; autograd and the same optimizer."""
    width, n_members = job.rung.shape.width, len(job.members)
    inputs, targets, weights = next(training_batches(job, torch.device("cpu")))
    x, y, w = inputs.flatten(2), targets.flatten(), weights.flatten()
    n_inputs, n_outputs = x.shape[-1], job.settings.task.signature.n_outputs
    shapes = [(n_inputs, width), (1, width), (width, n_outputs), (1, n_outputs)]
    params = [(torch.randn(n_members, *shape) / 8).requires_grad_() for shape in shapes]
    flat = torch.cat([p.detach().flatten(1) for p in params], dim=1)
    rates = Rates(torch.tensor(1e-3), None, torch.tensor(job.settings.optimizer.eps))
    optimizer = OPTIMIZERS["adamw"](flat, rates, job.settings.optimizer)

    def step() -> None:
        w1, b1, w2, b2 = params
        logits = torch.baddbmm(b2, torch.baddbmm(b1, x, w1).relu(), w2)
        loss = (F.cross_entropy(logits.flatten(0, 1), y, reduction="none") * w).view(n_members, -1).sum(dim=1).sum()
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            take_step(optimizer, torch.cat([grad.flatten(1) for grad in grads], dim=1), 0)

    return step


def milliseconds(ways: dict[str, Step], steps: int, rounds: int = 5) -> dict[str, float]:
    """Best mean over `rounds`, the ways in turn in each, so that a slow moment of the machine falls on all alike."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for way, step in ways.items():
            step()
            start = time.perf_counter()
            for _ in range(steps):
                step()
            best[way] = min(best[way], 1e3 * (time.perf_counter() - start) / steps)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100, help="steps a round")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="There is a performance drop")
    table = Table("model", "M", "1 alone", "vmap", "traced", "by hand", "M alone / traced", "traced / by hand")
    cases: list[tuple[str, Family, Task, int]] = [
        ("mlp 16", MLP(), Digits(), 16),
        ("mlp 128", MLP(), Digits(), 128),
        ("tf 16", Transformer(), Lookup(), 16),
        ("tf 64", Transformer(), Lookup(), 64),
    ]
    for name, family, task, width in cases:
        for n_members in (3, 8):
            job = job_of(family, task, width, n_members)
            ways = {"alone": steps_of(job_of(family, task, width, 1))["traced"]} | steps_of(job)
            if isinstance(family, MLP):
                ways["by hand"] = leading_dimension_step(job)
            found = milliseconds(ways, args.steps)
            row = [f"{found[way]:.2f}" if way in found else "" for way in ("alone", "vmap", "traced", "by hand")]
            gain = f"{n_members * found['alone'] / found['traced']:.2f}"
            cost = f"{found['traced'] / found['by hand']:.2f}" if "by hand" in found else ""
            table.add_row(name, str(n_members), *row, gain, cost)
    Console(width=100).print(table, "milliseconds a step, batch 64, one thread")


if __name__ == "__main__":
    main()
