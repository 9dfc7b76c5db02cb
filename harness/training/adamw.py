"""Adam and AdamW over all members at once."""

from __future__ import annotations

import torch

from harness.settings import OptimizerSettings
from harness.training.rates import Rates

#: Entries of a member that are updated at a time on a CPU, so that what is read again is still in its cache.
_AT_ONCE = 2**16


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

    def factors(self, step: int, lr_multiplier: float) -> tuple[float, ...]:
        """The schedule's factor, the same over 1 - beta1^t, and 1 / (1 - beta2^t), at the t-th step."""
        t = step + 1
        mean_correction, square_correction = 1 - self.settings.beta1**t, 1 - self.settings.beta2**t
        return lr_multiplier, lr_multiplier / mean_correction, 1 / square_correction

    def update(self, grad_MP: torch.Tensor, factors_F: torch.Tensor) -> None:
        """Take a step; `factors_F` are those of it, float32 on the device."""
        entries = grad_MP.shape[1]
        at_once = _AT_ONCE if grad_MP.device.type == "cpu" else entries
        for start in range(0, entries, at_once):
            self._update(grad_MP, factors_F, start, min(at_once, entries - start))

    def _update(self, grad_MP: torch.Tensor, factors_F: torch.Tensor, start: int, length: int) -> None:
        of_decay, of_step, of_square = factors_F.unbind()
        beta1, beta2 = self.settings.beta1, self.settings.beta2

        def part(values: torch.Tensor) -> torch.Tensor:
            return values if values.shape[-1] == 1 else values.narrow(-1, start, length)

        params, grad, mean, square = map(part, (self.params, grad_MP, self.mean, self.square))
        if self.rates.decay_MP is not None:
            params.addcmul_(params, part(self.rates.decay_MP) * of_decay, value=-1)
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        update = square.mul(of_square).sqrt_().add_(part(self.rates.eps_P)).reciprocal_().mul_(mean)
        params.addcmul_(update, part(self.rates.lr_MP) * of_step, value=-1)

    @property
    def averages(self) -> dict[str, torch.Tensor]:
        """What it remembers of earlier gradients, by name."""
        return {"mean": self.mean, "square": self.square}
