"""Evaluation of choices: how likely a model finds each answer that a question offers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from harness.metrics import ChoiceOutputs, Outputs
from harness.settings import Settings
from harness.tasks.base import Choices
from harness.tasks.shifts.sets import EvaluationSet
from harness.training.evaluation import Evaluator
from harness.training.members import Stack


class ChoiceEvaluator(Evaluator):
    """Holds an evaluation set, whose answers are right, and the wrong ones on the device."""

    def __init__(
        self, settings: Settings, device: torch.device, choices: Choices, asked: EvaluationSet | None = None
    ) -> None:
        super().__init__(settings, device, asked)
        self.choices = choices
        self.wrong_inputs = torch.from_numpy(choices.wrong.inputs).to(device)
        self.wrong_targets = torch.from_numpy(choices.wrong.targets).to(device)
        # The wrong answers to a question take the columns after the right one, in their order.
        order = np.argsort(choices.question, kind="stable")
        counts = np.bincount(choices.question, minlength=len(self.batch.inputs))
        self.columns = np.empty(len(order), dtype=np.int64)
        self.columns[order] = 1 + np.arange(len(order)) - np.repeat(counts.cumsum() - counts, counts)

    def outputs(self, stack: Stack) -> list[Outputs]:
        wrong = self.answers(stack, self.wrong_inputs, self.wrong_targets)["log_prob"].double().cpu().numpy()
        return [
            replace(
                outputs, choices=self._beside(outputs, np.where(self.choices.wrong.scored, log_prob, 0).sum(axis=1))
            )
            for outputs, log_prob in zip(super().outputs(stack), wrong, strict=True)
        ]

    def _beside(self, right: Outputs, wrong: np.ndarray) -> ChoiceOutputs:
        """Both together.

        Args:
            wrong: (A,) log-likelihoods of the wrong answers.
        """
        shape = len(right.scored), 1 + int(self.columns.max(initial=0))
        log_likelihood, n_bytes = np.full(shape, -np.inf), np.ones(shape, dtype=np.int64)
        log_likelihood[:, 0] = np.where(right.scored, right.log_prob, 0).sum(axis=1)
        log_likelihood[self.choices.question, self.columns] = wrong
        n_bytes[:, 0] = self.choices.right_bytes
        n_bytes[self.choices.question, self.columns] = self.choices.wrong_bytes
        return ChoiceOutputs(log_likelihood, n_bytes)
