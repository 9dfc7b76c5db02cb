"""Evaluation under loss=contrastive: whether the views of an example find each other, and a probe of the outputs."""

from __future__ import annotations

import math

import numpy as np
import torch

from harness.metrics import LOSS, PROBE_ACCURACY, RETRIEVAL_ACCURACY, Outputs
from harness.settings import Settings
from harness.tasks.shifts.sets import EvaluationSet
from harness.training import evaluation
from harness.training.augmentation import Views
from harness.training.batches import AUGMENTATION_STREAM, DATA_STREAM
from harness.training.evaluation import Evaluator
from harness.training.gradients import outputs_of
from harness.training.losses import similarities
from harness.training.members import Stack
from harness.training.probe import probe_scores

#: Training examples that the probe is fitted on.
N_PROBE = 1024


class ContrastiveEvaluator(Evaluator):
    """Holds two views of each of the N evaluation examples, drawn once and the same for every run, and the examples.

    The first views look for their partners among all other 2N - 1 views. The linear probe is fitted on the model's
    outputs for N_PROBE training examples, the same for every run, and asked for the classes of the evaluation examples;
    neither is augmented. Its loss is the mean squared error on one-hot classes.
    """

    def __init__(self, settings: Settings, device: torch.device, asked: EvaluationSet | None = None) -> None:
        super().__init__(settings, device, asked)
        augmenter = self.task.augmenter
        assert augmenter is not None  # `build_ladder` refuses such a task
        views = Views(augmenter, [np.random.default_rng([0, AUGMENTATION_STREAM])], 2)
        self.views = views.of([self.batch], self.inputs[None], self.targets[None])[0][0]
        self.examples = self.task.train_batch(np.random.default_rng([0, DATA_STREAM]), N_PROBE)

    def chance(self, metric: str) -> float | None:
        others = len(self.views) - 1
        of_probe = self.task.chance("accuracy")
        known = {LOSS.name: math.log(others), RETRIEVAL_ACCURACY.name: 1 / others, PROBE_ACCURACY.name: of_probe}
        return known.get(metric)

    @torch.no_grad()
    def outputs(self, stack: Stack) -> list[Outputs]:
        log_prob_MN, correct_MN = self._found(self._embeddings(stack, self.views))
        examples = torch.from_numpy(self.examples.inputs).to(self.inputs.device)
        of_training, of_evaluation = (
            self._embeddings(stack, inputs).flatten(2).cpu().double().numpy() for inputs in (examples, self.inputs)
        )
        scored = np.ones((len(self.inputs), 1), dtype=bool)
        return [
            Outputs(
                log_prob=log_prob[:, None],
                correct=correct[:, None],
                scored=scored,
                loss=-log_prob[:, None],
                probe=self._probe(of_training[m], of_evaluation[m]),
            )
            for m, (log_prob, correct) in enumerate(
                zip(log_prob_MN.double().cpu().numpy(), correct_MN.cpu().numpy(), strict=True)
            )
        ]

    def _embeddings(self, stack: Stack, inputs: torch.Tensor) -> torch.Tensor:
        """(M, n, S, V) outputs for inputs (n, ...)."""
        chunk = evaluation.examples_at_once(stack, self.settings.signature.n_outputs, len(inputs))
        return torch.cat([outputs_of(stack, x) for x in inputs.split(chunk)], dim=1)

    def _found(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(M, N) log-probability that each first view gives to its partner, and whether it is the nearest of all."""
        members, n_views = views.shape[:2]
        log_probs, corrects = [], []
        for anchors in torch.arange(n_views // 2).split(max(1, evaluation.MAX_LOGITS // (members * n_views))):
            logits, partners = similarities(views, self.settings.loss.temperature, anchors.to(views.device))
            at = partners.expand(members, -1).unsqueeze(-1)
            log_probs.append(logits.log_softmax(dim=-1).gather(-1, at).squeeze(-1))
            corrects.append(logits.argmax(dim=-1) == partners)
        return torch.cat(log_probs, dim=1), torch.cat(corrects, dim=1)

    def _probe(self, of_training: np.ndarray, of_evaluation: np.ndarray) -> Outputs:
        n_classes, classes = self.task.signature.n_outputs, self.batch.targets[:, -1]
        scores = probe_scores(of_training, self.examples.targets[:, -1], n_classes, of_evaluation)
        loss = ((scores - np.eye(n_classes)[classes]) ** 2).mean(axis=1)
        correct = scores.argmax(axis=1) == classes
        scored = np.ones((len(classes), 1), dtype=bool)
        return Outputs(np.full_like(loss, np.nan)[:, None], correct[:, None], scored, loss[:, None])
