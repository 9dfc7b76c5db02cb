"""The coordinate check: how far activations move in a few steps must not depend on width, or on depth.

Sources: Yang et al. 2021, "Tensor Programs V", appendix D.1 (width); Dey et al. 2025, "Don't be lazy: CompleteP enables
compute-efficient deep transformers", section 5 (depth). The change since initialisation is measured rather than the
activation itself, for a constant part (an embedding at its initial values) would hide a growing one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.func import functional_call

from harness.families.base import Family
from harness.ladder import Job, build_ladder, members
from harness.settings import LadderSettings, OptimizerSettings, ParametrizationSettings, Settings
from harness.tasks.base import Task
from harness.training.members import Stack
from harness.training.optimizers import OPTIMIZERS, take_step


def coordinate_sizes(
    family: Family,
    task: Task,
    widths: Sequence[int],
    depths: Sequence[int],
    parametrization: ParametrizationSettings,
    optimizer: OptimizerSettings,
    steps: int = 3,
    seeds: int = 2,
) -> pd.DataFrame:
    """Mean absolute change of each module's output after each step, on one batch that is trained on again and again.

    Args:
        widths, depths: of each size; either may hold one value, which is then that of all sizes.

    Returns:
        Columns width, depth, seed, step (from 1), module, size (mean over the batch and the module's outputs).
    """
    torch.set_num_threads(1)  # as training does: these models are too small to share out
    settings = Settings(
        family=family,
        task=task,
        ladder=LadderSettings(widths=list(widths), depths=list(depths), steps=steps, batch_size=16),
        optimizer=optimizer,
        parametrization=parametrization,
        seeds=seeds,
    )
    rows = []
    for rung in build_ladder(settings):
        shape = {"width": rung.shape.width, "depth": rung.shape.depth}
        job = Job(settings, rung, 0, members(settings, rung, 0))
        start, *later = _train(job)
        for step, activations in enumerate(later, start=1):
            for name, after_MB in activations.items():
                size_M = (after_MB - start[name]).abs().flatten(1).mean(dim=1)
                rows += [
                    shape | {"seed": member.seed, "step": step, "module": name, "size": float(size)}
                    for member, size in zip(job.members, size_M, strict=True)
                ]
    return pd.DataFrame(rows)


def exponents(sizes: pd.DataFrame, along: Literal["width", "depth"]) -> pd.Series:
    """Slope of log size against log width or log depth for each (step, module): about 0 where nothing grows.

    Along depth, the modules of all blocks count as one module. What has not moved yet (before a readout that starts at
    zero, nothing moves in the first step) is left out.
    """
    moved = sizes[sizes["size"] > 0]
    if along == "depth":
        moved = moved.assign(module=moved["module"].map(lambda name: re.sub(r"\.\d+", "", name)))
    mean = moved.groupby(["step", "module", along])["size"].mean()

    def slope(curve: pd.Series) -> float:
        return float(np.polyfit(np.log(curve.index.get_level_values(along)), np.log(curve), 1)[0])

    return mean.groupby(["step", "module"]).apply(slope)


@torch.no_grad()
def _train(job: Job) -> list[dict[str, torch.Tensor]]:
    """Every module's output, (M, B, ...), before training and after each step."""
    stack = Stack.of(job, torch.device("cpu"))
    settings = job.settings
    optimizer = OPTIMIZERS[settings.optimizer.kind](stack.params_MP, stack.rates, settings.optimizer)
    batch = settings.task.train_batch(np.random.default_rng(0), settings.ladder.batch_size)
    scored = batch.scored / batch.scored.sum()
    inputs, targets, weights = (
        torch.from_numpy(array).expand(len(job.members), *array.shape)
        for array in (batch.inputs, batch.targets, scored.astype(np.float32))
    )
    activations = [_activations(stack, inputs[0])]
    for step in range(job.steps):
        # Too few steps for a trace to pay.
        _, grad_MP = stack.loss_and_grad(stack.by_name(), inputs, targets, weights)
        take_step(optimizer, grad_MP, step)
        activations.append(_activations(stack, inputs[0]))
    return activations


def _activations(stack: Stack, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """(M, B, ...) output of every module on one batch (B, ...), by name; that of the whole model is "logits"."""
    outputs: dict[str, list[torch.Tensor]] = {}

    def remember(name: str) -> Callable[[nn.Module, object, torch.Tensor], None]:
        def hook(module: nn.Module, args: object, output: torch.Tensor) -> None:
            outputs.setdefault(name, []).append(output.clone())

        return hook

    hooks = [
        module.register_forward_hook(remember(name or "logits"))
        for name, module in stack.skeleton.named_modules()
        if not isinstance(module, nn.ModuleList | nn.Identity)
    ]
    params = stack.by_name()
    for member in range(len(stack.params_MP)):
        functional_call(stack.skeleton, {n: p[member] for n, p in params.items()} | stack.buffers, (inputs,))
    for handle in hooks:
        handle.remove()
    return {name: torch.stack(of_members) for name, of_members in outputs.items()}
