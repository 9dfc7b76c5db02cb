"""Scores of all members on one evaluation set, as rows of the measurements table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from harness.metrics import LOSS, Metric, Outputs
from harness.settings import Settings
from harness.tasks.base import Batch, Task
from harness.tasks.shifts.sets import EvaluationSet
from harness.training.gradients import outputs_of
from harness.training.losses import criterion, is_classes
from harness.training.members import Stack

#: Upper bound on the logits held at once, in numbers; bounds memory, not results.
MAX_LOGITS = 2**23
#: Upper bound on the FLOPs of a forward pass, and so on the activations that it holds: they are few for the FLOPs where
#: layers are dense, many where they are convolutions of few channels. One of 3 x 3 on one channel gives a number for 18
#: FLOPs, a gigabyte for 2^32.
MAX_FLOPS = 2**32


class Evaluator:
    """Holds an evaluation set on the device.

    Args:
        asked: the evaluation set; the task's own where None.
    """

    def __init__(self, settings: Settings, device: torch.device, asked: EvaluationSet | None = None) -> None:
        asked = asked or EvaluationSet.own(settings.task)
        self.settings = replace(settings, task=asked.task)
        self.split, self.task, self.batch = asked.split, asked.task, asked.batch
        # Products grow with the length of a sequence, and those of attention with its square.
        self.flops_times = (asked.task.signature.context / settings.task.signature.context) ** 2
        self.inputs = torch.from_numpy(self.batch.inputs).to(device)
        self.targets = torch.from_numpy(self.batch.targets).to(device)
        self.criterion = criterion(replace(settings.loss, label_smoothing=0.0))

    def chance(self, metric: str) -> float | None:
        """The value of a metric for a model that guesses; None where that is not known."""
        return chance(self.settings, metric)

    def outputs(self, stack: Stack) -> list[Outputs]:
        """What each member says about the evaluation set."""
        answers = {name: values.cpu() for name, values in self.answers(stack, self.inputs, self.targets).items()}
        known = {"scored": self.batch.scored}
        if (n_bytes := self.task.target_bytes) is not None:
            known["n_bytes"] = n_bytes[self.batch.targets]
        if self.task.signature.answers == "values":
            known["wanted"] = self.batch.targets
        fields: Iterable[dict[str, Any]] = (
            known | {name: _array(values[m]) for name, values in answers.items()} for m in range(len(stack.params_MP))
        )
        return [Outputs(**each) for each in fields]

    @torch.no_grad()
    def answers(self, stack: Stack, inputs: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        """What `Outputs` keeps of every member's outputs, by its field, (M, B, S) or (M, B, S, V) on the device."""
        members = len(stack.params_MP)
        n_logits = targets.shape[1] * self.settings.signature.n_outputs
        chunk = examples_at_once(stack, n_logits, len(inputs), self.flops_times)
        found: dict[str, torch.Tensor] = {}
        for first, x, y in zip(range(0, len(inputs), chunk), inputs.split(chunk), targets.split(chunk), strict=True):
            of_part = self._judged(outputs_of(stack, x), y.expand(members, *y.shape))
            if chunk >= len(inputs):
                return of_part
            for name, values in of_part.items():
                # Made at once: what is kept of each part would lie between the large blocks that the parts free, and
                # those of the next part would find no room there.
                if name not in found:
                    found[name] = values.new_empty((members, len(inputs), *values.shape[2:]))
                found[name][:, first : first + chunk] = values
        return found

    def _judged(self, outputs_MBSV: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        """The `answers` of a part of the evaluation set."""
        if self.task.signature.answers == "values":
            return self._judged_values(outputs_MBSV, targets)
        log_probs_MBSV = outputs_MBSV.log_softmax(dim=-1)
        if is_classes(targets):
            log_prob, right = log_probs_MBSV.gather(-1, targets.unsqueeze(-1)).squeeze(-1), targets
        else:
            log_prob, right = (targets * log_probs_MBSV).sum(dim=-1), targets.argmax(dim=-1)
        cross_entropy = self.settings.loss.kind == "cross_entropy"
        loss = -log_prob if cross_entropy else self.criterion(outputs_MBSV, targets)
        return {"log_prob": log_prob, "correct": log_probs_MBSV.argmax(dim=-1) == right, "loss": loss}

    def _judged_values(self, outputs_MBSV: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = self.criterion(outputs_MBSV, targets)
        if self.settings.loss.kind == "binary":
            correct = ((outputs_MBSV > 0) == (targets > 0.5)).all(dim=-1)
            log_prob = -loss * outputs_MBSV.shape[-1]
            return {"log_prob": log_prob, "correct": correct, "loss": loss, "predicted": outputs_MBSV.sigmoid()}
        unknown, wrong = torch.full_like(loss, torch.nan), torch.zeros_like(loss, dtype=torch.bool)
        return {"log_prob": unknown, "correct": wrong, "loss": loss, "predicted": outputs_MBSV}

    def measure(self, stack: Stack) -> list[list[dict[str, Any]]]:
        """For each member, a row per (metric, subtask), the whole task's row named "all"."""
        return [
            [
                row
                for metric in self.settings.metrics
                for row in score(self.task, self.batch, metric, outputs, self.chance(metric.name), self.split)
            ]
            for outputs in self.outputs(stack)
        ]


def examples_at_once(stack: Stack, n_logits: int, n_examples: int, flops_times: float = 1.0) -> int:
    """How many of `n_examples` the members evaluate in one forward pass.

    Args:
        n_logits: of an example.
        flops_times: FLOPs of a forward pass over those of an example in training.
    """
    flops = max(stack.forward_flops * flops_times, 1.0)
    most = max(1, int(min(MAX_LOGITS / n_logits, MAX_FLOPS / flops) / len(stack.params_MP)))
    parts = min(n_examples, max(stack.micro_batches, math.ceil(n_examples / most)))
    return math.ceil(n_examples / parts)  # parts alike, for each size of them is traced


def chance(settings: Settings, metric: str) -> float | None:
    """What the task says of a guesser; the loss that it means is cross-entropy of classes, squared error of values."""
    meant = "cross_entropy" if settings.task.signature.answers == "classes" else "mse"
    of_other_loss = metric == LOSS.name and settings.loss.kind != meant
    return None if of_other_loss else settings.task.chance(metric)


def _array(values: torch.Tensor) -> np.ndarray:
    """Floats as float64, in which means are taken."""
    return (values.double() if values.is_floating_point() else values).numpy()


def score(
    task: Task, batch: Batch, metric: Metric, outputs: Outputs, chance: float | None = None, split: str = "eval"
) -> list[dict[str, Any]]:
    """A metric's mean and standard error in each subtask, and in the whole under `subtask_weight`.

    Args:
        chance: of the whole; None where none is known, and then none of the subtasks.
    """
    values = metric.score(outputs)
    shared = {
        "split": split,
        "metric": metric.name,
        "higher_is_better": metric.higher_is_better,
        "discontinuous": metric.discontinuous,
        "paired_metric": metric.paired_metric,
    }
    groups = [values[batch.subtask == i] for i in range(len(task.subtasks))] or [values]
    means = np.array([group.mean() for group in groups])
    stderrs = np.array([group.std(ddof=1) / np.sqrt(len(group)) if len(group) > 1 else np.nan for group in groups])
    counts = np.array([len(group) for group in groups])
    weights = task.subtask_weight()
    weights = counts / counts.sum() if weights is None else weights
    whole = (float(weights @ means), float(np.sqrt(weights**2 @ stderrs**2)), int(counts.sum()))
    parts: Sequence[tuple[str, tuple[float, float, int]]] = [
        (name, (float(means[i]), float(stderrs[i]), int(counts[i]))) for i, name in enumerate(task.subtasks)
    ]
    of_part = {name: None if chance is None else task.subtask_chance(metric.name, name) for name in task.subtasks}
    return [
        shared | {"subtask": name, "value": value, "stderr": stderr, "n_eval": n_eval, "chance": guess}
        for name, guess, (value, stderr, n_eval) in [
            ("all", chance, whole),
            *((name, of_part[name], scores) for name, scores in parts),
        ]
    ]
