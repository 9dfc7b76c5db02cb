"""Adam and AdamW over all members at once."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from harness.settings import OptimizerSettings
from harness.training.rates import Rates
from harness.training.state import restore


class AdamW:
    """Adam with bias correction (Kingma & Ba 2015, algorithm 1) and decoupled weight decay (Loshchilov & Hutter 2019).

    Without weight decay it is Adam.

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

    @property
    def averages(self) -> dict[str, torch.Tensor]:
        """What it remembers of earlier gradients, by name."""
        return {"mean": self.mean, "square": self.square}

    def resume(self, averages: Mapping[str, torch.Tensor], steps_taken: int) -> None:
        """Take up the averages of an optimizer that took so many steps."""
        restore(self.averages, averages)
        self.step_count = steps_taken
