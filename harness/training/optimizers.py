"""Optimizers over all members at once, on one (M, P) tensor of parameters.

Every operation is elementwise, or a matrix product of each member by itself, so a member's numbers do not depend on
which other members train beside it. What changes from step to step comes as a tensor, so that an update is the same
list of operations at every step, which a CUDA graph can hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch

from harness.settings import OptimizerSettings
from harness.training.adamw import AdamW
from harness.training.muon import Muon
from harness.training.rates import Rates


class Optimizer(Protocol):
    """What trains the members' parameters, which it changes in place."""

    def factors(self, step: int, lr_multiplier: float) -> tuple[float, ...]:
        """The numbers that `update` needs of a step.

        Args:
            step: steps taken before it.
            lr_multiplier: the schedule's factor on the base learning rate.
        """

    def update(self, grad_MP: torch.Tensor, factors_F: torch.Tensor) -> None:
        """Take a step; `factors_F` are those of it, float32 on the device."""

    @property
    def averages(self) -> dict[str, torch.Tensor]:
        """What it remembers of earlier gradients, by name."""


class GradientDescent:
    """A step down the gradient, w - lr g; weight decay is decoupled, as in `AdamW`. Arguments as there."""

    def __init__(self, params_MP: torch.Tensor, rates: Rates, settings: OptimizerSettings) -> None:
        self.params, self.rates, self.settings = params_MP, rates, settings

    def factors(self, step: int, lr_multiplier: float) -> tuple[float, ...]:
        """The schedule's factor on the learning rate."""
        return (lr_multiplier,)

    def update(self, grad_MP: torch.Tensor, factors_F: torch.Tensor) -> None:
        """Take a step; `factors_F` are those of it, float32 on the device."""
        if self.rates.decay_MP is not None:
            self.params.addcmul_(self.params, self.rates.decay_MP * factors_F, value=-1)
        self.params.addcmul_(self.direction(grad_MP), self.rates.lr_MP * factors_F, value=-1)

    @property
    def averages(self) -> dict[str, torch.Tensor]:
        """What it remembers of earlier gradients, by name."""
        return {}

    def direction(self, grad_MP: torch.Tensor) -> torch.Tensor:
        """(M, P) what the learning rate multiplies."""
        return grad_MP


class SGD(GradientDescent):
    """Stochastic gradient descent with momentum m: v <- m v + g, w <- w - lr v; with Nesterov's, w <- w - lr (g + m v).

    Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", in the form of
    torch.optim.SGD. Arguments and weight decay as in `AdamW`.
    """

    def __init__(self, params_MP: torch.Tensor, rates: Rates, settings: OptimizerSettings) -> None:
        super().__init__(params_MP, rates, settings)
        self.velocity = torch.zeros_like(params_MP)

    @property
    def averages(self) -> dict[str, torch.Tensor]:
        """What it remembers of earlier gradients, by name."""
        return {"velocity": self.velocity}

    def direction(self, grad_MP: torch.Tensor) -> torch.Tensor:
        self.velocity.mul_(self.settings.momentum).add_(grad_MP)
        if self.settings.nesterov:
            return grad_MP.add(self.velocity, alpha=self.settings.momentum)
        return self.velocity


OPTIMIZERS: dict[str, Callable[[torch.Tensor, Rates, OptimizerSettings], Optimizer]] = {
    "gd": GradientDescent,
    "sgd": SGD,
    "adam": AdamW,
    "adamw": AdamW,
    "muon": Muon,
}

#: How many `averages` of the size of the parameters each of them has.
N_AVERAGES = {"gd": 0, "sgd": 1, "adam": 2, "adamw": 2, "muon": 3}


def take_step(optimizer: Optimizer, grad_MP: torch.Tensor, step: int, lr_multiplier: float = 1.0) -> None:
    """One step by itself; `step` counts those before it."""
    optimizer.update(grad_MP, torch.tensor(optimizer.factors(step, lr_multiplier), device=grad_MP.device))


def clip_by_member(grad_MP: torch.Tensor, max_norm: float, norm_M1: torch.Tensor) -> torch.Tensor:
    """Scale each member's gradient down to at most `max_norm`; `norm_M1` is its 2-norm over all parameters."""
    return grad_MP * (max_norm / norm_M1.clamp(min=max_norm))
