"""What training minimises: criteria on a model's outputs, and penalties on its weights.

A criterion takes outputs (..., B, S, V) and targets, classes (..., B, S) int64 or values (..., B, S, V) float32, and
gives the loss at each position (..., B, S). With y the targets, one-hot where they are classes, and z the outputs:

    cross_entropy  -sum over v of y_v ln softmax(z)_v          nats; y may be any probabilities of the classes
    mse            mean over v of (z_v - y_v)^2
    binary         mean over v of -y_v ln s(z_v) - (1 - y_v) ln(1 - s(z_v)), s the logistic function      nats
    contrastive    InfoNCE on pairs of views, see `contrastive`                                           nats

Label smoothing e replaces y_v by (1 - e) y_v + e / V under cross-entropy (Szegedy et al. 2016, "Rethinking the
Inception Architecture", section 7), and by (1 - e) y_v + e / 2 where each output is a question of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from harness.settings import LossSettings

#: Outputs and targets -> the loss at each position.
Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def criterion(settings: LossSettings) -> Criterion:
    """What a study's training minimises, without its penalties."""
    if settings.kind == "cross_entropy":
        return partial(cross_entropy, label_smoothing=settings.label_smoothing)
    if settings.kind == "binary":
        return partial(binary, label_smoothing=settings.label_smoothing)
    if settings.kind == "contrastive":
        return partial(contrastive, temperature=settings.temperature)
    return squared_error


def cross_entropy(outputs: torch.Tensor, targets: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
    """Cross-entropy of each position, in nats."""
    positions = outputs.shape[:-1]
    of_each = targets.flatten() if is_classes(targets) else targets.flatten(0, -2)
    losses = F.cross_entropy(outputs.flatten(0, -2), of_each, reduction="none", label_smoothing=label_smoothing)
    return losses.view(positions)


def squared_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Squared error of each position, mean over its outputs."""
    return (outputs - as_values(targets, outputs)).square().mean(dim=-1)


def binary(outputs: torch.Tensor, targets: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
    """Sigmoid cross-entropy of each position, mean over its outputs, in nats."""
    values = as_values(targets, outputs)
    smoothed = values * (1 - label_smoothing) + label_smoothing / 2
    return F.binary_cross_entropy_with_logits(outputs, smoothed, reduction="none").mean(dim=-1)


def contrastive(outputs: torch.Tensor, targets: torch.Tensor, temperature: float) -> torch.Tensor:
    """InfoNCE of each view, in nats (van den Oord et al. 2018, eq. 4; NT-Xent in Chen et al. 2020, "SimCLR", eq. 1).

    The batch holds 2N views, N of them and then their N partners in the same order. A view's loss is the cross-entropy
    of finding its partner among all 2N - 1 others by cosine similarity over `temperature`.

    Args:
        outputs: (..., 2N, S, V) embeddings, of S V dimensions.
        targets: unused: the pairs are the answers.
    """
    logits, partners = similarities(outputs, temperature, torch.arange(outputs.shape[-3], device=outputs.device))
    losses = F.cross_entropy(logits.flatten(0, -2), partners.expand(logits.shape[:-1]).flatten(), reduction="none")
    return losses.view(logits.shape[:-1]).unsqueeze(-1).expand(outputs.shape[:-1])


def similarities(outputs: torch.Tensor, temperature: float, anchors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine similarity over `temperature` of some views to all 2N, (..., A, 2N), and the partner of each, (A,).

    A view's similarity to itself is minus infinity.

    Args:
        outputs: (..., 2N, S, V), N views and then their partners in the same order.
        anchors: (A,) which views.
    """
    directions = F.normalize(outputs.flatten(-2), dim=-1)
    n_views = directions.shape[-2]
    oneself = anchors[:, None] == torch.arange(n_views, device=outputs.device)
    cosines = directions.index_select(-2, anchors) @ directions.transpose(-1, -2)
    return (cosines / temperature).masked_fill(oneself, -torch.inf), (anchors + n_views // 2) % n_views


def is_classes(targets: torch.Tensor) -> bool:
    """Whether targets are classes; otherwise they are values or probabilities, one for each output."""
    return not targets.is_floating_point()


def as_values(targets: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    """Targets of the shape of the outputs: values as they are, classes one-hot."""
    if not is_classes(targets):
        return targets
    classes = torch.arange(outputs.shape[-1], device=outputs.device)
    return (targets.unsqueeze(-1) == classes).to(outputs.dtype)


def add_penalties(
    grad_MP: torch.Tensor, params_MP: torch.Tensor, decays_P: torch.Tensor, settings: LossSettings
) -> torch.Tensor:
    """Gradient of the loss with its penalties, l1 sum |w| + l2 / 2 sum w^2 over the weights that decay.

    Both are coupled: they pass through the optimizer as the loss does, unlike `optimizer.weight_decay`.

    Args:
        decays_P: (P,) bool, the entries that decay.
    """
    if settings.l2:
        grad_MP = grad_MP + settings.l2 * params_MP * decays_P
    if settings.l1:
        grad_MP = grad_MP + settings.l1 * params_MP.sign() * decays_P
    return grad_MP
