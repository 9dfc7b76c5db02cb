"""Scores of all members on the task's evaluation set, as rows of the measurements table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from harness.metrics import Metric, Outputs
from harness.tasks.base import Batch, Task
from harness.training.members import Stack

#: Upper bound on the logits held at once, in numbers; bounds memory, not results.
MAX_LOGITS = 2**23


class Evaluator:
    """Holds the evaluation set on the device."""

    def __init__(self, task: Task, device: torch.device) -> None:
        self.task, self.batch = task, task.eval_batch()
        self.inputs = torch.from_numpy(self.batch.inputs).to(device)
        self.targets = torch.from_numpy(self.batch.targets).to(device)

    def outputs(self, stack: Stack) -> list[Outputs]:
        """What each member says about the evaluation set."""
        log_prob_MBS, correct_MBS = (tensor.cpu() for tensor in self.answers(stack))
        return [
            Outputs(log_prob_BS.double().numpy(), correct_BS.numpy(), self.batch.scored)
            for log_prob_BS, correct_BS in zip(log_prob_MBS, correct_MBS, strict=True)
        ]

    @torch.no_grad()
    def answers(self, stack: Stack) -> tuple[torch.Tensor, torch.Tensor]:
        """(M, B, S) log-probability that each member gives the right answers, and whether its first choice is right."""
        params, members = stack.by_name(), len(stack.params_MP)
        positions = self.targets.shape[1]
        chunk = max(1, MAX_LOGITS // (members * positions * self.task.signature.n_outputs))
        log_probs, corrects = [], []
        for x, y in zip(self.inputs.split(chunk), self.targets.split(chunk), strict=True):
            log_probs_MBSV = stack.logits(params, x.expand(members, *x.shape)).log_softmax(dim=-1)
            y_MBS1 = y.expand(members, *y.shape).unsqueeze(-1)
            log_probs.append(log_probs_MBSV.gather(-1, y_MBS1).squeeze(-1))
            corrects.append(log_probs_MBSV.argmax(dim=-1) == y)
        return torch.cat(log_probs, dim=1), torch.cat(corrects, dim=1)

    def measure(self, stack: Stack) -> list[list[dict[str, Any]]]:
        """For each member, a row per (metric, subtask), the whole task's row named "all"."""
        return [
            [row for metric in self.task.metrics for row in score(self.task, self.batch, metric, outputs)]
            for outputs in self.outputs(stack)
        ]


def score(task: Task, batch: Batch, metric: Metric, outputs: Outputs) -> list[dict[str, Any]]:
    """A metric's mean and standard error in each subtask, and in the whole under `subtask_weight`."""
    values = metric.score(outputs)
    shared = {
        "split": "eval",
        "metric": metric.name,
        "chance": task.chance(metric.name),
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
    return [
        shared | {"subtask": name, "value": value, "stderr": stderr, "n_eval": n_eval}
        for name, (value, stderr, n_eval) in [("all", whole), *parts]
    ]
