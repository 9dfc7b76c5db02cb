"""Optimizers over all members at once: one (M, P) tensor of parameters, a learning rate for each entry.

Elementwise, so that a member's numbers do not depend on which others are beside it.
"""

from __future__ import annotations

import torch

from harness.settings import OptimizerSettings


class AdamW:
    """Adam with bias correction (Kingma & Ba 2015) and decoupled weight decay (Loshchilov & Hutter 2019).

    Args:
        params_MP: (M, P) parameters, changed in place.
        lr_MP: (M, P) or broadcastable base learning rate of each entry.
        decays_P: (P,) 1 where weight decay applies, else 0.
    """

    def __init__(
        self, params_MP: torch.Tensor, lr_MP: torch.Tensor, decays_P: torch.Tensor, settings: OptimizerSettings
    ) -> None:
        self.params, self.lr, self.settings = params_MP, lr_MP, settings
        self.decay = lr_MP * decays_P * settings.weight_decay if settings.weight_decay else None
        self.mean = torch.zeros_like(params_MP)
        self.square = torch.zeros_like(params_MP)
        self.step_count = 0

    def step(self, grad_MP: torch.Tensor, lr_multiplier: float) -> None:
        beta1, beta2 = self.settings.beta1, self.settings.beta2
        self.step_count += 1
        if self.decay is not None:
            self.params.addcmul_(self.params, self.decay, value=-lr_multiplier)
        self.mean.lerp_(grad_MP, 1 - beta1)
        self.square.mul_(beta2).addcmul_(grad_MP, grad_MP, value=1 - beta2)
        mean_correction = 1 - beta1**self.step_count
        square_correction = 1 - beta2**self.step_count
        update = self.square.div(square_correction).sqrt_().add_(self.settings.eps).reciprocal_().mul_(self.mean)
        self.params.addcmul_(update, self.lr, value=-lr_multiplier / mean_correction)


class SGD:
    """Stochastic gradient descent with momentum; weight decay is decoupled, as in `AdamW`. Arguments as there."""

    def __init__(
        self, params_MP: torch.Tensor, lr_MP: torch.Tensor, decays_P: torch.Tensor, settings: OptimizerSettings
    ) -> None:
        self.params, self.lr, self.settings = params_MP, lr_MP, settings
        self.decay = lr_MP * decays_P * settings.weight_decay if settings.weight_decay else None
        self.velocity = torch.zeros_like(params_MP)

    def step(self, grad_MP: torch.Tensor, lr_multiplier: float) -> None:
        if self.decay is not None:
            self.params.addcmul_(self.params, self.decay, value=-lr_multiplier)
        self.velocity.mul_(self.settings.momentum).add_(grad_MP)
        self.params.addcmul_(self.velocity, self.lr, value=-lr_multiplier)


OPTIMIZERS: dict[str, type[AdamW] | type[SGD]] = {"adamw": AdamW, "sgd": SGD}


def clip_by_member(grad_MP: torch.Tensor, max_norm: float) -> torch.Tensor:
    """Scale each member's gradient down to at most `max_norm` (its 2-norm over all parameters)."""
    norm_M1 = grad_MP.norm(dim=1, keepdim=True)
    return grad_MP * (max_norm / norm_M1.clamp(min=max_norm))
