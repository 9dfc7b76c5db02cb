"""Optimizers over all members at once, on one (M, P) tensor of parameters.

Every operation is elementwise, so a member's numbers do not depend on which other members train beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from harness.settings import OptimizerSettings


@dataclass(frozen=True)
class Rates:
    """The optimizer's settings entry by entry, the factors of the parametrization included.

    Attributes:
        lr_MP: (M, P) base learning rate.
        decay_MP: (M, P) share by which a step at the base learning rate shrinks an entry; None without weight decay.
        eps_P: (P,), or (1,) where all are alike: AdamW's epsilon.
    """

    lr_MP: torch.Tensor
    decay_MP: torch.Tensor | None
    eps_P: torch.Tensor


class AdamW:
    """Adam with bias correction (Kingma & Ba 2015) and decoupled weight decay (Loshchilov & Hutter 2019).

    Args:
        params_MP: (M, P) parameters, changed in place.
        rates: learning rate, decay and epsilon of each entry.
        settings: beta1 and beta2.
    """

    def __init__(self, params_MP: torch.Tensor, rates: Rates, settings: OptimizerSettings) -> None:
        self.params, self.rates, self.settings = params_MP, rates, settings
        self.mean = torch.zeros_like(params_MP)
        self.square = torch.zeros_like(params_MP)
        self.step_count = 0

    def step(self, grad_MP: torch.Tensor, lr_multiplier: float) -> None:
        """Update the parameters; `lr_multiplier` is the schedule's factor on the base learning rate."""
        beta1, beta2 = self.settings.beta1, self.settings.beta2
        self.step_count += 1
        if self.rates.decay_MP is not None:
            self.params.addcmul_(self.params, self.rates.decay_MP, value=-lr_multiplier)
        self.mean.lerp_(grad_MP, 1 - beta1)
        self.square.mul_(beta2).addcmul_(grad_MP, grad_MP, value=1 - beta2)
        mean_correction = 1 - beta1**self.step_count
        square_correction = 1 - beta2**self.step_count
        update = self.square.div(square_correction).sqrt_().add_(self.rates.eps_P).reciprocal_().mul_(self.mean)
        self.params.addcmul_(update, self.rates.lr_MP, value=-lr_multiplier / mean_correction)


class SGD:
    """Stochastic gradient descent with momentum; weight decay is decoupled, as in `AdamW`. Arguments as there."""

    def __init__(self, params_MP: torch.Tensor, rates: Rates, settings: OptimizerSettings) -> None:
        self.params, self.rates, self.settings = params_MP, rates, settings
        self.velocity = torch.zeros_like(params_MP)

    def step(self, grad_MP: torch.Tensor, lr_multiplier: float) -> None:
        """Update the parameters; `lr_multiplier` is the schedule's factor on the base learning rate."""
        if self.rates.decay_MP is not None:
            self.params.addcmul_(self.params, self.rates.decay_MP, value=-lr_multiplier)
        self.velocity.mul_(self.settings.momentum).add_(grad_MP)
        self.params.addcmul_(self.velocity, self.rates.lr_MP, value=-lr_multiplier)


OPTIMIZERS: dict[str, type[AdamW] | type[SGD]] = {"adamw": AdamW, "sgd": SGD}


def clip_by_member(grad_MP: torch.Tensor, max_norm: float) -> torch.Tensor:
    """Scale each member's gradient down to at most `max_norm` (its 2-norm over all parameters)."""
    norm_M1 = grad_MP.norm(dim=1, keepdim=True)
    return grad_MP * (max_norm / norm_M1.clamp(min=max_norm))
