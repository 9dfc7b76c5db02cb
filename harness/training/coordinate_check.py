"""The coordinate check of muP: how far activations move in a few steps must not depend on width.

Source: Yang et al. 2021, "Tensor Programs V", appendix D.1. The change since initialisation is measured rather than the
activation itself, for a constant part (an embedding at its initial values) would hide a growing one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
from harness.training.optimizers import OPTIMIZERS


def coordinate_sizes(
    family: Family,
    task: Task,
    depth: int,
    widths: Sequence[int],
    parametrization: str,
    optimizer: str,
    lr: float,
    steps: int = 3,
    seeds: int = 2,
) -> pd.DataFrame:
    """Mean absolute change of each module's output after each step, on one batch that is trained on again and again.

    Returns:
        Columns width, seed, step (from 1), module, size (mean over the batch and the module's outputs).
    """
    settings = Settings(
        family=family,
        task=task,
        ladder=LadderSettings(widths=list(widths), depths=[depth], steps=steps, batch_size=16),
        optimizer=OptimizerSettings(kind=optimizer, lr=lr, momentum=0.0),
        parametrization=ParametrizationSettings(parametrization, base_width=widths[0]),
        seeds=seeds,
    )
    rows = []
    for rung in build_ladder(settings):
        for member in members(settings, rung, 0):
            activations = _train(Job(settings, rung, 0, (member,)))
            rows += [
                {"width": rung.shape.width, "seed": member.seed, "step": step, "module": name}
                | {"size": float((after - activations[0][name]).abs().mean())}
                for step in range(1, steps + 1)
                for name, after in activations[step].items()
            ]
    return pd.DataFrame(rows)


def width_exponents(sizes: pd.DataFrame) -> pd.Series:
    """Slope of log size against log width for each (step, module): about 0 under muP.

    What has not moved yet (before a readout that starts at zero, nothing moves in the first step) is left out.
    """
    mean = sizes[sizes["size"] > 0].groupby(["step", "module", "width"])["size"].mean()

    def slope(curve: pd.Series) -> float:
        return float(np.polyfit(np.log(curve.index.get_level_values("width")), np.log(curve), 1)[0])

    return mean.groupby(["step", "module"]).apply(slope)


@torch.no_grad()
def _train(job: Job) -> list[dict[str, torch.Tensor]]:
    """Every module's output before training and after each step."""
    stack = Stack.of(job, torch.device("cpu"))
    settings = job.settings
    optimizer = OPTIMIZERS[settings.optimizer.kind](stack.params_MP, stack.lr_MP, stack.decays_P, settings.optimizer)
    batch = settings.task.train_batch(np.random.default_rng(0), settings.ladder.batch_size)
    inputs, targets = torch.from_numpy(batch.inputs)[None], torch.from_numpy(batch.targets)[None]
    weights = torch.from_numpy(batch.scored / batch.scored.sum()).float()[None]
    loss_and_grad = stack.trace(inputs, targets, weights)
    activations = [_activations(stack, inputs[0])]
    for _ in range(job.steps):
        optimizer.step(loss_and_grad(inputs, targets, weights)[1], 1.0)
        activations.append(_activations(stack, inputs[0]))
    return activations


def _activations(stack: Stack, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    outputs: dict[str, torch.Tensor] = {}

    def remember(name: str) -> Callable[[nn.Module, object, torch.Tensor], None]:
        def hook(module: nn.Module, args: object, output: torch.Tensor) -> None:
            outputs[name] = output.clone()

        return hook

    hooks = [
        module.register_forward_hook(remember(name or "logits"))
        for name, module in stack.skeleton.named_modules()
        if not isinstance(module, nn.ModuleList)
    ]
    functional_call(stack.skeleton, {name: value[0] for name, value in stack.by_name().items()}, (inputs,))
    for handle in hooks:
        handle.remove()
    return outputs
