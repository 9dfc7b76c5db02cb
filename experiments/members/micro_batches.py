"""How far a run in micro-batches is from the run undivided, beside what 1e-7 at its start makes of it.

python experiments/members/micro_batches.py [--steps 50]      (one core, about a minute)
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import torch

from harness.families.base import Family
from harness.families.cnn import CNN
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.ladder import Job, build_ladder, members
from harness.settings import LadderSettings, OptimizerSettings, Settings, TrainingSettings
from harness.tasks.base import Task
from harness.tasks.digits import Digits
from harness.tasks.sequences.recall import Lookup
from harness.training import ways
from harness.training.loop import train_job

CASES: list[tuple[Family, Task]] = [
    (MLP(dropout=0.2), Digits()),
    (CNN(dropout=0.2), Digits()),
    (Transformer(dropout=0.2), Lookup()),
]
PARTS = (2, 3, 8)


def job_of(family: Family, task: Task, steps: int, kind: str, lr: float) -> Job:
    settings = Settings(
        family=family,
        task=task,
        ladder=LadderSettings(widths=[16], depths=[2], steps=steps, batch_size=16, heads=1),
        optimizer=OptimizerSettings(kind=kind, lr=lr),
        training=TrainingSettings(device="cpu", evaluations=4),
        seeds=2,
    )
    (rung,) = build_ladder(settings)
    return Job(settings, rung, 0, members(settings, rung, 0))


def losses(job: Job) -> np.ndarray:
    """Every loss that was measured of every member."""
    return np.array([[row["value"] for row in o.measurements if row["metric"] == "loss"] for o in train_job(job)])


def nudged(job: Job, device: torch.device, first: int = 0) -> Iterator[tuple[torch.Tensor, ...]]:
    """The training batches, with the weights of the first three moved by a rounding error."""
    for step, (inputs, targets, weights) in enumerate(_batches(job, device, first)):
        yield inputs, targets, weights * (1 + 1e-7 * (step - 1)) if step < 3 else weights


_batches = ways.training_batches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50)
    steps = parser.parse_args().steps
    warnings.simplefilter("ignore")
    print(f"largest relative difference of a loss in {steps} steps")
    for family, task in CASES:
        for kind, lr in (("adamw", 0.01), ("sgd", 0.1)):
            job = job_of(family, task, steps, kind, lr)
            whole = losses(job)

            def difference(found: np.ndarray, whole: np.ndarray = whole) -> str:
                return f"{np.max(np.abs(found - whole) / np.abs(whole)):.1e}"

            parts = [f"{n} parts {difference(losses(replace(job, micro_batches=n)))}" for n in PARTS]
            with patch.object(ways, "training_batches", nudged):
                moved = difference(losses(job))
            print(f"{family.name:11} {kind:5}  {'  '.join(parts)}  moved by 1e-7 {moved}", flush=True)


if __name__ == "__main__":
    main()
